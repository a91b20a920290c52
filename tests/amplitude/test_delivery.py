"""How events are delivered, stored and given up: true of ours alone."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from antinode import ConfigurationError
from antinode.amplitude import (
    Amplitude,
    Config,
)
from antinode.amplitude.http_client import HttpClient, HttpStatus
from antinode.amplitude.storage import InMemoryStorage, InMemoryStorageProvider, StorageProvider
from antinode.testing import Answer, Endpoint, faults
from tests.amplitude.ours import KEY, arrived, event, flush


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
        # The others answer, however late.
        antinode_options={"request_timeout_millis": 300 if expected[0] == 408 else 60_000},
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
        assert release.wait(120)

    endpoint.answer = answer
    client = make()
    (before,) = client.flush()
    assert isinstance(before, Future)
    assert before.result(120) is None
    client.track(event())
    (future,) = client.flush()
    assert future is not None
    assert not future.done()
    called: list[Future[None]] = []
    future.add_done_callback(called.append)
    release.set()
    assert future.result(120) is None
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
    assert future.result(120) is None


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


def test_events_of_one_user_stay_in_order(make: Callable[..., Amplitude], endpoint: Endpoint) -> None:
    """Also where requests fail in between."""
    endpoint.script([None, Answer(500), None, Answer(500)])
    client = make(flush_queue_size=1)
    for number in range(200):
        client.track(event(n=number))
    flush(client)
    assert [each["n"] for each in arrived(endpoint)] == list(range(200))
