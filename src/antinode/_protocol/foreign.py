"""Objects that are no JSON, and what of them can be sent: their fields, or a plain value in their place.

What other libraries make is known by its marks, so that none of them is imported.
"""

from __future__ import annotations

import dataclasses
import os
from collections import UserString
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

import msgspec


class Fields(msgspec.Struct, frozen=True):
    """What an object with named fields holds."""

    items: Iterable[tuple[str, Any]]
    remedy: str = ""
    """What to write instead; empty where the object is as good as a dict."""


class Substitute(msgspec.Struct, frozen=True):
    """A plain value that stands for another."""

    value: Any
    became: str = ""
    """What it was sent as."""
    remedy: str = ""
    """What to write instead; empty where the value is as good as the plain one."""
    what: str = ""
    """What the other value is, if its type does not say so."""


def fields_of(value: Any) -> Fields | None:
    """The fields of a dataclass, named tuple, msgspec struct, attrs or pydantic model; None for others.

    Those of a dataclass and of attrs that start with `_` are private; what a pydantic model excludes stays
    out. Raises what the object's own methods raise.
    """
    cls = type(value)
    if hasattr(cls, "__dataclass_fields__"):
        return Fields(_public(value, (each.name for each in dataclasses.fields(value))))
    if hasattr(cls, "__struct_encode_fields__"):
        return Fields(_struct_items(value))
    if issubclass(cls, tuple):
        names: Iterable[str] | None = getattr(cls, "_fields", None)
        return None if names is None else Fields(zip(names, tuple.__iter__(value), strict=True))
    if hasattr(cls, "__attrs_attrs__"):
        attributes = (each.name for each in cls.__attrs_attrs__)
        return Fields(_public(value, attributes), "write attrs.asdict(value)")
    if hasattr(cls, "__pydantic_fields__") and hasattr(cls, "model_dump"):
        return _dumped(value.model_dump(), "write value.model_dump()")
    if hasattr(cls, "__fields__") and hasattr(cls, "__validators__") and hasattr(cls, "dict"):  # pydantic 1
        return _dumped(value.dict(), "write value.dict()")
    return None


def _dumped(made: Any, remedy: str) -> Fields | None:
    # A model of pydantic's whose root is a list, say, has no fields.
    return Fields(made.items(), remedy) if isinstance(made, Mapping) else None


def _public(value: Any, names: Iterable[str]) -> Iterator[tuple[str, Any]]:
    return ((name, getattr(value, name)) for name in names if not name.startswith("_"))


def _struct_items(value: Any) -> Iterator[tuple[str, Any]]:
    cls = type(value)
    tag = cls.__struct_config__.tag
    if tag is not None:
        yield cls.__struct_config__.tag_field, tag
    for key, name in zip(cls.__struct_encode_fields__, cls.__struct_fields__, strict=True):
        item = getattr(value, name)
        if type(item).__name__ != "UnsetType":  # msgspec.UNSET: a field that is meant to be left out
            yield key, item


def substitute_of(value: Any) -> Substitute | None:
    """The plain value in the place of one that JSON does not know though its meaning is plain; else None."""
    cls = type(value)
    if isinstance(value, timedelta):
        seconds = timedelta.total_seconds(value)
        is_missing = value != value  # noqa: PLR0124 - a missing one differs from itself
        return Substitute(None if is_missing else seconds, "seconds", "write value.total_seconds()")
    if isinstance(value, os.PathLike):
        return Substitute(os.fsdecode(os.fspath(value)), "text", "write str(value)")
    if cls.__module__ == "ipaddress":
        return Substitute(str(value), "text", "write str(value)")
    if isinstance(value, UserString):
        return Substitute(value.data)
    if _is_named(cls, "NAType", "pandas"):
        return Substitute(None, "null", "write None", "pandas.NA")
    if _is_lazy_text(cls):
        return Substitute(str(value), "it reads here", "write str(value)", "a lazy text")
    if _is_named(cls, "datetime64", "numpy"):
        text = str(value)
        return Substitute(None if text == "NaT" else text)
    if _is_named(cls, "timedelta64", "numpy"):
        return _seconds(value)
    if hasattr(cls, "__pydantic_root_model__") and cls.__pydantic_root_model__:
        return Substitute(value.root, "its root", "write value.model_dump()")
    return None


def _seconds(value: Any) -> Substitute:
    """The seconds of a numpy timedelta64, whatever its unit. Raises ValueError for years and months."""
    unit, count = str(value.dtype).rpartition("[")[2].rstrip("]"), value.astype("int64").item()
    number = unit.rstrip("abcdefghijklmnopqrstuvwxyzDWYM")
    size = _UNITS.get(unit[len(number) :])
    if size is None:
        raise ValueError("years and months have no length in seconds")
    seconds = None if str(value) == "NaT" else count * size
    return Substitute(seconds, "seconds", "write value.item().total_seconds()")


_UNITS: Final = {
    "W": 604_800.0,
    "D": 86_400.0,
    "h": 3600.0,
    "m": 60.0,
    "s": 1.0,
    "ms": 1e-3,
    "us": 1e-6,
    "ns": 1e-9,
    "ps": 1e-12,
    "fs": 1e-15,
    "as": 1e-18,
}


def is_made_of_times(array: Any) -> bool:
    """Whether an array of numpy's, or a Series, holds times: `tolist` would make numbers of some of them."""
    return getattr(array.dtype, "kind", "") in ("m", "M") and hasattr(array, "ndim")


_LAZY_TEXTS: Final = frozenset(
    {"django.utils.functional.Promise", "babel.support.LazyProxy", "flask_babel.speaklater.LazyString"}
)


def _is_lazy_text(cls: type) -> bool:
    return any(f"{each.__module__}.{each.__qualname__}" in _LAZY_TEXTS for each in cls.__mro__)


def _is_named(cls: type, name: str, package: str) -> bool:
    return cls.__name__ == name and cls.__module__.partition(".")[0] == package
