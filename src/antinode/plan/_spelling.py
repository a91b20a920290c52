"""Names that are nearly another."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final

_IGNORED: Final = str.maketrans("", "", "_- .")
_LIKENESS: Final = 0.7
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
    close = difflib.get_close_matches(_spelling(name), spelled, n=1, cutoff=_LIKENESS)
    return spelled[close[0]] if close else None


def _spelling(name: str) -> str:
    return name.casefold().translate(_IGNORED)
