"""The drop-in as applications use it: every line type-checks. Read by the type checker, never run."""

from concurrent.futures import Future
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

from typing_extensions import assert_type

from antinode.amplitude import (
    Amplitude,
    BaseEvent,
    Config,
    DestinationPlugin,
    EventLogLevel,
    EventOptions,
    EventPlugin,
    Identify,
    IdentifyEvent,
    IngestionMetadata,
    Plan,
    PluginType,
    Revenue,
    RevenueEvent,
)


def heard(event: BaseEvent, code: int, message: str | None = None) -> None:
    assert_type(event.event_type, str | None)


class Redact(EventPlugin):
    def __init__(self) -> None:
        super().__init__(PluginType.BEFORE)

    def track(self, event: BaseEvent) -> BaseEvent | None:
        event["event_properties"] = None
        return event


class Warehouse(DestinationPlugin):
    def execute(self, event: BaseEvent) -> None:
        assert_type(event.get_event_body(), dict[str, Any])

    def setup(self, client: Amplitude) -> None:
        assert_type(client.configuration, Config)


client = Amplitude(
    "KEY", Config(callback=heard, plan=Plan(branch="main"), event_log_level=EventLogLevel.NONE)
)
client.configuration.server_zone = "EU"
client.configuration.callback = heard
client.add(Redact()).add(Warehouse()).remove(Redact())
client.track(
    BaseEvent("Song Played", "user-20391", event_properties={"seconds": 337}, price=9, callback=heard)
)
client.track(BaseEvent("Song Played", user_id=20391, time=datetime.now(timezone.utc), revenue=Decimal("9.5")))
client.track(IdentifyEvent("user-20391", identify_obj=Identify().set("plan", "pro").add("visits", 1)))
client.track(RevenueEvent("user-20391", revenue_obj=Revenue(Decimal("9.5"), 2)))
client.identify(Identify().unset("plan"), EventOptions(user_id="user-20391", city="Oslo"))
client.group_identify("org", "acme", Identify().set("seats", 5))
client.set_group("org", ["acme", "umbrella"], EventOptions(device_id="device-7"))
client.revenue(Revenue(price=9.5).set_receipt("receipt", "signature"), EventOptions(user_id="user-20391"))
assert_type(client.flush(), list[Future[None] | None])
client.shutdown()
Config(
    storage="spool",
    dead_letters="dead.jsonl",
    compress=True,
    fast=True,
    strict_plugins=True,
    antinode_options={"overflow": "block"},
    ingestion_metadata=IngestionMetadata("import", "2"),
)
