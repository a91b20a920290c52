"""The tap of the test kit: captures, one inside the other, and the guard against sending for real."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple, Protocol

from antinode import _taps
from antinode._callers import calling_line


class TakenEvent(NamedTuple):
    """One event that was taken off its way."""

    fields: dict[str, object]
    client: str | None
    host: str
    line: str
    """Where it was logged: `/srv/shop/views.py:31`."""


class Basin(Protocol):
    """What events are taken into."""

    def add(self, taken: TakenEvent) -> None:
        """Keep an event."""

    def complain(self, problem: str) -> None:
        """Keep what the log would tell of an event."""


class _KitTap:
    """Takes from every client while there is a capture, and else from those that a guard forbids to send."""

    def __init__(self) -> None:
        self.basins: list[Basin] = []
        self.guard: Basin | None = None

    @property
    def takes_all(self) -> bool:
        return bool(self.basins)

    def takes_from(self, host: str) -> bool:
        return self.guard is not None and bool(host)

    def take(self, body: bytes, client: str | None, host: str) -> None:
        if (basin := self._basin()) is not None:
            basin.add(TakenEvent(json.loads(body), client, host, calling_line()))

    def complain(self, problem: str) -> None:
        if (basin := self._basin()) is not None:
            basin.complain(problem)

    def _basin(self) -> Basin | None:
        # A copy: another thread may end the capture in between.
        inner = self.basins[-1:]
        return inner[0] if inner else self.guard


_tap = _KitTap()
_changing = threading.RLock()


@contextmanager
def taking(basin: Basin) -> Iterator[None]:
    """Have all events of the process taken into `basin`, for as long as the block lasts."""
    with _changing:
        _tap.basins.append(basin)
        _install()
    try:
        yield
    finally:
        with _changing:
            _tap.basins.remove(basin)
            _install()


def guard(basin: Basin | None) -> None:
    """Have what would go to another machine taken into `basin`, unless it is captured; None ends that."""
    with _changing:
        _tap.guard = basin
        _install()


def _install() -> None:
    _taps.install(_tap if _tap.basins or _tap.guard is not None else None)
