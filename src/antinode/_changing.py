"""Reading containers of the application's, which other threads may change meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

_T = TypeVar("_T")
_TRIES = 20


def at_once(read: Callable[[], _T]) -> _T:
    """What `read` copies of a container; once more if that changes meanwhile, as a RuntimeError tells."""
    for _ in range(_TRIES):
        with suppress(RuntimeError):
            return read()
    return read()
