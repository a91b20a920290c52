"""What differs on purpose, and what `Config` has besides: true of ours alone."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock
from uuid import UUID

import pytest

from antinode import ConfigurationError
from antinode.amplitude import (
    Amplitude,
    BaseEvent,
    Config,
    DestinationPlugin,
    EventOptions,
    EventPlugin,
    Identify,
    PluginType,
    Revenue,
)
from antinode.amplitude.http_client import HttpClient, HttpStatus
from antinode.amplitude.storage import InMemoryStorage, InMemoryStorageProvider, StorageProvider
from antinode.testing import Answer, Endpoint, capture, faults

KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def make(endpoint: Endpoint) -> Iterator[Callable[..., Amplitude]]:
    """Makes clients that send to the endpoint, and end with the test."""
    made: list[Amplitude] = []

    def make_one(**configuration: Any) -> Amplitude:
        configuration.setdefault("server_url", endpoint.url)
        client = Amplitude(KEY, Config(**configuration))
        made.append(client)
        return client

    yield make_one
    for client in made:
        client.shutdown()


def event(**properties: Any) -> BaseEvent:
    return BaseEvent("Song Played", "user-20391", event_properties=properties)


def flush(client: Amplitude) -> None:
    done, pending = wait([future for future in client.flush() if future is not None], timeout=10)
    assert done
    assert not pending


def arrived(endpoint: Endpoint) -> list[dict[str, Any]]:
    return [each["event_properties"] for each in endpoint.events]


class Tests(EventPlugin):
    """Hands each event to a function."""

    __test__ = False

    def __init__(self, does: Callable[[BaseEvent], Any], kind: PluginType = PluginType.BEFORE) -> None:
        super().__init__(kind)
        self.does = does

    def execute(self, event: BaseEvent) -> Any:
        return self.does(event)


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


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(500), (500, "")),
        (faults.hang(), (408, "")),
        (faults.drop_after(), (-1, "")),
        (faults.invalid(lambda each: True), (400, "")),
    ],
    ids=["failing", "silent", "cutting", "refusing"],
)
def test_outcomes_have_codes(
    make: Callable[..., Amplitude], endpoint: Endpoint, answer: Any, expected: tuple[int, str]
) -> None:
    """Those of the other SDK: the server's, 408 for a timeout, -1 where nobody answered."""
    heard: list[tuple[int, int]] = []
    endpoint.answer = answer
    client = make(
        flush_max_retries=1,
        callback=lambda each, code, message: heard.append((code, each.retry)),
        antinode_options={"request_timeout_millis": 300},
    )
    client.track(event())
    flush(client)
    assert heard == [(expected[0], 0)]


@pytest.mark.parametrize("limit", [1, 2, 4])
def test_retries_are_limited_where_it_is_asked_for(
    make: Callable[..., Amplitude], endpoint: Endpoint, limit: int
) -> None:
    """So many requests are made for an event; by default there is no limit."""
    heard: list[tuple[int, int]] = []
    endpoint.answer = Answer(500)
    client = make(
        flush_max_retries=limit, callback=lambda each, code, message: heard.append((code, each.retry))
    )
    client.track(event())
    flush(client)
    assert heard == [(500, limit - 1)]
    assert len(endpoint.requests) == limit
    assert "retry_timeouts" not in Config().delivery_options()


def test_stored_events_outlive_a_client(
    make: Callable[..., Amplitude], endpoint: Endpoint, tmp_path: Path
) -> None:
    """With `storage`, what a process could not send, the next one does."""
    spool, options = tmp_path / "spool", {"shutdown_timeout": 0}
    endpoint.answer = Answer(500)
    first = make(storage=spool, antinode_options=options)
    first.track(event(n=1))
    first.shutdown()
    endpoint.answer = None
    second = make(storage=spool, flush_interval_millis=1)
    second.track(event(n=2))
    endpoint.wait_for(2)
    assert sorted(each["n"] for each in arrived(endpoint)) == [1, 2]


def test_dead_letters_keep_what_was_refused(
    make: Callable[..., Amplitude], endpoint: Endpoint, tmp_path: Path
) -> None:
    """With the reason, as lines of JSON."""
    letters = tmp_path / "dead.jsonl"
    endpoint.answer = faults.invalid(lambda each: True)
    client = make(dead_letters=letters)
    client.track(event(n=1))
    flush(client)
    client.shutdown()
    (line,) = letters.read_text("utf-8").splitlines()
    assert json.loads(line)["event"]["event_properties"] == {"n": 1}


def test_bodies_are_compressed_where_it_is_asked_for(
    make: Callable[..., Amplitude], endpoint: Endpoint
) -> None:
    """`compress` is the client's option."""
    client = make(compress=True)
    client.track(event(text="la " * 300, more=["la " * 300] * 3))
    flush(client)
    (request,) = endpoint.requests
    assert request.headers["content-encoding"] == "gzip"


def test_a_storage_of_ones_own_is_refused() -> None:
    """At once, with a sentence that says what there is instead; the default one is a name and no more."""

    class Own(StorageProvider):
        def get_storage(self) -> InMemoryStorage:
            return InMemoryStorage()

    class Derived(InMemoryStorageProvider):
        """Might do anything."""

    for provider in (Own(), Derived()):
        with pytest.raises(ConfigurationError, match=r"Config\(storage=DIRECTORY\)"):
            Config(storage_provider=provider)
    with pytest.raises(ConfigurationError, match="dead_letters"):
        Config().storage_provider = Own()
    storage = Config(storage_provider=InMemoryStorageProvider()).get_storage()
    for use in (lambda: storage.push(event()), lambda: storage.pull(1), storage.pull_all):
        with pytest.raises(RuntimeError):
            use()


def test_a_changed_configuration_holds_from_the_next_event_on(
    make: Callable[..., Amplitude], endpoint: Endpoint
) -> None:
    """What was tracked before is sent as it was configured then, and first."""
    with Endpoint() as other:
        client = make(flush_interval_millis=60_000)
        client.track(event(n=1))
        client.configuration.server_url = other.url
        client.track(event(n=2))
        flush(client)
        client.configuration.min_id_length = 1
        client.track(BaseEvent("Song Played", "u", event_properties={"n": 3}))
        flush(client)
        assert (arrived(endpoint), arrived(other)) == ([{"n": 1}], [{"n": 2}, {"n": 3}])


@pytest.mark.parametrize("answer", [Answer(500), faults.invalid_api_key()], ids=["outage", "wrong key"])
def test_what_could_not_be_sent_follows_the_configuration(
    make: Callable[..., Amplitude], endpoint: Endpoint, answer: Any
) -> None:
    """Events of before a change go, in order and first, where the later ones go; each is told once."""
    endpoint.answer = answer
    heard: list[int] = []
    with Endpoint() as other:
        client = make(antinode_options={"shutdown_timeout": 0.2})
        client.track(event(n=1))
        client.track(event(n=2))
        client.flush()
        client.configuration.server_url = other.url
        client.configuration.callback = lambda each, code, message: heard.append(code)
        client.track(event(n=3))
        flush(client)
        assert arrived(other) == [{"n": 1}, {"n": 2}, {"n": 3}]
        assert heard == [200]


def test_who_waits_for_an_event_hears_of_it_where_it_went(
    make: Callable[..., Amplitude], endpoint: Endpoint
) -> None:
    """A callback of before a change of the configuration is called once, when the event has arrived."""
    endpoint.answer = Answer(500)
    heard: list[tuple[Any, int]] = []
    with Endpoint() as other:
        client = make(
            antinode_options={"shutdown_timeout": 0.2},
            callback=lambda each, code, message: heard.append((each.event_properties["n"], code)),
        )
        client.track(event(n=1))
        client.flush()
        client.configuration.server_url = other.url
        client.track(event(n=2))
        flush(client)
        assert heard == [(1, 200), (2, 200)]


@pytest.mark.parametrize(
    ("key", "configuration"),
    [(None, {}), ("", {}), (KEY, {"server_url": "nonsense"}), (KEY, {"antinode_options": {"overflow": "x"}})],
)
def test_a_wrong_configuration_is_told_and_raises_nothing(
    key: Any, configuration: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """The log says what is wrong once, each event's callback hears of it, and mending it helps."""
    heard: list[int] = []
    with Endpoint() as endpoint:
        config = Config(callback=lambda each, code, message: heard.append(code), **configuration)
        client = Amplitude(key, config)
        client.track(event(n=1))
        client.track(event(n=2))
        assert heard == [-1, -1]
        assert [record.message[:22] for record in caplog.records] == ["Events cannot be sent:"]
        config.api_key, config.server_url, config.antinode_options = KEY, endpoint.url, {}
        client.track(event(n=3))
        flush(client)
        client.shutdown()
        assert arrived(endpoint) == [{"n": 3}]


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


def test_a_client_that_was_shut_down_begins_anew(make: Callable[..., Amplitude], endpoint: Endpoint) -> None:
    """Once it is opted in again."""
    client = make()
    client.track(event(n=1))
    client.shutdown()
    client.track(event(n=2))
    client.configuration.opt_out = False
    client.track(event(n=3))
    flush(client)
    assert arrived(endpoint) == [{"n": 1}, {"n": 3}]


def test_a_flush_returns_futures_at_once(make: Callable[..., Amplitude], endpoint: Endpoint) -> None:
    """They are done when everything has ended, delivered or not, and at once where there is nothing."""
    release = threading.Event()

    def answer(arrival: Any) -> None:
        assert release.wait(10)

    endpoint.answer = answer
    client = make()
    (before,) = client.flush()
    assert isinstance(before, Future)
    assert before.result(10) is None
    client.track(event())
    (future,) = client.flush()
    assert future is not None
    assert not future.done()
    called: list[Future[None]] = []
    future.add_done_callback(called.append)
    release.set()
    assert future.result(10) is None
    assert called == [future]


def test_a_flush_in_a_callback_waits_for_nothing(make: Callable[..., Amplitude], endpoint: Endpoint) -> None:
    """It may be called wherever the application is called back."""
    futures: list[Future[None] | None] = []
    client = make(flush_interval_millis=60_000)
    client.configuration.callback = lambda each, code, message: futures.extend(client.flush())
    client.track(event())
    flush(client)
    (future,) = futures
    assert future is not None
    assert future.result(10) is None


def test_a_flush_ends_while_nothing_gets_through(make: Callable[..., Amplitude], endpoint: Endpoint) -> None:
    """After the patience of a flush, with the events kept."""
    endpoint.answer = Answer(500)
    client = make(antinode_options={"flush_patience": 0.1, "shutdown_timeout": 0})
    client.track(event())
    flush(client)
    endpoint.answer = None
    flush(client)


def test_a_single_request_can_be_posted(endpoint: Endpoint) -> None:
    """`HttpClient.post` works for whoever calls it."""
    payload = json.dumps({"api_key": KEY, "events": [event(n=1).get_event_body()]}).encode()
    taken = HttpClient.post(endpoint.url, payload, {"Content-Type": "application/json", "X-Test": "1"})
    assert (taken.status, taken.code) == (HttpStatus.SUCCESS, 200)
    endpoint.answer = faults.invalid(lambda each: True)
    refused = HttpClient.post(endpoint.url, payload)
    assert (refused.status, refused.code, bool(refused.error)) == (HttpStatus.INVALID_REQUEST, 400, True)
    assert refused.invalid_or_silenced_index() == {0}
    endpoint.answer = faults.drop_before()
    assert HttpClient.post(endpoint.url, payload).status is HttpStatus.UNKNOWN


def run(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_installing_takes_the_place_of_the_other(endpoint: Endpoint) -> None:
    """Libraries that import `amplitude` and its modules get ours, and what they track arrives at exit."""
    said = run(
        f"""
import antinode.amplitude
antinode.amplitude.install()
antinode.amplitude.install()
import amplitude, amplitude.client
from amplitude import Amplitude, Config, BaseEvent
from amplitude.plugin import EventPlugin
from amplitude.constants import LOGGER_NAME
import antinode
assert amplitude is antinode.amplitude and amplitude.client.Amplitude is Amplitude
client = Amplitude({KEY!r}, Config(server_url={endpoint.url!r}))
client.track(BaseEvent("Song Played", "user-20391"))
print(Amplitude.__module__)
"""
    )
    assert said == "antinode.amplitude.client\n"
    assert [each["event_type"] for each in endpoint.events] == ["Song Played"]


def test_installing_too_late_is_an_error() -> None:
    """Who has imported the other one would go on with it."""
    run(
        """
import amplitude, antinode.amplitude
try:
    antinode.amplitude.install()
except ImportError as error:
    assert "install() first" in str(error), error
else:
    raise SystemExit("no error")
"""
    )


def test_destinations_end_at_exit() -> None:
    """A destination of one's own is shut down while threads can still be started."""
    said = run(
        f"""
from concurrent.futures import ThreadPoolExecutor
from antinode.amplitude import Amplitude, BaseEvent, DestinationPlugin
class Own(DestinationPlugin):
    def shutdown(self):
        print(ThreadPoolExecutor().submit(lambda: "sent").result())
Amplitude({KEY!r}).add(Own())
"""
    )
    assert said == "sent\n"


def test_antinode_does_not_load_it() -> None:
    """Who does not use it does not pay for it."""
    run(
        "import sys, antinode; antinode.init\n"
        "assert not [each for each in sys.modules if 'amplitude' in each]"
    )


def test_events_of_one_user_stay_in_order(make: Callable[..., Amplitude], endpoint: Endpoint) -> None:
    """Also where requests fail in between."""
    endpoint.script([None, Answer(500), None, Answer(500)])
    client = make(flush_queue_size=1)
    for number in range(200):
        client.track(event(n=number))
    flush(client)
    assert [each["n"] for each in arrived(endpoint)] == list(range(200))


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
