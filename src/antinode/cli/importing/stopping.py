"""Ctrl-C and SIGTERM: the first asks for a tidy end, the next one ends at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Stopped:
    """Whether a signal came."""

    came = False


@contextmanager
def stopping(on_signal: Callable[[], None]) -> Iterator[Stopped]:
    """While it lasts, the first signal calls `on_signal`, and the second is what it usually is."""
    stopped = Stopped()
    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return
    usual: dict[signal.Signals, Any] = {}

    def restore() -> None:
        while usual:
            signal.signal(*usual.popitem())

    def handle(_number: int, _frame: object) -> None:
        stopped.came = True
        restore()
        on_signal()

    for number in (signal.SIGINT, signal.SIGTERM):
        usual[number] = signal.signal(number, handle)
    try:
        yield stopped
    finally:
        restore()
