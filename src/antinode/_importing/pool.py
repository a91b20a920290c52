"""Where rows are prepared: in this process, or in a few beside it, which give them back in their order."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from typing import Final, Protocol

from antinode._importing.chunks import Chunk
from antinode._importing.errors import Halted
from antinode._importing.prepare import Prepared, Preparer, Recipe
from antinode._importing.tracking import Span

# Chunks in the hands of each process, so that none waits for the next.
_AHEAD: Final = 4
# Bytes of rows in the hands of all processes; reached only when rows are unusually long.
_MAX_BYTES: Final = 4 * 1024 * 1024
# A process takes a fifth of a second to start, in which it would have read this many bytes.
WORTH_A_PROCESS: Final = 16 * 1024 * 1024
# More processes than this prepare more rows than one process can deliver.
_MOST: Final = 3


def usual_processes(size: int) -> int:
    """How many processes an import of `size` bytes is worth, on this machine; a `size` of 0 is not known."""
    if 0 < size < WORTH_A_PROCESS:
        return 0
    return min(_MOST, _processors() - 1)


def _processors() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def tune_interpreter() -> None:
    """Have the garbage collector look rarely: rows come and go by the thousand, and leave no cycles.

    Threads that wait for the interpreter's lock get it sooner, so that none makes the others wait in turn.
    """
    sys.setswitchinterval(0.001)
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 50, 50)


class PreparerPool(Protocol):
    """Takes chunks and gives them back prepared, in the same order."""

    @property
    def is_full(self) -> bool:
        """Whether something should be taken out before more is put in."""

    @property
    def is_empty(self) -> bool: ...

    def put(self, span: Span, chunk: Chunk) -> None: ...

    def take(self) -> tuple[Span, Chunk, Prepared] | None:
        """The next chunk, prepared; None if it is not ready. Raises `Halted`."""

    def close(self) -> None: ...


def open_pool(recipe: Recipe, processes: int, on_ready: Callable[[], None]) -> PreparerPool:
    """A pool for an import. `on_ready` is called, on any thread, when there may be something to take."""
    return ProcessPool(recipe, processes, on_ready) if processes else InlinePreparer(recipe)


class InlinePreparer:
    """Prepares on the spot."""

    def __init__(self, recipe: Recipe) -> None:
        self._preparer = Preparer(recipe)
        self._made: deque[tuple[Span, Chunk, Prepared]] = deque()

    @property
    def is_full(self) -> bool:
        return bool(self._made)

    @property
    def is_empty(self) -> bool:
        return not self._made

    def put(self, span: Span, chunk: Chunk) -> None:
        self._made.append((span, chunk, self._preparer.prepare(chunk, _skipped(span))))

    def take(self) -> tuple[Span, Chunk, Prepared] | None:
        return self._made.popleft() if self._made else None

    def close(self) -> None:
        """Do nothing: this pool holds no process to end."""


class ProcessPool:
    """Prepares in processes. They end with this one, however it ends, and leave Ctrl-C to it."""

    def __init__(self, recipe: Recipe, processes: int, on_ready: Callable[[], None]) -> None:
        self._room = processes * _AHEAD
        self._on_ready = on_ready
        self._pool = ProcessPoolExecutor(
            processes, multiprocessing.get_context("spawn"), initializer=_begin, initargs=(recipe,)
        )
        self._under_way: deque[tuple[Span, Chunk, Future[Prepared]]] = deque()
        self._bytes = 0
        """Of the rows that are under way."""

    @property
    def is_full(self) -> bool:
        return len(self._under_way) >= self._room or self._bytes > _MAX_BYTES

    @property
    def is_empty(self) -> bool:
        return not self._under_way

    def put(self, span: Span, chunk: Chunk) -> None:
        try:
            future = self._pool.submit(_prepare, chunk, _skipped(span))
        except BrokenProcessPool:
            raise _broken() from None
        self._under_way.append((span, chunk, future))
        self._bytes += sum(map(len, chunk.texts))
        future.add_done_callback(self._tell)

    def _tell(self, _: object) -> None:
        self._on_ready()

    def take(self) -> tuple[Span, Chunk, Prepared] | None:
        if not self._under_way or not self._under_way[0][2].done():
            return None
        span, chunk, future = self._under_way.popleft()
        self._bytes -= sum(map(len, chunk.texts))
        try:
            return span, chunk, future.result()
        except BrokenProcessPool:
            raise _broken() from None

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)


def _broken() -> Halted:
    return Halted(
        "a process that prepares rows was ended from outside (out of memory?): run it again to go on, "
        "with --processes 0 to do without"
    )


def _skipped(span: Span) -> bytes:
    return bytes(span.done) if span.left < len(span.done) else b""


# In a process of the pool.

_preparer: Preparer | None = None


def _begin(recipe: Recipe) -> None:
    global _preparer
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="antinode-import-parent", daemon=True).start()
    tune_interpreter()
    _preparer = Preparer(recipe)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _prepare(chunk: Chunk, skipped: bytes) -> Prepared:
    assert _preparer is not None  # noqa: S101 - `_begin` came first
    return _preparer.prepare(chunk, skipped)
