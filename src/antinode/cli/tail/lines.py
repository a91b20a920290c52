"""Events in a terminal: a line each, in columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from antinode._protocol.fields import GROUP_IDENTIFY, IDENTIFY
from antinode.cli.ui.console import printable

if TYPE_CHECKING:
    from antinode.server.client import Event

_STYLES: Final = {"accepted": "green", "duplicate": "dim", "rejected": "bold red", "returned": "yellow"}
_INDENT: Final = 10
"""As wide as the time and the space behind it."""
_MONEY: Final = ("price", "quantity", "revenue", "productId", "revenueType", "currency")
_MAX_PROPERTIES: Final = 30
_WIDEST_COLUMN: Final = 40
_NARROW: Final = 22
"""A column on a terminal that has no more room."""


class EventPrinter:
    """Prints events to a console. Columns begin narrow and grow with what comes, up to a limit."""

    def __init__(self, console: Console, *, shows_warnings: bool) -> None:
        self._console = console
        self._shows_warnings = shows_warnings
        self._widest = _WIDEST_COLUMN if console.width >= 130 else _NARROW
        self._user = self._type = 16

    def print(self, event: Event) -> None:
        """Print an event. Raises OSError when the console can be written no more."""
        user = printable(event.user_id or event.device_id or "-", self._widest)
        event_type = printable(event.event_type or "-", self._widest)
        self._user, self._type = max(self._user, len(user)), max(self._type, len(event_type))
        line = Text.assemble(
            (f"{_time_of_day(event.received_at)}  ", "dim"),
            (f"{event.outcome:<9}  ", _STYLES[event.outcome]),
            f"{user:<{self._user}}  ",
            (f"{event_type:<{self._type}}  ", "bold"),
        )
        for name, value in _shown(event.event):
            line.append(f"{printable(name, 40)}=", "dim")
            line.append(f"{_short(value)} ")
        line.rstrip()
        self._console.print(line, no_wrap=True, overflow="ellipsis", crop=True)
        for problem in event.problems:
            if problem.severity == "error" or self._shows_warnings:
                style = "red" if problem.severity == "error" else "yellow"
                note = Text(printable(problem.message), style)
                self._console.print(Padding(note, (0, 0, 0, _INDENT), expand=False))


def _shown(event: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What an event says, as names and values."""
    shown = list(_all(event))
    yield from shown[:_MAX_PROPERTIES]
    if len(shown) > _MAX_PROPERTIES:
        yield "…", f"{len(shown) - _MAX_PROPERTIES} more"


def _all(event: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    event_type = event.get("event_type")
    if event_type in (IDENTIFY, GROUP_IDENTIFY):
        if event_type == GROUP_IDENTIFY:
            yield from _items(event.get("groups"))
        properties = event.get("group_properties" if event_type == GROUP_IDENTIFY else "user_properties")
        for operation, value in _items(properties):
            if isinstance(value, dict):
                yield from ((f"{operation} {key}", each) for key, each in value.items())
            else:
                yield operation, value
        return
    yield from _items(event.get("event_properties"))
    yield from ((key, event[key]) for key in _MONEY if event.get(key) is not None)


def _items(value: Any) -> Iterator[tuple[str, Any]]:
    return iter(value.items()) if isinstance(value, dict) else iter(())


def _short(value: Any) -> str:
    """A value as JSON, in a few letters; a plain word without quotes."""
    if isinstance(value, str) and value.isidentifier():
        return printable(value, 40)
    return printable(msgspec.json.encode(value).decode("utf-8", "replace"), 40)


def _time_of_day(milliseconds: int) -> str:
    try:
        return f"{datetime.fromtimestamp(milliseconds / 1000):%H:%M:%S}"
    except (OverflowError, ValueError, OSError):
        return "--:--:--"  # the server's clock can be set to any time
