"""Log lines about delivery: at most one a minute of each kind, the rest summed up in the next."""

from __future__ import annotations

import logging
from collections.abc import Callable

from antinode._interruptions import is_interruption
from antinode._protocol.escaping import escaped
from antinode._protocol.words import agreeing, counted

log = logging.getLogger("antinode")

PREFIX = "antinode: "
"""What each line begins with: most formats do not show the logger's name."""
QUIET_SECONDS = 60.0
MAX_KEYS = 200
"""Kinds that are told apart; an application may make up as many keys and properties as it likes."""
_OTHERS = "other subjects"
_LEVELS = {"DEBUG": logging.DEBUG, "INFO": logging.INFO, "WARNING": logging.WARNING, "ERROR": logging.ERROR}


def write(level: int, text: str, *args: object, exc_info: bool | BaseException | None = False) -> None:
    """Log one line, which begins with `PREFIX`. What the application's handlers raise costs no event.

    What a text quotes of events, answers and paths neither acts on a terminal nor looks like another line.
    """
    try:
        shown = [_on_one_line(each) if isinstance(each, str) else each for each in args]
        log.log(level, PREFIX + _on_one_line(text), *shown, exc_info=exc_info)
    except Exception as error:
        if is_interruption(error):
            raise


def _on_one_line(text: str) -> str:
    return escaped(text).replace("\n", "\\n")


class LogLimiter:
    """Logs through `logging.getLogger("antinode")`, rate-limited by key."""

    def __init__(self, clock: Callable[[], float], *, quiet: float = QUIET_SECONDS) -> None:
        self._clock = clock
        self._quiet = quiet
        """Seconds between two lines with the same key; 0 for no limit."""
        self._last: dict[str, float] = {}
        self._kept_back: dict[str, int] = {}
        self._levels: dict[str, int] = {}

    def say(self, level: str, key: str, text: str) -> None:
        """Log `text`, unless something with the same key was logged within the last minute."""
        now = self._clock()
        if key not in self._last and len(self._last) >= MAX_KEYS and not self._forget(now):
            key = _OTHERS
        last = self._last.get(key)
        if last is not None and now < last + self._quiet:
            self._kept_back[key] = self._kept_back.get(key, 0) + 1
            self._levels[key] = _LEVELS[level]
            return
        self._last[key] = now
        more = self._kept_back.pop(key, 0)
        suffix = f" (and {more:,} more of the kind since the last such line)" if more else ""
        write(_LEVELS[level], "%s%s", text, suffix)

    def _forget(self, now: float) -> bool:
        """Forget the keys with nothing left to say. Returns whether there is room again."""
        self._last = {
            key: last
            for key, last in self._last.items()
            if key in self._kept_back or now < last + QUIET_SECONDS
        }
        return len(self._last) < MAX_KEYS

    def sum_up(self) -> None:
        """Say how many lines were kept back; at shutdown."""
        kept_back, self._kept_back = self._kept_back, {}
        for key, count in kept_back.items():
            lines = f"{counted(count, 'further line')} about %r {agreeing(count, 'was', 'were')} kept back"
            write(self._levels[key], lines, key)
