"""Exceptions out of signal handlers, which may come between any two steps of the main thread."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, TypeAlias

import pytest

import antinode
from antinode import Client, Delivery, HttpResponse, Request
from antinode._interruptions import is_interruption

MOST = 3
needs_call_points = pytest.mark.skipif(sys.version_info < (3, 11), reason="looks for signals everywhere")
PACKAGE = str(Path(antinode.__file__).parent)


class Stop(BaseException):
    """What a signal handler raises: Ctrl-C, a worker's timeout."""


class SoftLimit(Exception):
    """What one raises that means to be caught: Celery's soft time limit."""


Handler: TypeAlias = Callable[[int, FrameType], None]


def stop(number: int, frame: FrameType) -> None:
    """A signal handler, which is given the frame that it interrupts."""
    raise Stop


def limit(number: int, frame: FrameType) -> None:
    """Another one."""
    raise SoftLimit


class Gate:
    """A transport that lets a request through only when it is told to, so that the queue stays full."""

    def __init__(self) -> None:
        self.permits = threading.Semaphore(0)
        self.is_open = False

    def send(self, request: Request) -> HttpResponse:
        if not self.is_open:
            self.permits.acquire()
        return HttpResponse(200, {}, b'{"code":200}')

    def open(self) -> None:
        self.is_open = True
        self.permits.release(1000)

    def close(self) -> None:
        """Nothing to close."""


def is_in_destructor(frame: FrameType | None) -> bool:
    while frame is not None and frame.f_code.co_name != "__del__":
        frame = frame.f_back
    return frame is not None


class Interruption:
    """Has a handler raise at the `nth` place where it is asked to look, in our code on this thread."""

    def __init__(self, nth: int, gate: Gate, handler: Handler) -> None:
        self._handler = handler
        self._left = nth
        self._gate = gate
        self._has_let_go = False
        self.has_struck = False

    def _look(self, frame: FrameType) -> None:
        if frame.f_code.co_name == "_wait_for_room" and not self._has_let_go:
            # Now it is known that there was no room: let some come.
            self._has_let_go = True
            self._gate.permits.release()
        if is_in_destructor(frame):
            return  # of garbage of an earlier test, perhaps; and the interpreter lets nothing out of it
        self._left -= 1
        if self._left == 0:
            self.has_struck = True
            self._handler(0, sys._getframe())

    def at_lines(self, frame: FrameType, event: str, _: Any) -> Callable[..., Any] | None:
        """For `sys.settrace`: each line, where no Python version stops for a signal more often."""
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        if event in ("line", "call", "return"):
            self._look(frame)
        return self.at_lines

    def at_calls(self, frame: FrameType, event: str, _: Any) -> None:
        """For `sys.setprofile`: where CPython looks for signals, when functions begin and builtins return."""
        if frame.f_code.co_filename.startswith(PACKAGE) and event in ("call", "c_return"):
            self._look(frame)


@contextmanager
def interrupted(kind: str, nth: int, gate: Gate, handler: Handler) -> Iterator[Interruption]:
    interruption = Interruption(nth, gate, handler)
    if kind == "lines":
        former, install = sys.gettrace(), sys.settrace
        look: Any = interruption.at_lines
    else:
        former, install = sys.getprofile(), sys.setprofile
        look = interruption.at_calls
    install(look)
    try:
        yield interruption
    finally:
        install(former)  # type: ignore[arg-type]


class Interrupting:
    """A value in whose midst a signal comes."""

    @property
    def __class__(self) -> Any:
        return limit(0, sys._getframe())


class InterruptingMapping(Mapping[str, Any]):
    """The same of a mapping."""

    def __getitem__(self, key: str) -> Any:
        return limit(0, sys._getframe())

    def __iter__(self) -> Iterator[str]:
        return limit(0, sys._getframe())  # type: ignore[func-returns-value]

    def __len__(self) -> int:
        return 1


def tick(user: str) -> Any:
    return {"event_type": "Tick", "user_id": user}


def look_from_elsewhere(client: Client) -> None:
    """Another thread reads the ledger, which hangs if the interrupted one has kept a lock."""
    thread = threading.Thread(target=client.stats, daemon=True)
    thread.start()
    thread.join(120)
    assert not thread.is_alive(), "a lock is kept"


@pytest.mark.parametrize("handler", [stop, limit], ids=["BaseException", "Exception"])
@pytest.mark.parametrize("is_odd", [False, True], ids=["ordinary", "in Python"])
@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest", "block"])
@pytest.mark.parametrize(
    ("kind", "store"),
    [
        ("lines", "none"),
        ("calls", "none"),
        # Between a record on disk and its count, CPython 3.11 and later nowhere look for signals.
        pytest.param("calls", "process", marks=needs_call_points),
        pytest.param("calls", "strict", marks=needs_call_points),
    ],
)
def test_an_exception_at_any_step_of_logging_leaves_the_books_balanced(
    tmp_path: Path, kind: str, store: str, overflow: str, is_odd: bool, handler: Handler
) -> None:
    """Whichever step of `log_event` with a full queue it hits, one after the other: it comes out, each event
    that counts as accepted ends, other threads go on, and a flush waits for all."""
    gate = Gate()
    client = Client().init(
        "k" * 32,
        transport=gate,
        overflow=overflow,  # type: ignore[arg-type]
        max_queue_events=MOST,
        shutdown_timeout=5,
        **({"storage": tmp_path, "durability": store} if store != "none" else {}),  # type: ignore[arg-type]
    )
    log = client._log_in_python if is_odd else client.log_event
    handles: list[Delivery] = []
    try:
        handles += [log(tick(f"user-{number}")) for number in range(MOST)]
        nth = 0
        while True:
            nth += 1
            has_come_out = False
            with interrupted(kind, nth, gate, handler) as interruption:
                try:
                    handles.append(log(tick("user-x")))
                except (Stop, SoftLimit):
                    has_come_out = True
            assert has_come_out == interruption.has_struck
            look_from_elsewhere(client)
            stats = client.stats()
            assert stats.balanced, (nth, stats)
            assert stats.pending >= 0
            if not interruption.has_struck:
                break
            if overflow == "block":
                while client.stats().pending < MOST:
                    handles.append(log(tick("user-y")))
        assert nth > 10
        gate.open()
        report = client.flush(120)
        stats = client.stats()
        assert (report.pending, stats.pending, stats.on_disk, stats.balanced) == (0, 0, 0, True), stats
        assert [each for each in handles if each.outcome is None] == []
        assert client.log_event(tick("user-z")).result(120).ok
    finally:
        gate.open()
        client.shutdown(5)


@pytest.mark.parametrize(
    "event",
    [
        {**tick("user-1"), "event_properties": {"a": Interrupting()}},
        {**tick("user-1"), "price": Interrupting()},
        {"event_type": "Tick", "user_id": Interrupting()},
        {**tick("user-1"), "event_properties": InterruptingMapping()},
        InterruptingMapping(),
    ],
    ids=["property", "number", "id", "properties", "event"],
)
@pytest.mark.parametrize("has_middleware", [False, True])
def test_a_soft_limit_is_no_bad_value(event: Any, has_middleware: bool) -> None:
    """One that strikes while a value is read comes out, and the event is not refused for it."""
    gate = Gate()
    gate.open()
    client = Client().init("k" * 32, transport=gate, shutdown_timeout=0)
    if has_middleware:
        client.add_event_middleware(lambda payload, next: next(payload))
    with pytest.raises(SoftLimit):
        client.log_event(event)
    client.shutdown(0)
    stats = client.stats()
    assert (stats.accepted, stats.rejected, stats.balanced) == (0, {}, True)


def test_what_a_value_raises_by_itself_is_no_interruption() -> None:
    """Only what a handler raises, which is given the frame that it interrupts, is one."""
    with pytest.raises(ZeroDivisionError) as caught:
        1 / 0  # noqa: B018
    assert not is_interruption(caught.value)
    with pytest.raises(ValueError, match="int") as caught_too:
        int("x", base=10)
    assert not is_interruption(caught_too.value)
    with pytest.raises(SoftLimit) as struck:
        limit(1, sys._getframe())
    assert is_interruption(struck.value)
