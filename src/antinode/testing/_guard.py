"""The guard of a test run: what would leave for another machine is taken, and the test is told."""

from __future__ import annotations

from collections import Counter
from typing import Final

from antinode.testing._failures import short
from antinode.testing._tap import TakenEvent, guard

_MOST_SHOWN: Final = 3


class Guard:
    """Takes what was not asked to be sent, from all threads, until somebody asks what it was."""

    def __init__(self) -> None:
        self._taken: list[TakenEvent] = []
        self._is_up = False

    def set(self, *, is_up: bool) -> None:
        """Raise the guard, or lower it, so that events are sent for real."""
        if is_up is not self._is_up:
            self._is_up = is_up
            guard(self if is_up else None)

    def add(self, taken: TakenEvent) -> None:
        """Keep an event."""
        self._taken.append(taken)

    def complain(self, problem: str) -> None:
        """What is wrong with an event matters to tests that ask for it."""

    def take(self) -> str:
        """What was taken since the last call, in words; "" if nothing was."""
        taken, self._taken = self._taken, []
        if not taken:
            return ""
        kinds = Counter((str(each.fields["event_type"]), each.line) for each in taken)
        lines = [_line(*kind, count) for kind, count in kinds.most_common(_MOST_SHOWN)]
        more = len(kinds) - _MOST_SHOWN
        return "\n".join(
            [
                f"events would have been sent to {', '.join(sorted({each.host for each in taken}))}:",
                *lines,
                *([f"  and {more} more"] if more > 0 else []),
                "take them with the fixture `amplitude`, mark the test with @pytest.mark.amplitude_real "
                "to send them, or initialise antinode with enabled=False in tests",
            ]
        )


def _line(event_type: str, line: str, count: int) -> str:
    where = f", logged at {short(line)}" if line else ""
    return f'  "{event_type}"{where}' + (f", {count} times" if count > 1 else "")
