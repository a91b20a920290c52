"""Reading containers of the application's, which other threads may change meanwhile."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from itertools import islice
from typing import Any, TypeVar

_T = TypeVar("_T")
_TRIES = 20


def at_once(read: Callable[[], _T]) -> _T:
    """What `read` copies of a container; once more if that changes meanwhile, as a RuntimeError tells."""
    for _ in range(_TRIES):
        with suppress(RuntimeError):
            return read()
    return read()


def items_at_once(value: Mapping[Any, Any], most: int = sys.maxsize) -> Iterable[tuple[Any, Any]]:
    """What a mapping holds at one moment: `most` of it, since one of the application's may have no end."""
    if type(value) is dict:
        # One step, in the middle of which not even the collector runs.
        return dict(value).items()
    return at_once(lambda: list(islice(value.items(), most)))
