"""Events as text that is the same from run to run, for a file under version control."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

_ALWAYS_NEW: Final = frozenset({"time", "insert_id", "library"})
_FIRST: Final = ("user_id", "device_id")


def snapshot(events: Sequence[Mapping[str, Any]], without: Sequence[str]) -> str:
    """The events, one block each, in the order in which they were logged; keys in alphabetical order."""
    left_out = _ALWAYS_NEW.union(without)
    return "\n".join("\n".join(_block(event, left_out)) + "\n" for event in events)


def _block(event: Mapping[str, Any], left_out: frozenset[str]) -> Iterator[str]:
    yield str(event["event_type"])
    names = [*(each for each in _FIRST if each in event), *sorted(event.keys() - {*_FIRST, "event_type"})]
    for name in names:
        if name not in left_out:
            yield from _entry(name, event[name], name, left_out, "  ")


def _entry(key: str, value: Any, path: str, left_out: frozenset[str], indent: str) -> Iterator[str]:
    if not isinstance(value, dict) or not value:
        yield f"{indent}{key}: {json.dumps(value, ensure_ascii=False, sort_keys=True)}"
        return
    yield f"{indent}{key}:"
    for inner in sorted(value):
        if f"{path}.{inner}" not in left_out:
            yield from _entry(inner, value[inner], f"{path}.{inner}", left_out, f"{indent}  ")
