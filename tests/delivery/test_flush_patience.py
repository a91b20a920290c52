"""How long `flush()` without a timeout waits: while it makes sense."""

from __future__ import annotations

import asyncio
import logging
import math
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antinode import Client, HttpResponse, Request, TransportError
from antinode._delivery.core.patience import Failing
from tests.delivery.rawserver import RawServer, answering, silent
from tests.memory import KEY, SONG

TIMES = st.floats(0, 1e6)


def nobody() -> str:
    """The URL of a port at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


@contextmanager
def connected(**options: Any) -> Iterator[Client]:
    """A client with these options, shut down at the end."""
    client = Client().init(KEY, **options)
    try:
        yield client
    finally:
        client.shutdown()


def test_an_outage_ends_the_wait(caplog: pytest.LogCaptureFixture) -> None:
    """Where nobody answers, it returns with what is pending, which is not given up, and says so once."""
    with connected(server_url=nobody(), flush_patience=0.2, shutdown_timeout=0) as client:
        delivery = client.log_event(SONG)
        assert client.flush().pending == 1
        assert not delivery.done()
        assert client.stats().dropped == {}
    (line,) = [each for each in caplog.records if "stopped waiting" in each.getMessage()]
    assert line.levelno == logging.WARNING
    assert "1 event, still pending" in line.getMessage()
    assert "refused" in line.getMessage()


def test_a_server_that_hangs_ends_the_wait() -> None:
    """A request that gets no answer within its time is a failure as any other."""
    with (
        RawServer(silent) as server,
        connected(
            server_url=server.url, request_timeout_millis=200, flush_patience=0.1, shutdown_timeout=0
        ) as client,
    ):
        client.log_event(SONG)
        assert client.flush().pending == 1


async def test_aflush_has_the_same_patience() -> None:
    """It returns to its event loop, too."""
    client = Client().init(KEY, server_url=nobody(), flush_patience=0.1, shutdown_timeout=0)
    client.log_event(SONG)
    assert (await asyncio.wait_for(client.aflush(), 60)).pending == 1
    client.shutdown(0)


class Failing503:
    """A transport that fails a number of times, naming a time to wait if it has one, and then delivers."""

    def __init__(self, failures: int, retry_after: str | None = None) -> None:
        self.failures = failures
        self.retry_after = retry_after
        self.sent = threading.Semaphore(0)

    def send(self, request: Request) -> HttpResponse:
        self.sent.release()
        if self.failures > 0:
            self.failures -= 1
            if self.retry_after is not None:
                return HttpResponse(503, {"retry-after": self.retry_after})
            raise TransportError("nobody is there")
        return HttpResponse(200, body=b'{"code":200}')

    def close(self) -> None:
        """Nothing is open."""


def test_a_time_that_the_server_named_is_waited_for() -> None:
    """503 with Retry-After is no reason to stop before that time, and then the events go."""
    with connected(transport=Failing503(1, "1"), flush_patience=0.9) as client:
        client.log_event(SONG)
        assert client.flush().delivered == 1


def test_infinity_is_literal() -> None:
    """With `math.inf` it waits out what it would not wait for by itself."""
    with connected(transport=Failing503(2), flush_patience=0) as client:
        client.log_event(SONG)
        assert client.flush(math.inf).delivered == 1


def test_a_second_flush_sees_an_attempt_of_its_own() -> None:
    """In an outage that is older than the patience, a flush still waits for one more attempt."""
    transport = Failing503(1_000_000)
    with connected(transport=transport, flush_patience=0, shutdown_timeout=0) as client:
        client.log_event(SONG)
        assert client.flush().pending == 1
        while transport.sent.acquire(blocking=False):
            pass
        assert client.flush().pending == 1
        assert transport.sent.acquire(blocking=False)


def test_progress_is_waited_for() -> None:
    """A server that answers is waited for, however long all of it takes."""
    with (
        RawServer(answering()) as server,
        connected(server_url=server.url, flush_patience=0) as client,
    ):
        for _ in range(5000):
            client.log_event(SONG)
        assert client.flush().delivered == 5000


@given(since=TIMES, last=TIMES, waiting=TIMES, patience=TIMES, named=TIMES)
def test_the_end_of_a_wait(since: float, last: float, waiting: float, patience: float, named: float) -> None:
    """Nobody gives up before an attempt of theirs has failed, nor before the patience is over."""
    ends = Failing(since, last).ends_wait(waiting, patience=patience, named=named)
    assert ends in (None, since + patience)
    if last < waiting:
        assert ends is None
    elif last >= max(named, since + patience):
        assert ends is not None


def test_failures_in_a_row_are_one_outage() -> None:
    """It is as old as the first upload that failed."""
    failing = Failing.after(None, started=1.0, now=3.0)
    assert Failing.after(failing, started=3.0, now=8.0) == Failing(since=1.0, last=8.0)
