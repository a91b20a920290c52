"""The names of groups as text, which Amplitude takes alone: as ids are, numbers are written as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from antinode._protocol.ids import as_text
from antinode._protocol.remarks import Remark
from antinode._protocol.values import describe


def mend_groups(groups: Mapping[str, Any], notes: list[Remark]) -> dict[str, Any]:
    """`groups`, made of JSON values, with text for each name that has a text; the others are left out.

    Adds a note for each type of group that was changed. What lost digits stays, for it is refused.
    """
    mended: dict[str, Any] = {}
    for kind, names in groups.items():
        texts, odd, lost = names_of(names)
        if odd:
            text = f"`groups` has {odd} as a name of {kind[:60]!r}, sent as text: write a str"
            notes.append(Remark(text, subject="groups"))
        if lost:
            text = f"`groups` has {lost} as a name of {kind[:60]!r}, which was left out: write a str"
            notes.append(Remark(text, subject="groups"))
        if texts is not None:
            mended[kind] = texts
    return mended


def with_types_as_text(groups: Mapping[Any, Any], notes: list[Remark]) -> dict[Any, Any]:
    """`groups` as they were given, without the type None; types that JSON turns into text are told."""
    kept = {kind: names for kind, names in groups.items() if kind is not None}
    if len(kept) < len(groups):
        text = "`groups` has None as a type of group, which was left out: write a str"
        notes.append(Remark(text, subject="groups"))
    odd = next((kind for kind in kept if not isinstance(kind, str)), None)
    if odd is not None:
        text = f"`groups` has {describe(odd)} as a type of group, sent as text: write a str"
        notes.append(Remark(text, subject="groups"))
    return kept


def names_of(names: Any) -> tuple[Any, str, str]:
    """The name, or list of names, as text; None if nothing is left. Then what became text, what was lost."""
    if isinstance(names, list | tuple):
        odd = lost = ""
        texts = []
        for each in names:
            text, changed, missing = _name_of(each)
            odd, lost = odd or changed, lost or missing
            if text is not None:
                texts.append(text)
        return texts or None, odd, lost
    return _name_of(names)


def _name_of(name: Any) -> tuple[Any, str, str]:
    if isinstance(name, str) or (isinstance(name, float) and abs(name) >= _EXACT):
        return name, "", ""
    if isinstance(name, bool):
        return str(name).lower(), "a bool", ""
    if isinstance(name, int | float):
        return as_text(name), "a number", ""
    return None, "", "None" if name is None else f"a {type(name).__name__}"


_EXACT: Final = 2.0**53
"""From here on a float has lost digits, so that different names become one."""
