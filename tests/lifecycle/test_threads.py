"""The threads of a client: who they are, what becomes of work when one dies, and that they all end."""

from __future__ import annotations

import ctypes
import gc
import itertools
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from antinode import Client, Delivery, HttpResponse, Request
from antinode._delivery.shell.sender import Sender
from antinode.testing import Arrival, Endpoint, faults
from tests.lifecycle.driver import KEY, run, sequence

MakeClient = Callable[..., Client]
Kill = Callable[[threading.Thread], None]


def tick(user: str = "user-1", seq: int = 0) -> Any:
    return {"event_type": "Tick", "user_id": user, "event_properties": {"seq": seq}}


def threads_of(name: str = "antinode-lifecycle") -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name.startswith(name)]


@pytest.fixture
def kill() -> Iterator[Kill]:
    """Raises SystemExit in a thread, at its next instruction.

    Ask for it before `make_client`: it sees the killed threads end after the clients have ended.
    """
    killed: list[threading.Thread] = []

    def strike(thread: threading.Thread) -> None:
        killed.append(thread)
        assert ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit)
        )

    yield strike
    for each in killed:
        each.join(120)
        assert not each.is_alive()


# Python ignores SystemExit at the end of a thread; pytest does not.
_killing = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


def sender_of(client: Client) -> Sender:
    assert client._sender is not None
    return client._sender


def test_threads_start_with_the_first_event_and_end_with_shutdown(make_client: MakeClient) -> None:
    """They are daemons with telling names; neither `init` nor a flush of nothing starts one."""
    client = make_client()
    client.flush()
    assert threads_of() == []
    client.log_event(tick())
    client.flush(120)
    started = threads_of()
    assert sorted(each.name for each in started) == [
        "antinode-lifecycle-coordinator",
        "antinode-lifecycle-upload-1",
    ]
    assert all(each.daemon for each in started)
    client.shutdown()
    assert threads_of() == []


def test_shutdown_ends_uploads_under_way(make_client: MakeClient, endpoint: Endpoint) -> None:
    """Requests that hang are cancelled, so that their threads end with the client."""
    endpoint.answer = faults.hang()
    client = make_client()
    handles = [client.log_event(tick(f"user-{i}")) for i in range(10)]
    assert client.shutdown(0.1).dropped == 10
    for thread in threads_of():
        thread.join(120)
    assert threads_of() == []
    assert {handle.result(0).reason for handle in handles} == {"shutdown"}


@pytest.mark.skipif(sys.platform == "win32", reason="signals are not held back on this system")
def test_threads_take_no_signal_once_they_were_joined(endpoint: Endpoint) -> None:
    """A signal that the main thread holds back after `shutdown` is taken by no other.

    billiard's workers need that: one that is killed while it holds its pool's lock leaves all others waiting.
    """
    ended = run(
        """
        import os, signal
        import antinode
        for seq in range(200):
            client = antinode.Client("lifecycle").init(KEY, server_url=URL)
            client.log_event(event(seq))
            client.shutdown()
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
            os.kill(os.getpid(), signal.SIGTERM)
            signal.sigwait({signal.SIGTERM})
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        say("lives")
        """,
        endpoint.url,
    )
    assert ended.lines == ["lives"], ended


def test_many_threads_log(make_client: MakeClient, endpoint: Endpoint) -> None:
    """Sixteen threads lose nothing, repeat nothing and keep the order of each user."""
    client = make_client()
    start = threading.Barrier(16)

    def log(number: int) -> None:
        start.wait()
        for seq in range(500):
            client.log_event(tick(f"user-{number:02}", seq))

    threads = [threading.Thread(target=log, args=(number,)) for number in range(16)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert client.flush(120).delivered == 8000
    for number in range(16):
        assert sequence(endpoint.received, f"user-{number:02}") == list(range(500))


def test_a_coordinator_is_rung_once(make_client: MakeClient) -> None:
    """While it has not got to deciding, further events do not ring again: each would pay for it."""
    client = make_client()
    client.log_event(tick()).result(120)
    sender = client._sender
    assert sender is not None
    coordinator = sender._coordinator
    ring, rings = coordinator.ring, []
    coordinator.ring = lambda: rings.append(ring())  # type: ignore[method-assign]
    with sender._locks.deciding:
        handles = [client.log_event(tick(seq=seq)) for seq in range(100)]
        assert len(rings) <= 1
    assert all(handle.result(120).ok for handle in handles)


def test_an_interrupted_ring_is_made_up_for(make_client: MakeClient) -> None:
    """Ctrl-C in the middle of logging does not leave the coordinator asleep for good."""
    client = make_client()
    client.log_event(tick()).result(120)
    sender = client._sender
    assert sender is not None

    bell = sender.wakeup._bell

    class Interrupted:
        acquire = bell.acquire

        def release(self) -> None:
            raise KeyboardInterrupt

    sender.wakeup._bell = Interrupted()  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        sender._ring()
    sender.wakeup._bell = bell
    assert client.log_event(tick(seq=1)).result(120).ok


def test_what_came_during_a_request_is_sent_without_the_coordinator(make_client: MakeClient) -> None:
    """By the thread that got the answer: changes of threads are slow beside a busy application."""
    is_over = threading.Event()
    requests = itertools.count(1)

    class Chain(Scripted):
        def send(self, request: Request) -> HttpResponse:
            sender_of(client)._coordinator.ring = lambda: None  # type: ignore[method-assign]
            if (number := next(requests)) < 50:
                client.log_event(tick(seq=number))
            else:
                is_over.set()
            return super().send(request)

    # Each event is worth a request, so that none waits for company.
    client = make_client(transport=Chain(), max_cached_events=1)
    client.log_event(tick(seq=0))
    assert is_over.wait(120)
    del sender_of(client)._coordinator.ring
    client.flush(120)
    assert client.stats().delivered == 50


def test_an_answer_that_comes_with_the_end_leaves_latecomers_their_ring(make_client: MakeClient) -> None:
    """After the end each record has to ring, or nobody would settle it; even at the end of an outage."""
    client = make_client(transport=Scripted(*[raises(OSError("down"))] * 100))
    sender = sender_of(client)
    client.log_event(tick())
    while client.stats().stalled is None:
        pass
    client.shutdown(0)
    # An uploader that found the client open, and is here when it has been closed.
    assert sender._coordinator._start_next() == (None, False)
    assert sender.wakeup.threshold == 1


@_killing
def test_killed_coordinator_is_replaced(kill: Kill, make_client: MakeClient) -> None:
    """Nobody has to log or flush for it: what waits for an event goes on waiting, and gets its answer."""
    client = make_client()
    for seq in range(20):
        client.log_event(tick(seq=seq)).result(120)
        coordinator = next(each for each in threads_of() if each.name.endswith("coordinator"))
        kill(coordinator)
        handle = client.log_event(tick(seq=seq))
        assert handle.result(120).ok
    assert client.flush(120).complete
    assert client.stats().balanced


@_killing
def test_flush_does_not_wait_for_a_dead_coordinator(
    kill: Kill, make_client: MakeClient, endpoint: Endpoint
) -> None:
    """A flush that is under way when the thread dies ends as if nothing had happened."""
    begun, go = threading.Event(), threading.Event()
    endpoint.answer = lambda _: begun.set() or (go.wait(120) and None)
    client = make_client()
    client.log_event(tick())
    assert begun.wait(120)
    reports = []
    waiting = threading.Thread(target=lambda: reports.append(client.flush()))
    waiting.start()
    coordinator = next(each for each in threads_of() if each.name.endswith("coordinator"))
    kill(coordinator)
    go.set()
    waiting.join(120)
    assert [report.delivered for report in reports] == [1]


def endpoint_has_it(client: Client) -> None:
    while not client.stats().in_flight:
        pass


class Scripted:
    """A transport that does what it is told, once for each entry, and answers 200 from then on."""

    def __init__(self, *acts: Callable[[], Any]) -> None:
        self._acts = iter(acts)
        self.threads: list[threading.Thread] = []
        self.closed = 0

    def send(self, request: Request) -> HttpResponse:
        self.threads.append(threading.current_thread())
        act = next(self._acts, None)
        return HttpResponse(200, body=b'{"code": 200}') if act is None else act()

    def close(self) -> None:
        self.closed += 1


def raises(error: BaseException) -> Callable[[], Any]:
    def act() -> None:
        raise error

    return act


class Odd(BaseException):
    """As no transport should raise."""


class Mute(Exception):
    """Cannot even be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    "act",
    [
        *(raises(error) for error in (Odd(), Mute(), SystemExit(), GeneratorExit(), MemoryError())),
        raises(KeyboardInterrupt()),
        lambda: None,
        lambda: "200 OK",
        lambda: HttpResponse("teapot"),  # type: ignore[arg-type]
        lambda: HttpResponse(200, headers=None, body=None),  # type: ignore[arg-type]
        lambda: HttpResponse(0),
    ],
    ids=[
        *("BaseException", "mute", "SystemExit", "GeneratorExit", "MemoryError", "KeyboardInterrupt"),
        *("None", "str", "status that is no number", "no headers", "status 0"),
    ],
)
def test_transport_that_does_odd_things_costs_no_event(
    make_client: MakeClient, act: Callable[[], Any]
) -> None:
    """Whatever it raises or returns counts as no answer, or as a delivered one; the events go on."""
    transport = Scripted(act, act)
    client = make_client(transport=transport)
    client.log_event(tick())
    assert client.flush(120).delivered == 1
    assert client.stats().balanced


def test_uploader_killed_in_a_request_is_noticed(kill: Kill, make_client: MakeClient) -> None:
    """Its request counts as failed and is repeated; the next one finds a thread."""
    begun, go = threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        while not go.is_set():
            pass

    transport = Scripted(hold)
    client = make_client(transport=transport)
    client.log_event(tick())
    assert begun.wait(120)
    kill(transport.threads[0])
    assert client.flush(120).delivered == 1
    go.set()


def hasten(sender: Sender) -> None:
    """Make each look at the coordinator's clock show three seconds more."""
    coordinator = sender._coordinator
    real, more = coordinator._clock, itertools.count(0, 3.0)
    coordinator._clock = lambda: real() + next(more)


@_killing
def test_uploader_killed_while_idle_is_replaced(kill: Kill, make_client: MakeClient) -> None:
    """A request that it was to make is given up in time, and made by another thread."""
    client = make_client(request_timeout_millis=1000)
    sender = sender_of(client)
    assert client.log_event(tick(seq=0)).result(120).ok
    uploader = next(each for each in threads_of() if "upload" in each.name)
    while sender._coordinator.flights.uploaders._unfinished:
        pass
    kill(uploader)
    hasten(sender)
    client.log_event(tick(seq=1))
    assert client.flush(10_000).complete
    assert client.stats().delivered == 2


def test_transport_that_hangs_for_ever_is_given_up(make_client: MakeClient) -> None:
    """Its thread is left behind, and the events are sent by another, after the request's time and a grace."""
    go = threading.Event()
    transport = Scripted(lambda: go.wait(120))
    client = make_client(transport=transport, request_timeout_millis=10, connections=1)
    hasten(sender_of(client))
    client.log_event(tick())
    assert client.flush(10_000).delivered == 1
    assert len({each.name for each in transport.threads}) == 2
    go.set()
    transport.threads[0].join(120)


def test_transport_that_hangs_does_not_keep_shutdown(make_client: MakeClient) -> None:
    """What it has not answered settles as dropped when the time is over."""
    go, sent = threading.Event(), threading.Event()
    transport = Scripted(lambda: sent.set() or go.wait(120))
    client = make_client(transport=transport)
    handle = client.log_event(tick())
    assert sent.wait(120)
    assert client.shutdown(0.05).dropped == 1
    assert handle.result(0).reason == "shutdown"
    go.set()
    transport.threads[0].join(120)
    assert transport.closed


def test_nothing_is_sent_once_its_events_were_dropped(make_client: MakeClient) -> None:
    """An upload whose request is not made when the time of shutdown is over is not made at all."""
    asked, go, uploaders = threading.Event(), threading.Event(), set[threading.Thread]()
    caller = threading.current_thread()

    def may_log(user_id: str | None, device_id: str | None) -> bool:
        if threading.current_thread() is not caller:
            uploaders.add(threading.current_thread())
            asked.set()
            go.wait(120)
        return True

    transport = Scripted()
    client = make_client(transport=transport, consent=may_log)
    handle = client.log_event(tick())
    assert asked.wait(120)
    assert client.shutdown(0.05).dropped == 1
    go.set()
    for each in uploaders:
        each.join(120)
        assert not each.is_alive()
    assert handle.result(0).reason == "shutdown"
    assert transport.threads == []


def test_flush_inside_a_transport_returns(make_client: MakeClient) -> None:
    """It would wait for the request that it is part of."""
    transport = Scripted(lambda: client.flush() and HttpResponse(200, body=b"{}"))
    client = make_client(transport=transport)
    client.log_event(tick())
    assert client.flush(120).delivered == 1
    assert len(transport.threads) == 1


def test_concurrent_flushes_all_return(make_client: MakeClient) -> None:
    """Each waits for what was logged before it; together they report each event once."""
    client = make_client()
    reports = []

    def work(number: int) -> None:
        for seq in range(20):
            client.log_event(tick(f"user-{number}", seq))
            reports.append(client.flush(120))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert all(report.complete for report in reports)
    assert client.stats().delivered == 160


def test_second_shutdown_waits_for_the_first(make_client: MakeClient, endpoint: Endpoint) -> None:
    """Two threads that shut the client down, each with time left, lose nothing to each other."""
    go = threading.Event()
    endpoint.answer = lambda _: go.wait(120) and None
    client = make_client()
    client.log_event(tick())
    reports = []
    threads = [threading.Thread(target=lambda: reports.append(client.shutdown(120))) for _ in range(2)]
    for each in threads:
        each.start()
    endpoint_has_it(client)
    go.set()
    for each in threads:
        each.join(120)
    assert sum(report.delivered for report in reports) == 1
    assert client.shutdown().complete
    assert client.stats().delivered == 1


def test_event_after_shutdown_is_dropped_and_says_so(
    make_client: MakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    """It settles at once, is counted, told to `on_outcome` and logged, and starts no thread."""
    heard: list[Delivery] = []
    client = make_client(on_outcome=heard.append)
    client.shutdown()
    handle = client.log_event(tick())
    assert handle.result(0).reason == "shutdown"
    assert heard == [handle]
    assert client.stats().dropped == {"shutdown": 1}
    assert "logged after the client was shut down" in caplog.text
    assert threads_of() == []
    assert client.flush().complete


def test_init_after_shutdown_makes_the_client_usable_again(
    make_client: MakeClient, endpoint: Endpoint
) -> None:
    """With fresh books and threads."""
    client = make_client()
    client.log_event(tick(seq=0))
    client.shutdown()
    client.init(KEY, server_url=endpoint.url)
    client.log_event(tick(seq=1))
    assert client.flush(120).delivered == 1
    assert sequence(endpoint.events) == [0, 1]


def test_events_logged_while_others_shut_down_all_settle(endpoint: Endpoint) -> None:
    """None slips between the last look at the queue and the end: each is delivered or dropped."""
    for _ in range(30):
        client = Client("race").init(KEY, server_url=endpoint.url)
        handles: list[list[Delivery]] = [[], [], []]
        start = threading.Barrier(4)

        def log(mine: list[Delivery], client: Client = client, start: threading.Barrier = start) -> None:
            start.wait()
            for seq in range(50):
                mine.append(client.log_event(tick(f"user-{id(mine)}", seq)))

        threads = [threading.Thread(target=log, args=(mine,)) for mine in handles]
        for each in threads:
            each.start()
        start.wait()
        client.shutdown(10)
        for each in threads:
            each.join()
        assert {each.result(120).reason for mine in handles for each in mine} <= {"delivered", "shutdown"}
        stats = client.stats()
        assert (stats.accepted, stats.pending, stats.balanced) == (150, 0, True)


def test_tables_do_not_grow(make_client: MakeClient, endpoint: Endpoint) -> None:
    """After hundreds of flushes, uploads, retries and timed-out waits, no list or table keeps a trace."""

    def answer(arrival: Arrival) -> faults.Answer | None:
        return faults.Answer(500) if arrival.number % 50 == 0 else None

    endpoint.answer = answer
    client = make_client(on_outcome=lambda _: None)

    def round_of_work(count: int) -> int:
        for seq in range(count):
            handle = client.log_event(tick(f"user-{seq}"))
            client.flush(0)
            client.flush(120)
            assert handle.callbacks is None
        gc.collect()
        return len(gc.get_objects())

    round_of_work(60)
    before = round_of_work(20)
    endpoint.clear()
    after = round_of_work(200)
    endpoint.clear()
    sender = sender_of(client)
    flights = sender._coordinator.flights
    assert not any((sender._works.barriers, flights, flights.has_replies, sender._works.room))
    assert len(sender._core.ledger._open) == 1
    # The endpoint in this process keeps a few objects for each of its requests.
    assert after - before < 200 * 40
