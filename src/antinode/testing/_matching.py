"""Whether a value is as a test expects it, and where it is not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from typing import Any, Final, NamedTuple

MISSING: Final = object()
"""Stands for a value that is not there."""


class Difference(NamedTuple):
    """One value that is not as expected."""

    path: str
    """`user_id`, or `event_properties.total`."""
    expected: object
    found: object
    """`MISSING` if there is none."""


def is_match(expected: object, found: object) -> bool:
    """Whether `found` is as expected.

    A type stands for its instances (True is no `int`), a pattern of `re` for the strings in which it is
    found, a dict or a list for one of the same keys or length whose values match; anything else for what
    equals it, so that `ANY` and `pytest.approx` do what they do elsewhere.
    """
    if isinstance(expected, type):
        return isinstance(found, expected) and (type(found) is not bool or expected is not int)
    if isinstance(expected, re.Pattern):
        return isinstance(found, str) and expected.search(found) is not None
    if isinstance(expected, dict) and isinstance(found, dict):
        return expected.keys() == found.keys() and all(
            is_match(value, found[key]) for key, value in expected.items()
        )
    if isinstance(expected, (list, tuple)) and isinstance(found, list):
        return len(expected) == len(found) and all(map(is_match, expected, found))
    if isinstance(expected, (int, float)) and isinstance(found, (int, float)):
        # 1 equals True in Python, and is another value in Amplitude.
        return expected == found and isinstance(expected, bool) is isinstance(found, bool)
    return bool(expected == found)


def differences(expected: Mapping[str, Any], event: Mapping[str, Any]) -> Iterator[Difference]:
    """Where an event is not as expected. Of the objects in it, only the keys that are named are looked at."""
    for name, value in expected.items():
        found = event.get(name, MISSING)
        if name in OBJECTS and isinstance(value, Mapping):
            held = found if isinstance(found, Mapping) else {}
            for key, inner in value.items():
                if not is_match(inner, held.get(key, MISSING)):
                    yield Difference(f"{name}.{key}", inner, held.get(key, MISSING))
        elif not is_match(value, found):
            yield Difference(name, value, found)


def likeness(expected: Mapping[str, Any], event: Mapping[str, Any]) -> tuple[float, int]:
    """How near an event is to what was expected: greater is nearer. Its type counts first."""
    wanted, found = expected.get("event_type"), event.get("event_type")
    alike = 1.0
    if wanted is not None and not is_match(wanted, found):
        both = isinstance(wanted, str) and isinstance(found, str)
        alike = SequenceMatcher(None, str(wanted).casefold(), str(found).casefold()).ratio() if both else 0.0
    return alike, -sum(1 for _ in differences(expected, event))


def written(value: object) -> str:
    """A value, or a matcher, as a failure shows it."""
    if value is MISSING:
        return "nothing"
    if isinstance(value, type):
        return f"any {value.__name__}"
    if isinstance(value, re.Pattern):
        return f"text with /{value.pattern}/"
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


OBJECTS: Final = frozenset({"event_properties", "user_properties", "group_properties", "groups"})
_LONGEST: Final = 200
