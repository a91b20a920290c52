"""Plugins, and the way of an event through them: the same in both SDKs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import MagicMock

import pytest

from tests.amplitude.sdks import Sdk, wait_for


def make_plugin(sdk: Sdk, kind: str, does: Callable[[Any], Any]) -> Any:
    """An event plugin of a class of its own."""

    class Made(sdk.EventPlugin):  # type: ignore[misc,name-defined]
        def execute(self, event: Any) -> Any:
            return does(event)

    return Made(sdk.PluginType[kind])


def make_destination(sdk: Sdk) -> Any:
    """A destination that keeps what it is given."""

    class Keeping(sdk.DestinationPlugin):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.taken: list[Any] = []
            self.ends = 0

        def execute(self, event: Any) -> None:
            self.taken.append(event)

        def shutdown(self) -> None:
            self.ends += 1

    return Keeping()


def properties(sdk: Sdk, **given: Any) -> Any:
    return sdk.BaseEvent("Song Played", user_id="user-20391", event_properties=given)


def test_plugins_are_added_and_removed_by_type(sdk: Sdk) -> None:
    """A client begins with a plugin that completes events, and with Amplitude as its destination."""
    client = sdk.Amplitude("key")
    kinds = sdk.PluginType
    plugins = client._Amplitude__timeline.plugins
    assert [len(plugins[kind]) for kind in (kinds.BEFORE, kinds.ENRICHMENT, kinds.DESTINATION)] == [1, 0, 1]
    added = [
        sdk.EventPlugin(kinds.BEFORE),
        sdk.EventPlugin(plugin_type=kinds.ENRICHMENT),
        sdk.DestinationPlugin(),
    ]
    for plugin in added:
        assert client.add(plugin) is client
        assert plugins[plugin.plugin_type][-1] is plugin
    for plugin in added:
        assert client.remove(plugin) is client
        assert plugin not in client._Amplitude__timeline.plugins[plugin.plugin_type]
    client.shutdown()


def test_a_plugin_is_set_up_with_the_client(sdk: Sdk) -> None:
    """Once, when it is added."""
    client, plugin = sdk.Amplitude("key"), make_plugin(sdk, "BEFORE", lambda event: event)
    plugin.setup = MagicMock()
    client.add(plugin)
    plugin.setup.assert_called_once_with(client)
    client.shutdown()


def test_amplitude_as_a_destination_is_set_up_with_the_client(
    sdk: Sdk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tests replace its setup, so as not to send."""
    setup = MagicMock()
    monkeypatch.setattr(sdk.module("plugin").AmplitudeDestinationPlugin, "setup", setup)
    client = sdk.Amplitude("key")
    setup.assert_called_once_with(client)


def test_events_are_completed(sdk: Sdk, post: MagicMock, make_client: Callable[..., Any]) -> None:
    """The tracked object is given its time, its insert_id, the library, and the client's plan and source."""
    client = make_client(plan=sdk.Plan("main"), ingestion_metadata=sdk.IngestionMetadata("import"))
    event = properties(sdk)
    client.track(event)
    assert isinstance(event.time, int)
    assert len(event.insert_id) == 36
    assert event.library == f"{sdk.module('constants').SDK_LIBRARY}/{sdk.module('constants').SDK_VERSION}"
    assert event.plan.branch == "main"
    assert event.ingestion_metadata.source_name == "import"
    own = sdk.BaseEvent("Song Played", "user-20391", time=5, insert_id="mine", plan=sdk.Plan("other"))
    client.track(own)
    assert (own.time, own.insert_id, own.plan.branch) == (5, "mine", "other")


def test_plugins_run_in_their_order(sdk: Sdk, post: MagicMock, make_client: Callable[..., Any]) -> None:
    """BEFORE, then ENRICHMENT, each in the order of being added; what one returns, the next one gets."""
    client, destination = make_client(), make_destination(sdk)
    seen: list[str] = []

    def note(name: str) -> Callable[[Any], Any]:
        def noted(event: Any) -> Any:
            seen.append(name)
            return properties(sdk, by=name)

        return noted

    client.add(destination)
    for name, kind in (("c", "ENRICHMENT"), ("a", "BEFORE"), ("d", "ENRICHMENT"), ("b", "BEFORE")):
        client.add(make_plugin(sdk, kind, note(name)))
    client.track(properties(sdk))
    assert seen == ["a", "b", "c", "d"]
    assert [event.event_properties for event in destination.taken] == [{"by": "d"}]


@pytest.mark.parametrize("kind", ["BEFORE", "ENRICHMENT"])
def test_none_keeps_an_event_back(
    sdk: Sdk, post: MagicMock, make_client: Callable[..., Any], kind: str
) -> None:
    """Nothing after that plugin sees it, and nothing is sent."""
    client, destination = make_client(), make_destination(sdk)
    later = MagicMock()
    client.add(make_plugin(sdk, kind, lambda event: None)).add(make_plugin(sdk, kind, later)).add(destination)
    client.track(properties(sdk))
    wait_for(client.flush())
    later.assert_not_called()
    post.assert_not_called()
    assert destination.taken == []


@pytest.mark.parametrize("kind", ["BEFORE", "ENRICHMENT"])
def test_a_plugin_that_raises_fails_open(
    sdk: Sdk, post: MagicMock, make_client: Callable[..., Any], kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, and the event goes on as it was."""
    client, destination = make_client(), make_destination(sdk)
    client.add(make_plugin(sdk, kind, MagicMock(side_effect=ZeroDivisionError))).add(destination)
    client.track(properties(sdk, a=1))
    assert [event.event_properties for event in destination.taken] == [{"a": 1}]
    assert [record.message[: record.message.find(" for event")] for record in caplog.records] == [
        f"Error for apply {kind} plugin"
    ]


def test_destinations_get_copies_of_their_own(
    sdk: Sdk, post: MagicMock, make_client: Callable[..., Any]
) -> None:
    """What one does to its event, the others do not see, nor the caller."""
    client = make_client()
    first, second = make_destination(sdk), make_destination(sdk)
    client.add(first).add(second)
    event = properties(sdk, list=[1])
    client.track(event)
    first.taken[0].event_properties["list"].append(2)
    assert second.taken[0].event_properties == {"list": [1]}
    assert event.event_properties == {"list": [1]}
    assert first.taken[0].insert_id == second.taken[0].insert_id == event.insert_id


def test_a_destination_that_raises_costs_nobody_else(
    sdk: Sdk, post: MagicMock, make_client: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, and the other destinations get theirs."""
    client, broken, destination = make_client(), make_destination(sdk), make_destination(sdk)
    broken.execute = MagicMock(side_effect=ZeroDivisionError)
    client.add(broken).add(destination)
    client.track(properties(sdk))
    assert len(destination.taken) == 1
    assert "DESTINATION" in caplog.text


def test_destinations_end_with_the_client(sdk: Sdk, post: MagicMock) -> None:
    """Once, and nothing is tracked any more."""
    client, destination = sdk.Amplitude("key"), make_destination(sdk)
    client.add(destination)
    client.shutdown()
    client.track(properties(sdk))
    assert (destination.ends, destination.taken) == (1, [])
    assert client.configuration.opt_out is True


def test_event_plugins_tell_kinds_of_events_apart(sdk: Sdk) -> None:
    """`execute` hands an event to the method for its kind, which returns it."""
    plugin = sdk.EventPlugin(sdk.PluginType.BEFORE)
    events = {
        "track": sdk.BaseEvent("Song Played"),
        "revenue": sdk.RevenueEvent(),
        "identify": sdk.IdentifyEvent(),
        "group_identify": sdk.GroupIdentifyEvent(),
    }
    for name, event in events.items():
        assert plugin.execute(event) is event
        setattr(plugin, name, MagicMock(return_value=name))
        assert plugin.execute(event) == name


def test_destinations_have_plugins_of_their_own(sdk: Sdk) -> None:
    """They see what goes to that destination, until they are removed."""
    destination, context = sdk.DestinationPlugin(), sdk.module("plugin").ContextPlugin()
    destination.timeline.configuration = sdk.Config()
    context.configuration = sdk.Config()
    assert destination.add(context) is destination
    event = properties(sdk)
    destination.execute(event)
    assert isinstance(event.library, str)
    assert destination.remove(context) is destination
    event = properties(sdk)
    destination.execute(event)
    assert event.library is None


def test_plugins_of_amplitude_as_a_destination_see_only_its_events(
    sdk: Sdk, post: MagicMock, make_client: Callable[..., Any]
) -> None:
    """What they change is sent, and other destinations and the caller do not see it."""
    client, other = make_client(), make_destination(sdk)
    (amplitude,) = client._Amplitude__timeline.plugins[sdk.PluginType.DESTINATION]

    def change(event: Any) -> Any:
        event.event_properties["secret"] = "removed"
        return event

    amplitude.add(make_plugin(sdk, "BEFORE", change))
    client.add(other)
    event = properties(sdk, secret="42")
    client.track(event)
    wait_for(client.flush())
    assert b'"removed"' in post.call_args[0][1]
    assert b'"42"' not in post.call_args[0][1]
    assert [each.event_properties for each in (event, *other.taken)] == [{"secret": "42"}] * 2


def test_a_timeline_alone(sdk: Sdk) -> None:
    """It processes events by its configuration, and hands flushes and ends on to destinations."""
    timeline = sdk.module("timeline").Timeline(sdk.Config())
    destination = sdk.module("plugin").AmplitudeDestinationPlugin()
    for method in ("execute", "flush", "shutdown"):
        setattr(destination, method, MagicMock(return_value=method))
    other = properties(sdk, processed=True)
    timeline.add(make_plugin(sdk, "ENRICHMENT", lambda event: other))
    timeline.add(destination)
    assert timeline.process(properties(sdk)) is other
    destination.execute.assert_called_once()
    assert timeline.flush() == ["flush"]
    timeline.shutdown()
    destination.shutdown.assert_called_once_with()


def test_opting_out(sdk: Sdk, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing sees an event then, and a line at INFO says so."""
    timeline = sdk.module("timeline").Timeline(sdk.Config())
    plugin = make_plugin(sdk, "BEFORE", MagicMock())
    timeline.add(plugin)
    timeline.configuration.opt_out = True
    event = properties(sdk)
    with caplog.at_level("INFO"):
        assert timeline.process(event) is event
    assert caplog.messages == ["Skipped event for opt out config"]


@pytest.mark.parametrize(
    "given", [{"event_type": "", "user_id": "user-20391"}, {"event_type": "Song Played"}]
)
def test_invalid_events(
    sdk: Sdk,
    post: MagicMock,
    make_client: Callable[..., Any],
    given: dict[str, str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An event without a type, or without a user and a device, is logged and not sent."""
    client = make_client()
    client.track(sdk.BaseEvent(**given))
    wait_for(client.flush())
    post.assert_not_called()
    assert [record.message[:18] for record in caplog.records] == ["Invalid event body"]
    plugin = sdk.module("plugin")
    assert plugin.verify_event(sdk.BaseEvent(**given)) is False
    assert plugin.verify_event(sdk.GroupIdentifyEvent()) is True
