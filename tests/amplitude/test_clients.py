"""Clients whose `HttpClient.post` a test has replaced: the same in both SDKs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from unittest.mock import MagicMock

import pytest

from tests.amplitude.sdks import Sdk, wait_for

BOTH_APIS = pytest.mark.parametrize("use_batch", [True, False])


def payloads(post: MagicMock) -> list[dict[str, Any]]:
    return [json.loads(call[0][1]) for call in post.call_args_list]


def sent(post: MagicMock) -> list[dict[str, Any]]:
    return [event for payload in payloads(post) for event in payload["events"]]


class Heard(list[tuple[Any, int, str | None]]):
    """A callback that keeps what it is called with."""

    def __call__(self, event: Any, code: int, message: str | None = None) -> None:
        self.append((event, code, message))


def function_of(heard: Heard) -> Callable[..., None]:
    """A function, which is not copied with the event that has it."""

    def hear(event: Any, code: int, message: str | None = None) -> None:
        heard(event, code, message)

    return hear


def track(sdk: Sdk, client: Any, count: int, **more: Any) -> None:
    for number in range(count):
        client.track(sdk.BaseEvent("Song Played", "user-20391", event_properties={"id": number}, **more))


@BOTH_APIS
def test_each_event_is_sent_once(
    sdk: Sdk, post: MagicMock, make_client: Callable[..., Any], use_batch: bool
) -> None:
    """To the API of the configuration, with the key; the callback hears of each."""
    heard = Heard()
    client = make_client(flush_queue_size=10, flush_interval_millis=500, callback=heard, use_batch=use_batch)
    track(sdk, client, 25)
    wait_for(client.flush())
    client.shutdown()
    assert sorted(event.event_properties["id"] for event, _, _ in heard) == list(range(25))
    assert {(code, message) for _, code, message in heard} == {(200, "Event sent successfully.")}
    assert sorted(event["event_properties"]["id"] for event in sent(post)) == list(range(25))
    assert {call[0][0] for call in post.call_args_list} == {client.configuration.server_url}
    assert {payload["api_key"] for payload in payloads(post)} == {"test api key"}
    assert all("options" not in payload for payload in payloads(post))


def test_the_id_length_is_sent_along(sdk: Sdk, post: MagicMock, make_client: Callable[..., Any]) -> None:
    """As an option of the request."""
    client = make_client(min_id_length=3)
    client.track(sdk.BaseEvent("Song Played", "bob"))
    wait_for(client.flush())
    assert [payload["options"] for payload in payloads(post)] == [{"min_id_length": 3}]


@BOTH_APIS
def test_a_wrong_key_is_logged(
    sdk: Sdk,
    post: MagicMock,
    make_client: Callable[..., Any],
    use_batch: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With the configured logger, once for a request; also when the configuration has changed meanwhile."""
    refused = sdk.http_client.Response(sdk.http_client.HttpStatus.INVALID_REQUEST)
    refused.body["error"] = "Invalid API key: test api key"
    post.return_value = refused
    client = make_client(use_batch=not use_batch)
    for _ in range(2):
        post.reset_mock()
        caplog.clear()
        track(sdk, client, 1)
        wait_for(client.flush())
        post.assert_called_once()
        assert [record.message for record in caplog.records if record.name == "amplitude"] == [
            "Invalid API Key"
        ]
        client.configuration.use_batch = use_batch


@BOTH_APIS
def test_refused_events_are_told_and_the_others_sent_again(
    sdk: Sdk, post: MagicMock, make_client: Callable[..., Any], use_batch: bool
) -> None:
    """Those that the server names end with its code and error; the others are sent again, counted as such."""
    refused = sdk.http_client.Response(sdk.http_client.HttpStatus.INVALID_REQUEST)
    refused.body = {
        "code": 400,
        "error": "Invalid events",
        "events_with_invalid_fields": {"time": [1, 5, 8]},
        "events_with_missing_fields": {"event_type": [2, 5, 6]},
    }
    taken = sdk.http_client.Response(sdk.http_client.HttpStatus.SUCCESS)
    post.side_effect = [refused, taken, taken]
    heard = Heard()
    # An interval that does not end before all ten are tracked, however slow the machine.
    client = make_client(
        flush_queue_size=10, flush_interval_millis=60_000, callback=heard, use_batch=use_batch
    )
    track(sdk, client, 10)
    while len(heard) < 10:
        wait_for(client.flush())
    assert [(event.event_properties["id"], event.retry, code) for event, code, _ in heard] == [
        *((number, 0, 400) for number in (1, 2, 5, 6, 8)),
        *((number, 1, 200) for number in (0, 3, 4, 7, 9)),
    ]
    assert {message for _, code, message in heard if code == 400} == {"Invalid events"}
    # The official one sends what goes again in two requests where a flush comes while it queues them.
    assert post.call_count in ({2} if sdk.is_ours else {2, 3})


@pytest.mark.parametrize("call", ["identify", "group_identify", "revenue", "set_group"])
def test_special_calls(sdk: Sdk, post: MagicMock, make_client: Callable[..., Any], call: str) -> None:
    """Each sends one event of its kind, for the user and device of the options."""
    heard = Heard()
    client = make_client(callback=heard)
    options = sdk.EventOptions(user_id="user-20391", device_id="device-7")
    identify = sdk.Identify().set("plan", "pro")
    expected: dict[str, tuple[tuple[Any, ...], str, dict[str, Any]]] = {
        "identify": (
            (identify, options, {"a": 1}),
            "IdentifyEvent",
            {"user_properties": {"$set": {"plan": "pro"}}},
        ),
        "group_identify": (
            ("org", "acme", identify, options),
            "GroupIdentifyEvent",
            {"groups": {"org": "acme"}, "group_properties": {"$set": {"plan": "pro"}}},
        ),
        "revenue": (
            (sdk.Revenue(60.2, 3, "P63", properties={"a": 1}).set_receipt("A", "B"), options),
            "RevenueEvent",
            {
                "event_properties": {
                    **{"a": 1, "$price": 60.2, "$quantity": 3, "$productId": "P63"},
                    **{"$receipt": "A", "$receiptSig": "B"},
                }
            },
        ),
        "set_group": (
            ("org", ["acme", "umbrella"], options),
            "IdentifyEvent",
            {
                "groups": {"org": ["acme", "umbrella"]},
                "user_properties": {"$set": {"org": ["acme", "umbrella"]}},
            },
        ),
    }
    given, kind, body = expected[call]
    assert getattr(client, call)(*given) is None
    wait_for(client.flush())
    client.shutdown()
    ((event, code, _),) = heard
    assert code == 200
    assert isinstance(event, getattr(sdk, kind))
    assert (event["user_id"], event["device_id"]) == ("user-20391", "device-7")
    (one,) = sent(post)
    assert {key: one[key] for key in body} == body
    assert (one["user_id"], one["device_id"], one["event_type"]) == (
        "user-20391",
        "device-7",
        event.event_type,
    )


def test_empty_calls_are_logged(
    sdk: Sdk, post: MagicMock, make_client: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """An identify without operations, and a revenue without a price, send nothing."""
    client, options = make_client(), sdk.EventOptions(user_id="user-20391")
    client.identify(sdk.Identify(), options)
    client.group_identify("org", "acme", sdk.Identify(), options)
    client.revenue(sdk.Revenue(price="abc"), options)
    wait_for(client.flush())
    assert caplog.messages == [
        "Empty identify properties",
        "Empty group identify properties",
        "Invalid price for revenue event",
    ]
    post.assert_not_called()


def test_a_flush_with_nothing_to_send_sends_nothing(
    sdk: Sdk, post: MagicMock, make_client: Callable[..., Any]
) -> None:
    """It returns one thing for each destination that can be flushed."""
    client = make_client()
    track(sdk, client, 1)
    wait_for(client.flush())
    assert post.call_count == 1
    assert len(client.flush()) == 1
    assert post.call_count == 1
    client.add(sdk.DestinationPlugin())
    assert len(client.flush()) == 1


def test_both_callbacks_hear_of_an_event(sdk: Sdk, post: MagicMock, make_client: Callable[..., Any]) -> None:
    """The client's, and the event's own; what they get is a copy of the event as it was tracked."""
    heard, own = Heard(), Heard()
    client = make_client(callback=heard)
    event = sdk.BaseEvent(
        "Song Played", "user-20391", event_properties={"list": [1]}, callback=function_of(own)
    )
    client.track(event)
    event.event_properties["list"].append(2)
    wait_for(client.flush())
    client.shutdown()
    ((first, *_),), ((second, *_),) = heard, own
    assert first.event_properties == second.event_properties == {"list": [1]}
    assert first is not event
    assert first.insert_id == event.insert_id


def test_a_callback_that_raises_costs_nothing(
    sdk: Sdk, post: MagicMock, make_client: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, and the next event's callback is called."""
    heard = Heard()

    def callback(event: Any, code: int, message: str | None = None) -> None:
        heard(event, code, message)
        raise ZeroDivisionError

    client = make_client(callback=callback)
    track(sdk, client, 2)
    wait_for(client.flush())
    client.shutdown()
    assert [event.event_properties["id"] for event, _, _ in heard] == [0, 1]
    assert [record.message[:24] for record in caplog.records] == ["Error callback for event"] * 2


@pytest.mark.parametrize(("level", "expected"), [("NONE", []), ("DEBUG", ["DEBUG"]), ("INFO", ["INFO"])])
def test_events_are_logged_at_their_level(
    sdk: Sdk,
    post: MagicMock,
    make_client: Callable[..., Any],
    level: str,
    expected: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A line for each event that has been sent, with the event and the code in the record."""
    caplog.set_level("DEBUG", logger="amplitude")
    client = make_client(event_log_level=sdk.EventLogLevel[level])
    track(sdk, client, 1)
    wait_for(client.flush())
    client.shutdown()
    lines = [record for record in caplog.records if record.message == "Event sent successfully."]
    assert [record.levelname for record in lines] == expected
    for record in lines:
        assert (record.code, record.event.event_properties) == (200, {"id": 0})  # type: ignore[attr-defined]
