"""`log_event` called from wherever Python runs code uninvited: nothing deadlocks, nothing is lost."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

from antinode import Client, Delivery, MiddlewareNext, MiddlewarePayload
from antinode.testing import Endpoint, faults
from tests.lifecycle.driver import run, sequence

MakeClient = Callable[..., Client]


def tick(user: str, seq: int = 0) -> Any:
    return {"event_type": "Tick", "user_id": user, "event_properties": {"seq": seq}}


def test_destructors_that_log(endpoint: Endpoint) -> None:
    """The collector runs destructors in the middle of antinode's own work, on any of its threads."""
    ended = run(
        """
        import antinode, gc, itertools, threading
        client = antinode.init(KEY, server_url=URL, on_outcome=lambda delivery: Loop())
        died = itertools.count()
        lock = threading.Lock()
        logged = [0]

        class Loop:
            def __init__(self):
                self.me = self
            def __del__(self):
                if logged[0] < 3000:
                    logged[0] += 1
                    client.log_event(event(next(died), "destructor"))

        gc.set_threshold(1)
        for seq in range(1000):
            Loop()
            client.log_event(event(seq))
            if seq % 100 == 0:
                client.stats()
                client.flush(0.01)
        gc.collect()
        gc.set_threshold(700)
        while True:
            client.flush(120)
            total, stats = 1000 + logged[0], client.stats()
            # Each outcome makes one that logs when it dies.
            if stats.pending == 0 and stats.accepted == total:
                break
        say(stats.balanced, stats.pending, stats.delivered == total, logged[0] >= 1000)
        """,
        endpoint.url,
    )
    assert ended.lines == ["True 0 True True"], ended
    assert sequence(endpoint.events) == list(range(1000))


@pytest.mark.parametrize(
    ("name", "timer"), [("SIGALRM", "ITIMER_REAL"), ("SIGPROF", "ITIMER_PROF")], ids=["SIGALRM", "SIGPROF"]
)
def test_signal_handlers_that_log(endpoint: Endpoint, name: str, timer: str) -> None:
    """A handler interrupts the main thread while it logs, flushes and reads the books, time and again."""
    ended = run(
        f"""
        import antinode, signal
        client = antinode.init(KEY, server_url=URL, max_queue_events=100_000)
        interrupts = [0]
        def handle(*_):
            interrupts[0] += 1
            client.log_event(event(interrupts[0], "handler"))
        signal.signal(signal.{name}, handle)
        signal.setitimer(signal.{timer}, 0.001, 0.001)
        seq = 0
        while interrupts[0] < 150:
            client.log_event(event(seq))
            seq += 1
            if seq % 500 == 0:
                assert client.stats().accepted >= seq
                client.flush(0.005 if client.stats().pending < 50_000 else 20)
        signal.setitimer(signal.{timer}, 0)
        say(client.flush(120).complete, client.stats().balanced,
            client.stats().delivered == seq + interrupts[0], seq, interrupts[0])
        """,
        endpoint.url,
    )
    assert ended.status == 0, ended
    *truths, seq, interrupts = ended.output.split()
    assert truths == ["True"] * 3, ended
    assert sequence(endpoint.events) == list(range(int(seq)))
    assert len(sequence(endpoint.events, "handler")) == int(interrupts)


@pytest.mark.parametrize("call", ["flush()", "flush(0.01)", "stats().balanced or 1 / 0", "shutdown(5)"])
def test_signal_handlers_that_wait(endpoint: Endpoint, call: str) -> None:
    """They return, also when they interrupt antinode holding a lock; what they could not do is done later."""
    ended = run(
        f"""
        import antinode, logging, signal
        logging.getLogger("antinode").addHandler(logging.NullHandler())
        client = antinode.init(KEY, server_url=URL)
        interrupts = [0]
        def handle(*_):
            signal.setitimer(signal.ITIMER_REAL, 0)
            client.{call}
            interrupts[0] += 1
            signal.setitimer(signal.ITIMER_REAL, 0.0005)
        signal.signal(signal.SIGALRM, handle)
        signal.setitimer(signal.ITIMER_REAL, 0.002)
        seq = 0
        while interrupts[0] < 150:
            client.log_event(event(seq))
            seq += 1
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        say(client.flush(120).pending, client.stats().balanced, client.stats().accepted == seq)
        """,
        endpoint.url,
    )
    assert (ended.status, ended.lines) == (0, ["0 True True"]), ended


def test_middleware_that_logs(make_client: MakeClient, endpoint: Endpoint) -> None:
    """The event it logs goes the same way, and is not held up by the one that caused it."""
    client = make_client()

    def echo(payload: MiddlewarePayload, next: MiddlewareNext) -> None:
        if payload.event["event_type"] == "Tick":
            client.log_event({"event_type": "Echo", "user_id": "user-1"})
        next(payload)

    client.add_event_middleware(echo)
    for seq in range(100):
        client.log_event(tick("user-1", seq))
    assert client.flush(120).delivered == 200
    assert [each["event_type"] for each in endpoint.events] == ["Echo", "Tick"] * 100


@pytest.mark.parametrize("is_refused", [False, True], ids=["delivered", "refused"])
def test_on_outcome_that_logs(make_client: MakeClient, is_refused: bool) -> None:
    """Each event it logs is delivered, or refused, and told of in its turn."""
    generations = itertools.count()
    last = threading.Event()

    def log_again(_: Delivery) -> None:
        if next(generations) < 50:
            client.log_event({"event_type": "" if is_refused else "Tick", "user_id": "user-1"})
        else:
            last.set()

    client = make_client(on_outcome=log_again)
    client.log_event(tick("user-1"))
    assert last.wait(120)
    stats = client.stats()
    assert stats.balanced
    assert (stats.delivered, sum(stats.rejected.values())) == ((1, 50) if is_refused else (51, 0))


def test_callback_of_a_handle_that_logs_and_asks(make_client: MakeClient) -> None:
    """It may log, ask for results that are there, add callbacks and read the books."""
    client = make_client()
    inner: list[Delivery] = []
    heard = threading.Event()

    def ask(delivery: Delivery) -> None:
        assert delivery.result().ok
        assert client.stats().balanced
        inner.append(client.log_event(tick("user-1", 1)))
        delivery.add_done_callback(lambda _: heard.set())

    client.log_event(tick("user-1")).add_done_callback(ask)
    assert heard.wait(120)
    assert inner[0].result(120).ok


def test_logging_handler_that_logs_events(make_client: MakeClient, endpoint: Endpoint) -> None:
    """A handler that turns each of antinode's own log lines into an event ends in no loop and no deadlock."""
    endpoint.answer = faults.times(3, faults.Answer(500))
    client = make_client()

    class Echo(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            client.log_event({"event_type": "Log Line", "user_id": "user-1"})
            client.log_event({"event_type": ""})

    logger = logging.getLogger("antinode")
    handler = Echo()
    # With `debug` each upload has a line of its own, which would be an event of the next.
    level = logger.level
    logger.setLevel(logging.WARNING)
    logger.addHandler(handler)
    try:
        client.log_event({"event_type": ""})
        client.log_event(tick("user-1"))
        assert client.flush(120).complete
        while not client.flush(120).complete or client.stats().pending:
            pass
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    assert client.stats().balanced
    assert {each["event_type"] for each in endpoint.events} == {"Tick", "Log Line"}


def test_logging_handler_that_raises(make_client: MakeClient) -> None:
    """It costs its own line, not the events and not the thread."""
    client = make_client()

    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise OSError("the log is full")

    logger = logging.getLogger("antinode")
    handler = Broken()
    logger.addHandler(handler)
    try:
        client.log_event({"event_type": ""})
        assert client.flush(120).rejected == 1
        assert client.log_event(tick("user-1")).result(120).ok
    finally:
        logger.removeHandler(handler)


def test_flush_in_a_callback_returns(make_client: MakeClient, caplog: pytest.LogCaptureFixture) -> None:
    """It would wait for its own thread, so it does not wait, and says so; the events go on."""
    reports = []
    client = make_client(on_outcome=lambda _: reports.append(client.flush()))
    client.log_event(tick("user-1"))
    assert client.flush(120).complete
    assert client.flush(120).complete
    assert len(reports) == 1
    assert "flush() was called where it cannot wait" in caplog.text


def test_shutdown_in_a_callback_ends_the_client_later(make_client: MakeClient, endpoint: Endpoint) -> None:
    """What was queued is still delivered, new events are refused, and the threads end."""
    client = make_client()
    many = [client.log_event(tick(f"user-{i}")) for i in range(100)]
    client.log_event(tick("user-x")).add_done_callback(lambda _: client.shutdown(10))
    more = [client.log_event(tick("user-x", seq)) for seq in range(1, 100)]
    assert all(each.result(120).ok for each in many)
    ended = [each.result(120).reason for each in more]
    assert set(ended) <= {"delivered", "shutdown"}
    while any(each.name.startswith("antinode-lifecycle") for each in threading.enumerate()):
        threading.Event().wait(0.001)
    assert client.stats().balanced
    assert client.stats().pending == 0
    assert client.log_event(tick("user-1")).result(0).reason == "shutdown"


@pytest.mark.parametrize("error", [ValueError, SystemExit, GeneratorExit, "CancelledError"])
def test_callbacks_that_raise_cost_nobody_else(
    make_client: MakeClient, caplog: pytest.LogCaptureFixture, error: Any
) -> None:
    """Whatever kind of exception: every other callback runs, and the sender goes on."""
    import asyncio

    kind = asyncio.CancelledError if error == "CancelledError" else error

    def broken(*_: object) -> None:
        raise kind

    # Nothing settles before the flush, so that every callback runs on the sender's thread.
    client = make_client(on_outcome=broken, upload_interval_in_sec=60)
    heard: list[Delivery] = []
    for seq in range(10):
        handle = client.log_event(tick("user-1", seq))
        handle.add_done_callback(broken)
        handle.add_done_callback(heard.append)
    assert client.flush(120).delivered == 10
    assert len(heard) == 10
    assert "on_outcome raised" in caplog.text
    assert "a callback of a delivery raised" in caplog.text
