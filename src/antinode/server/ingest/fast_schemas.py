"""The types of an event's values, checked in compiled code: what fits needs no other look at its values.

Both shapes are made from the protocol's table of fields, and both only ever clear an event. What does not
fit is not wrong yet: the protocol's own rules say what is.
"""

from __future__ import annotations

from types import GenericAlias
from typing import TYPE_CHECKING, Annotated, Any, Final, Protocol, TypeAlias, cast

import msgspec
from msgspec import UNSET, Meta, UnsetType

from antinode._protocol.fields import FIELDS, FieldKind
from antinode._protocol.limits import MAX_GROUP_TYPES, MAX_STRING

if TYPE_CHECKING:
    from collections.abc import Mapping

FIRST_MS: Final = 10**11
LAST_MS: Final = 10**14
"""Milliseconds of the years 1973 to 5138. Seconds, microseconds and nanoseconds of our times are outside."""

_LAYERS: Final = 4
"""Of properties: far fewer than the API allows, more than most events have."""


class Shape(Protocol):
    """An event that fits. Keys that it does not have are UNSET."""

    event_type: str | UnsetType
    user_id: str | UnsetType
    device_id: str | UnsetType
    time: int | UnsetType
    insert_id: str | UnsetType
    user_properties: dict[str, Any] | UnsetType
    group_properties: dict[str, Any] | UnsetType
    price: float | UnsetType
    quantity: int | UnsetType
    productId: str | UnsetType
    revenueType: str | UnsetType
    currency: str | UnsetType
    ip: str | UnsetType


class LooseShape(Protocol):
    """An event as `Shape` describes it, but with None, empty strings and numbers as text allowed."""

    event_type: str | float | UnsetType | None
    user_id: str | float | UnsetType | None
    device_id: str | float | UnsetType | None


def plain(event: Mapping[str, Any]) -> Shape | None:
    """`event`, if its values can be applied as they are: known keys, nothing empty, every string short, and
    `time` in our days. The ids and the event type may be missing, or be some that the API refuses."""
    try:
        return cast(Shape, msgspec.convert(event, _PLAIN))
    except msgspec.ValidationError:
        return None


def plain_text(text: msgspec.Raw) -> Shape | None:
    """As `plain`, for an event as JSON. None also for what is no JSON."""
    try:
        return cast(Shape, _DECODER.decode(text))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def sound(event: Mapping[str, Any]) -> LooseShape | None:
    """`event`, if each value is of a type that its key takes, and its properties are not deep. The ids and
    the event type may be missing, or be some that the API refuses."""
    try:
        return cast(LooseShape, msgspec.convert(event, _SOUND))
    except msgspec.ValidationError:
        return None


def _properties(text: Any) -> Any:
    scalar = text | int | float | bool | None
    value = scalar
    for _ in range(_LAYERS - 1):
        value = scalar | GenericAlias(list, (value,)) | GenericAlias(dict, (str, value))
    return GenericAlias(dict, (str, value))


def _shape(name: str, types: Mapping[str, Any], *, forbids_unknown: bool) -> type[msgspec.Struct]:
    attributes = {key: key.removeprefix("$") for key in types}
    return msgspec.defstruct(
        name,
        [(attributes[key], kind | UnsetType, UNSET) for key, kind in types.items()],
        kw_only=True,
        gc=False,
        rename={attribute: key for key, attribute in attributes.items() if attribute != key},
        forbid_unknown_fields=forbids_unknown,
    )


_INTEGER: TypeAlias = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
_TEXT: TypeAlias = Annotated[str, Meta(min_length=1, max_length=MAX_STRING)]
_CUT: TypeAlias = Annotated[str, Meta(max_length=MAX_STRING)]

_PLAIN_KINDS: Final[Mapping[FieldKind, Any]] = {
    FieldKind.STRING: _TEXT,
    FieldKind.INTEGER: _INTEGER,
    FieldKind.NUMBER: float,
    FieldKind.BOOLEAN: bool,
    FieldKind.OBJECT: _properties(_CUT),
    FieldKind.ANY: _CUT | int | float | bool,
}
_PLAIN: Final = _shape(
    "Plain",
    {
        **{key: _PLAIN_KINDS[kind] for key, kind in FIELDS.items()},
        "time": Annotated[int, Meta(ge=FIRST_MS, lt=LAST_MS)],
        "groups": Annotated[dict[str, _TEXT], Meta(max_length=MAX_GROUP_TYPES)],
    },
    forbids_unknown=True,
)
_DECODER: Final = msgspec.json.Decoder(_PLAIN)

_SOUND_KINDS: Final[Mapping[FieldKind, Any]] = {
    FieldKind.STRING: str | int | float | None,
    FieldKind.INTEGER: _INTEGER | None,
    FieldKind.NUMBER: float | None,
    FieldKind.BOOLEAN: bool | None,
    FieldKind.OBJECT: _properties(str) | None,
    FieldKind.ANY: Any,
}
_NAME: TypeAlias = str | int | bool | None
_SOUND: Final = _shape(
    "Sound",
    {
        **{key: _SOUND_KINDS[kind] for key, kind in FIELDS.items()},
        # A float may have lost digits, so it is not taken here.
        "insert_id": str | int | None,
        "groups": dict[str, _NAME | list[_NAME]] | None,
    },
    forbids_unknown=False,
)
