"""Misuses of the drop-in that the types catch: each line with an ignore must not type-check. Never run."""

from antinode.amplitude import Amplitude, BaseEvent, Config, EventOptions, Identify, Plan

client = Amplitude("KEY")
Amplitude()  # type: ignore[call-arg]
BaseEvent()  # type: ignore[call-arg]
BaseEvent("Song Played", userid="user-20391")  # type: ignore[call-arg]
BaseEvent("Song Played", city=5)  # type: ignore[arg-type]
BaseEvent("Song Played", event_properties=["title"])  # type: ignore[arg-type]
BaseEvent("Song Played", plan="main")  # type: ignore[arg-type]
BaseEvent("Song Played").quantity = "two"  # type: ignore[assignment]
client.track({"event_type": "Song Played"})  # type: ignore[arg-type]
client.identify(Identify())  # type: ignore[call-arg]
client.identify({"plan": "pro"}, EventOptions())  # type: ignore[arg-type]
client.trak(BaseEvent("Song Played"))  # type: ignore[attr-defined]
Config(flush_queue_size="many")  # type: ignore[arg-type]
Config(antinode_options={"overflw": "block"})  # type: ignore[arg-type]
Plan(version=5)  # type: ignore[arg-type]
Identify().add("visits", "one")  # type: ignore[arg-type]
