"""Where something lies in an event, as text: `total`, `items[].sku`, `user_properties.plan`.

A name that would be read otherwise stands in quotes, as a string of JSON: `"a.b".c` is `c` within the
property `a.b`, and `"user_properties".plan` is within an event's property of that name.
"""

from __future__ import annotations

import json
import re
from typing import Final, TypeAlias

OWN: Final = ("event_properties", "user_properties", "group_properties")
"""What paths begin with that are not about a property of the event."""

Trail: TypeAlias = "str | tuple[Trail, str | int]"
"""A path before it is written: that of what is around, and a name, or 0 for the items of an array."""

_AMBIGUOUS: Final = re.compile(r'[.\[\]"]|\A\Z')
_STEP: Final = re.compile(r'("(?:[^"\\]|\\.)*")|(\[\])|([^.\[\]"]+)')


def joined(path: str, name: str) -> str:
    """The path of a property of what lies at `path`."""
    if _AMBIGUOUS.search(name) or (not path and name in OWN):
        name = json.dumps(name, ensure_ascii=False)
    return f"{path}.{name}" if path else name


def written(trail: Trail) -> str:
    """The path of a trail."""
    if isinstance(trail, str):
        return trail
    above, step = trail
    path = written(above)
    return f"{path}[]" if step == 0 else joined(path, str(step))


def steps_of(path: str) -> tuple[str, list[str | int]]:
    """What a path begins with of `OWN`, or nothing, and the steps from there: names, and 0 for items."""
    own = ""
    steps: list[str | int] = []
    for found in _STEP.finditer(path):
        quoted, items, name = found.groups()
        if name in OWN and found.start() == 0:
            own = name
        else:
            steps.append(0 if items else name if name is not None else json.loads(quoted))
    return own, steps


def above(path: str) -> list[str]:
    """The paths of all that is around what lies there, the event (an empty path) first."""
    return ["", *(path[: found.end()] for found in _STEP.finditer(path))][:-1] if path else []
