"""What a person reads when an expectation is not met: what was wanted, and the nearest events."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from antinode.testing._matching import differences, likeness, written

if TYPE_CHECKING:
    from antinode.testing._captured import CapturedEvent

_MOST_SHOWN: Final = 3
_NEAR: Final = 0.6
_RED: Final = "31"
_GREEN: Final = "32"


def not_logged(expected: Mapping[str, Any], events: Sequence[CapturedEvent]) -> str:
    """None of the events is as expected."""
    lines = [f"{_name(expected)} was not logged{_as_described(expected)}"]
    if not events:
        return f"{lines[0]}: nothing was logged at all"
    ranked = sorted(events, key=lambda each: likeness(expected, each), reverse=True)
    near = [each for each in ranked if likeness(expected, each)[0] >= _NEAR]
    if not near:
        return "\n".join([f"{lines[0]}; what was logged:", *_listed(events)])
    lines[0] += "; the nearest:" if len(events) > 1 else "; what was logged:"
    for event in near[:_MOST_SHOWN]:
        lines.append(f'  "{event.type}"{_where(event)}')
        lines += _compared(expected, event)
    return "\n".join(lines)


def too_much(expected: Mapping[str, Any], found: Sequence[CapturedEvent], times: int) -> str:
    """As many events as there are were not expected."""
    often = f"was logged {_times(len(found))}{_as_described(expected)}, and {_times(times)} was expected:"
    return "\n".join([f"{_name(expected)} {often}", *_listed(found)])


def unexpected(expected: Mapping[str, Any], found: Sequence[CapturedEvent]) -> str:
    """Events are there that must not be."""
    if not expected:
        return "\n".join(
            [f"nothing was to be logged, and {_count(len(found), 'event')} came:", *_listed(found)]
        )
    first = f"{_name(expected)} was logged{_as_described(expected)}, and was not to be:"
    return "\n".join([first, *_listed(found)])


def _compared(expected: Mapping[str, Any], event: CapturedEvent) -> list[str]:
    unlike = {each.path: each for each in differences(expected, event)}
    width = max(map(len, unlike), default=0)
    return [
        f"    {path:{width}}  expected {_painted(_GREEN, written(each.expected))}, "
        f"found {_painted(_RED, written(each.found))}"
        for path, each in unlike.items()
    ]


def _listed(events: Sequence[CapturedEvent]) -> list[str]:
    lines = [f'  "{each.type}"{_whose(each)}{_where(each)}' for each in events[:_MOST_LISTED]]
    more = len(events) - _MOST_LISTED
    return lines if more <= 0 else [*lines, f"  and {_count(more, 'more')}"]


def _name(expected: Mapping[str, Any]) -> str:
    wanted = expected.get("event_type")
    if wanted is None:
        return "an event"
    return f'"{wanted}"' if isinstance(wanted, str) else written(wanted)


def _as_described(expected: Mapping[str, Any]) -> str:
    return " as described" if set(expected) - {"event_type"} else ""


def _whose(event: CapturedEvent) -> str:
    user, device = event.get("user_id"), event.get("device_id")
    return f" of {user!r}" if user else f" of the device {device!r}" if device else ""


def _where(event: CapturedEvent) -> str:
    return f", logged at {short(event.line)}" if event.line else ""


def short(line: str) -> str:
    """The line's file from the current directory, if it is below."""
    here = os.getcwd() + os.sep
    return line.removeprefix(here)


def _times(count: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count} times")


def _count(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 or what == "more" else f"{count} {what}s"


def _painted(colour: str, text: str) -> str:
    return f"\033[{colour}m{text}\033[0m" if is_coloured() else text


def is_coloured() -> bool:
    """Whether failures are shown on a terminal: what pytest was told, or what standard error is."""
    if _wanted is not None:
        return _wanted
    return not os.environ.get("NO_COLOR") and sys.stderr.isatty()


def paint(wanted: bool | None) -> None:
    """Show failures in colour, or not; None: where standard error is a terminal."""
    global _wanted
    _wanted = wanted


_MOST_LISTED: Final = 10
_wanted: bool | None = None
