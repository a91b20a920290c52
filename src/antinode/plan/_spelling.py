"""Names that are nearly another."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final

_IGNORED: Final = str.maketrans("", "", "_- .")
_LIKENESS: Final = 0.7
_SHORTEST: Final = 3
"""Characters; of two letters, another is another word."""
_LONGEST: Final = 200
"""Characters; longer names are no slips of the pen, and cost time."""


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The one of `names` that `name` was probably meant to be; of several alike, the first in their order."""
    if len(name) > _LONGEST:
        return None
    spelled: dict[str, str] = {}
    for each in names:
        if len(each) <= _LONGEST:
            spelled.setdefault(_spelling(each), each)
    wanted = _spelling(name)
    close = difflib.get_close_matches(wanted, spelled, n=1, cutoff=_LIKENESS)
    # Of a short name, a single slip is much of it.
    close = close or [each for each in spelled if _is_swapped(wanted, each)]
    close = close or [each for each in spelled if _is_mistyped(wanted, each)]
    return spelled[close[0]] if close else None


def _spelling(name: str) -> str:
    return name.casefold().translate(_IGNORED)


def _is_swapped(one: str, other: str) -> bool:
    """Whether two letters that follow each other have changed places."""
    differing = [at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b]
    if len(one) != len(other) or len(one) < _SHORTEST or len(differing) != 2:
        return False
    at, after = differing
    return after == at + 1 and one[at] == other[after] and one[after] == other[at]


def _is_mistyped(one: str, other: str) -> bool:
    """Whether one letter is another."""
    differing = sum(a != b for a, b in zip(one, other, strict=False))
    return len(one) == len(other) >= _SHORTEST and differing == 1
