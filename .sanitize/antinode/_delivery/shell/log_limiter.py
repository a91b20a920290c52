"""Log lines about delivery: at most one a minute of each kind, the rest summed up in the next."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress

from antinode._protocol.escaping import escaped

log = logging.getLogger("antinode")

QUIET_SECONDS = 60.0
_LEVELS = {"DEBUG": logging.DEBUG, "INFO": logging.INFO, "WARNING": logging.WARNING, "ERROR": logging.ERROR}


def write(level: int, text: str, *args: object, exc_info: bool = False) -> None:
    """Log one line, whatever the application's handlers do: one that raises must not cost an event.

    What a text quotes of events, answers and paths neither acts on a terminal nor looks like another line.
    """
    with suppress(Exception):
        shown = [_on_one_line(each) if isinstance(each, str) else each for each in args]
        log.log(level, _on_one_line(text), *shown, exc_info=exc_info)


def _on_one_line(text: str) -> str:
    return escaped(text).replace("\n", "\\n")


class LogLimiter:
    """Logs through `logging.getLogger("antinode")`, rate-limited by key."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last: dict[str, float] = {}
        self._kept_back: dict[str, int] = {}
        self._levels: dict[str, int] = {}

    def say(self, level: str, key: str, text: str) -> None:
        """Log `text`, unless something with the same key was logged within the last minute."""
        now = self._clock()
        last = self._last.get(key)
        if last is not None and now < last + QUIET_SECONDS:
            self._kept_back[key] = self._kept_back.get(key, 0) + 1
            self._levels[key] = _LEVELS[level]
            return
        self._last[key] = now
        more = self._kept_back.pop(key, 0)
        suffix = f" (and {more:,} more of the kind since the last such line)" if more else ""
        write(_LEVELS[level], "%s%s", text, suffix)

    def sum_up(self) -> None:
        """Say how many lines were kept back; at shutdown."""
        kept_back, self._kept_back = self._kept_back, {}
        for key, count in kept_back.items():
            write(self._levels[key], "%d further lines about %r were kept back", count, key)
