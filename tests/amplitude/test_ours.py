"""What differs on purpose in events, plugins and callbacks: true of ours alone."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from unittest.mock import MagicMock
from uuid import UUID

import pytest

from antinode.amplitude import (
    Amplitude,
    BaseEvent,
    Config,
    DestinationPlugin,
    EventOptions,
    Identify,
    PluginType,
    Revenue,
)
from antinode.amplitude.http_client import HttpClient
from antinode.testing import Endpoint, capture
from tests.amplitude.ours import KEY, Tests, arrived, event, flush


def test_dates_and_decimals_arrive(make: Callable[..., Amplitude], endpoint: Endpoint) -> None:
    """So do UUIDs, sets and tuples, and what stands beside them."""
    client = make()
    client.track(
        event(
            at=datetime(2026, 11, 28, 12, tzinfo=timezone.utc),
            day=date(2026, 11, 28),
            price=Decimal("9.5"),
            id=UUID(int=1),
            tags=("a", "b"),
            list=[None, Decimal(1), date(2026, 1, 1)],
        )
    )
    client.identify(
        Identify().set("since", date(2026, 1, 1)).add("spent", Decimal("2.5")), EventOptions("user-20391")
    )
    flush(client)
    first, second = endpoint.events
    assert first["event_properties"] == {
        "at": "2026-11-28T12:00:00+00:00",
        "day": "2026-11-28",
        "price": 9.5,
        "id": str(UUID(int=1)),
        "tags": ["a", "b"],
        "list": [None, 1, "2026-01-01"],
    }
    assert second["user_properties"] == {"$set": {"since": "2026-01-01"}, "$add": {"spent": 2.5}}


def test_numbers_and_times_of_other_types_arrive(make: Callable[..., Amplitude], endpoint: Endpoint) -> None:
    """An id that is a number, a price that is whole or a Decimal, a time that is a datetime."""
    client = make()
    at = datetime(2026, 11, 28, tzinfo=timezone.utc)
    client.track(BaseEvent("Order Placed", user_id=20391, time=at, price=9, revenue=Decimal("18.5")))
    client.revenue(Revenue(price=9), EventOptions("user-20391"))
    flush(client)
    first, second = endpoint.events
    assert (first["user_id"], first["price"], first["revenue"]) == ("20391", 9, 18.5)
    assert first["time"] == at.timestamp() * 1000
    assert second["event_properties"]["$price"] == 9


def test_many_properties_arrive(make: Callable[..., Amplitude], endpoint: Endpoint) -> None:
    """More than 1024 of them are not thrown away."""
    client = make()
    client.track(event(**{f"key{number}": number for number in range(1500)}))
    flush(client)
    assert len(arrived(endpoint)[0]) == 1500


def test_what_was_tracked_is_not_changed(make: Callable[..., Amplitude], endpoint: Endpoint) -> None:
    """Properties stay as they are, and may be changed after the call: what was tracked is sent."""
    client = make(flush_interval_millis=60_000)
    properties = {"lyrics": "la " * 1000, "none": None, "list": [1]}
    tracked = event(**properties)
    client.track(tracked)
    assert tracked.event_properties == properties
    tracked.event_properties["list"].append(2)
    flush(client)
    assert arrived(endpoint)[0]["list"] == [1]
    assert tracked.event_properties["lyrics"] == "la " * 1000


def test_properties_that_are_refused_are_told(caplog: pytest.LogCaptureFixture) -> None:
    """The line says which value it is, and shows no other."""
    event(a=1, deep={"bad": object()})
    Identify().set("bad", object())
    assert caplog.messages == [
        "Event property event_properties was left out: in 'deep', the value of 'bad' is of the type object.",
        "Identify left $set of a property out: the value of 'bad' is of the type object.",
    ]


def test_a_method_as_a_callback_is_called_on_its_object(
    make: Callable[..., Amplitude], endpoint: Endpoint
) -> None:
    """And not on a copy of it."""

    class Screen:
        def __init__(self) -> None:
            self.lock = threading.Lock()
            self.shown: list[int] = []

        def show(self, event: BaseEvent, code: int, message: str | None = None) -> None:
            self.shown.append(code)

    client, screen = make(), Screen()
    client.add(DestinationPlugin())
    client.track(BaseEvent("Song Played", "user-20391", callback=screen.show))
    flush(client)
    assert screen.shown == [200]


def test_a_plugin_may_track(make: Callable[..., Amplitude], endpoint: Endpoint) -> None:
    """What it tracks goes through the plugins as well."""
    client = make()

    def track_another(given: BaseEvent) -> BaseEvent:
        if given.event_properties == {"n": 1}:
            client.track(event(n=2))
        return given

    client.add(Tests(track_another))
    client.track(event(n=1))
    flush(client)
    assert arrived(endpoint) == [{"n": 2}, {"n": 1}]


def test_strict_plugins_keep_back_what_they_break_on(
    make: Callable[..., Amplitude], endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    """The callback hears of it, no destination gets it, and the next event is unaffected."""
    heard: list[tuple[Any, int]] = []
    client = make(strict_plugins=True, callback=lambda each, code, message: heard.append((each, code)))

    def redact(given: BaseEvent) -> BaseEvent:
        del given.event_properties["email"]  # type: ignore[union-attr]  # it has some
        return given

    client.add(Tests(redact))
    bad = event(card="4242")
    client.track(bad)
    assert heard == [(bad, -1)]
    client.track(event(email="a@example.com"))
    flush(client)
    assert arrived(endpoint) == [{}]
    assert [code for _, code in heard] == [-1, 200]
    assert "4242" not in caplog.text


def test_the_log_holds_no_properties(
    make: Callable[..., Amplitude], caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever breaks: a plugin, a destination, a callback, the event itself."""

    def broken(*given: Any) -> None:
        raise ZeroDivisionError

    caplog.set_level(logging.DEBUG)
    client = make(callback=broken)
    client.add(Tests(broken)).add(Tests(broken, PluginType.DESTINATION))
    client.track(event(secret="hunter2"))
    client.track(BaseEvent("", "user-20391", event_properties={"secret": "hunter2"}))
    flush(client)
    client.shutdown()
    assert {record.name for record in caplog.records} >= {"amplitude"}
    assert "hunter2" not in caplog.text
    assert KEY not in repr(client.configuration)


def test_fast_leaves_the_object_as_it_is(make: Callable[..., Amplitude], endpoint: Endpoint) -> None:
    """The event is completed on its way, and callbacks and destinations get the very object."""
    heard: list[Any] = []
    taken: list[Any] = []
    client = make(fast=True, callback=lambda each, code, message: heard.append(each))
    client.add(Tests(taken.append, PluginType.DESTINATION))
    tracked = event(n=1)
    client.track(tracked)
    flush(client)
    (received,) = endpoint.events
    assert (tracked.time, tracked.insert_id, tracked.library) == (None, None, None)
    assert received.keys() >= {"time", "insert_id", "library"}
    assert heard == taken == [tracked]


def test_anything_with_a_body_can_be_tracked(make: Callable[..., Amplitude], endpoint: Endpoint) -> None:
    """As an event of another SDK, or of one's own."""

    class Own:
        def get_event_body(self) -> dict[str, Any]:
            return {"event_type": "Song Played", "user_id": "user-20391"}

    client = make()
    client.track(Own())  # type: ignore[arg-type]  # it has what is needed
    flush(client)
    (received,) = endpoint.events
    assert received.keys() >= {"time", "insert_id", "library"}


def test_invalid_events_are_told(make: Callable[..., Amplitude], endpoint: Endpoint) -> None:
    """By the callback, with the code that the server would have answered, at the same time as the log."""
    heard: list[int] = []
    client = make(callback=lambda each, code, message: heard.append(code))
    client.track(BaseEvent("Song Played"))
    client.track(BaseEvent("Song Played", user_id="null"))
    flush(client)
    assert heard == [400, 400]
    assert endpoint.requests == []


def test_keys_are_sent_as_given(endpoint: Endpoint) -> None:
    """Which one is right, the server knows; white space around it is no part of it."""
    bodies: list[dict[str, Any]] = []
    endpoint.answer = lambda arrival: bodies.append(json.loads(arrival.body))
    for key in ("test api key", f" {KEY}\n", "nøkkel"):
        client = Amplitude(key, Config(server_url=endpoint.url))
        client.track(event())
        flush(client)
        client.shutdown()
    assert [body["api_key"] for body in bodies] == ["test api key", KEY, "nøkkel"]


def test_durations_arrive(make: Callable[..., Amplitude], endpoint: Endpoint) -> None:
    """As seconds."""
    client = make()
    client.track(event(took=timedelta(minutes=2)))
    flush(client)
    assert arrived(endpoint) == [{"took": 120}]


def test_a_test_kit_takes_what_is_tracked(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a capture nothing is sent; a replaced `post` gets the events all the same, also later on."""
    post = MagicMock()
    client = Amplitude(KEY)
    with capture() as taken:
        client.track(event(n=1))
        assert [each["event_properties"] for each in taken] == [{"n": 1}]
    with monkeypatch.context() as replaced:
        replaced.setattr(HttpClient, "post", post)
        client.track(event(n=2))
        flush(client)
        assert [
            json.loads(call.args[1])["events"][0]["event_properties"] for call in post.call_args_list
        ] == [{"n": 2}]
    with capture() as taken:
        client.track(event(n=3))
        client.shutdown()
        assert len(taken) == 1
    assert post.call_count == 1
