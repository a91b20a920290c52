"""Ctrl-C and SIGTERM for commands that have something to bring to an end first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self


class Interrupts:
    """Within the `with` block the first signal sets `is_set`; the next one has its usual effect."""

    def __init__(self, on_first: Callable[[], object] | None = None) -> None:
        """`on_first` is called by the first signal, in the middle of anything."""
        self.is_set = False
        self._on_first = on_first
        self._usual: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._usual[number] = signal.signal(number, self._note)
        return self

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self.is_set = True
        self._restore()
        if self._on_first is not None:
            self._on_first()

    def _restore(self) -> None:
        while self._usual:
            signal.signal(*self._usual.popitem())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()
