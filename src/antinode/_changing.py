"""Reading containers of the application's, which other threads may change meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

_T = TypeVar("_T")
_TRIES = 20


def at_once(read: Callable[[], _T]) -> _T:
    """What `read` copies of a container; once more if that changes meanwhile, as a RuntimeError tells."""
    for _ in range(_TRIES):
        with suppress(RuntimeError):
            return read()
    return read()


def items_at_once(value: Mapping[Any, Any], most: int = 20_000_000) -> Iterable[tuple[Any, Any]]:
    """What a mapping holds at one moment: about `most` bytes of it as JSON, since one of the application's
    may have no end."""
    if type(value) is dict:
        # One step, in the middle of which not even the collector runs.
        return dict(value).items()
    return at_once(lambda: _beginning(value, most))


def _beginning(value: Mapping[Any, Any], most: int) -> list[tuple[Any, Any]]:
    items = []
    for key, item in value.items():
        items.append((key, item))
        most -= _LEAST + (len(key) if isinstance(key, str) else 0)
        if most < 0:
            break
    return items


_LEAST = 5
"""Bytes of JSON beside a key: its quotes, a colon, a value, a comma."""
