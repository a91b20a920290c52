"""Changes to the properties of a user or a group, gathered into one event."""

from __future__ import annotations

import enum
import logging
import uuid
from collections.abc import Mapping, Sequence, Set, ValuesView
from datetime import date, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

from antinode._delivery.shell.log_limiter import write
from antinode._encoding.numbers import is_real_number, json_number
from antinode._protocol.groups import names_of
from antinode._protocol.ids import as_text, has_lost_digits
from antinode._protocol.values import Unencodable, make_safe
from antinode._public import public

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from antinode._encoding.numbers import Number
    from antinode._events import EventDict

    PropertyValue: TypeAlias = (
        str
        | float
        | Decimal
        | date
        | time
        | uuid.UUID
        | enum.Enum
        | Sequence[object]
        | Mapping[str, object]
        | Set[object]
        | ValuesView[object]
        | DataclassInstance
    )


# In the order in which the server applies them, whatever their order in the JSON.
_METHODS = {
    "$clearAll": "clear_all",
    "$unset": "unset",
    "$set": "set",
    "$setOnce": "set_once",
    "$add": "add",
    "$append": "append",
    "$prepend": "prepend",
    "$preInsert": "pre_insert",
    "$postInsert": "post_insert",
    "$remove": "remove",
}
_DOCUMENTED_FOR_GROUPS = frozenset({"$set", "$setOnce", "$add", "$append", "$prepend", "$unset"})
_NO_VALUE = "-"  # what SDKs send where only the name of the operation or property counts

# What the encoder can write, told apart from the rest here so that one bad value costs only its property.
_VALUE_TYPES = (
    int,  # bool too
    float,
    Decimal,
    Sequence,  # str too
    Mapping,
    Set,
    ValuesView,
    date,
    time,
    uuid.UUID,
    enum.Enum,
)
_PLAIN_VALUE_TYPES = frozenset({str, int, float, bool, list, dict})
_VALUE_MARKS = ("__dataclass_fields__", "__struct_fields__", "tolist")  # tolist: NumPy


@public
class Identify:
    """Changes to one user's or group's properties, for `client.identify` and `client.group_identify`.

    Each property takes one operation per object: the first call wins, later ones are ignored. A call that
    breaks a rule changes nothing; it is logged as a warning and kept in `problems`, or raises `ValueError`
    under `strict`. Calls chain. The object can be sent any number of times. It belongs to one thread.

        Identify().set("plan", "pro").set_once("signup", "2026-01-01").add("logins", 1)
    """

    __slots__ = ("_groups", "_is_clear_all", "_operations", "_problems", "_strict")

    def __init__(self, *, strict: bool = False) -> None:
        self._strict = strict
        self._operations: dict[str, tuple[str, Any]] = {}  # property -> operation, value
        self._groups: dict[str, str | list[str]] = {}  # each has a "$set" in _operations too
        self._is_clear_all = False
        self._problems: list[str] = []

    def set(self, name: str, value: PropertyValue) -> Identify:
        """Give the property this value, whatever it was before."""
        return self._record("$set", name, value)

    def set_once(self, name: str, value: PropertyValue) -> Identify:
        """Give the property this value unless it has one already."""
        return self._record("$setOnce", name, value)

    def add(self, name: str, value: Number) -> Identify:
        """Add a real number, negative to subtract, to the property; an absent one counts as 0.

        bool, NaN and infinity are refused; Decimal and Fraction are sent as the nearest float.
        """
        return self._record("$add", name, value)

    def append(self, name: str, value: PropertyValue) -> Identify:
        """Add the value, or each value of a list, at the end of the property's list."""
        return self._record("$append", name, value)

    def prepend(self, name: str, value: PropertyValue) -> Identify:
        """Add the value, or each value of a list, at the front of the property's list."""
        return self._record("$prepend", name, value)

    def pre_insert(self, name: str, value: PropertyValue) -> Identify:
        """Add those of the values that the property's list does not have yet at its front."""
        return self._record("$preInsert", name, value)

    def post_insert(self, name: str, value: PropertyValue) -> Identify:
        """Add those of the values that the property's list does not have yet at its end."""
        return self._record("$postInsert", name, value)

    def remove(self, name: str, value: PropertyValue) -> Identify:
        """Remove every occurrence of the value, or of each value of a list, from the property's list."""
        return self._record("$remove", name, value)

    def unset(self, name: str) -> Identify:
        """Remove the property itself."""
        return self._record("$unset", name, _NO_VALUE)

    def clear_all(self) -> Identify:
        """Remove all properties, for good. Stands alone: earlier calls are discarded, later ones ignored."""
        if self._operations:
            problem = (
                f"clear_all() stands alone and discards {self._summary()}; "
                "put these into a second Identify, sent after this one"
            )
            self._tell(problem)
        self._operations.clear()
        self._groups.clear()
        self._is_clear_all = True
        return self

    def set_group(self, group_type: str, group_name: str | Sequence[str]) -> Identify:
        """Put the user into a group, or into several of one type: a `set` of the same name, and `groups`.

        For users only; `client.group_identify` names its group itself and leaves this out.
        """
        given: object = group_type
        kind = as_text(given) if type(given) is int or type(given) is float else group_type
        problem = self._refusal("set_group", kind) or _refusal_of_group_name(kind, group_name)
        if problem:
            return self._refuse(problem)
        name, odd, lost = names_of(group_name)
        if odd or lost or kind is not group_type:
            text = "Identify: set_group(%s) takes text, and %s"
            what = f"{lost} was left out" if lost else "a number or bool was written as text"
            write(logging.WARNING, text, _short(kind), what)
        self._operations[kind] = ("$set", name)
        self._groups[kind] = name
        return self

    @property
    def problems(self) -> tuple[str, ...]:
        """What was ignored so far, why, and what to write instead; no values."""
        return tuple(self._problems)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to send."""
        return not self._operations and not self._is_clear_all

    def to_event(self, user_id: str | None = None, device_id: str | None = None) -> EventDict:
        """A new `$identify` event for this user; later calls on the Identify do not change it."""
        event: EventDict = {"event_type": "$identify"}
        if user_id is not None:
            event["user_id"] = user_id
        if device_id is not None:
            event["device_id"] = device_id
        event["user_properties"] = self._payload(self._operations)
        if self._groups:
            event["groups"] = {group_type: _copied(name) for group_type, name in self._groups.items()}
        return event

    def to_group_event(self, group_type: str, group_name: str | Sequence[str]) -> EventDict:
        """A new `$groupidentify` event for one group, or for several of one type.

        Operations that Amplitude does not document for groups are sent all the same, and told; what
        `set_group` added is left out, and told.
        """
        kind: object = group_type
        if kind is None or names_of(group_name)[0] is None:
            raise ValueError(
                "group_identify() was ignored: a group has a type and a name, which are str, not "
                f"{_kind(kind)} and {_kind(group_name)}"
            )
        if self._groups:
            self._tell(
                f"set_group() of {_names(self._groups)} is left out of a group identify, "
                "which names its group itself; send it with client.identify"
            )
        operations = {name: done for name, done in self._operations.items() if name not in self._groups}
        payload = self._payload(operations)
        for operation in payload:
            if operation not in _DOCUMENTED_FOR_GROUPS:
                self._tell(
                    f"{_METHODS[operation]}() is not documented for groups, so Amplitude may ignore it; "
                    "documented are set, set_once, add, append, prepend and unset"
                )
        return {
            "event_type": "$groupidentify",
            "groups": {group_type: _copied(group_name)},
            "group_properties": payload,
        }

    def __repr__(self) -> str:
        return f"<Identify {self._summary()}>"

    def _record(self, operation: str, name: str, value: Any) -> Identify:
        kind = type(value)
        if (
            type(name) is str
            and name not in self._operations
            and not self._is_clear_all
            and name
            and not name.isspace()
            and (
                kind is int and -(2**63) <= value < 2**63
                if operation == "$add"
                else kind in _PLAIN_VALUE_TYPES
            )
        ):
            # What nearly all are, told quickly: there is nothing to say of it.
            self._operations[name] = (operation, value)
            return self
        method = _METHODS[operation]
        problem = self._refusal(method, name) or _refusal_of_value(method, name, value)
        if problem:
            return self._refuse(problem)
        self._operations[name] = (operation, json_number(value) if operation == "$add" else value)
        return self

    def _refusal(self, method: str, name: object) -> str | None:
        if not isinstance(name, str):
            return f"{method}() was ignored: a property's name is a str, not {_kind(name)}"
        if not name.strip():
            return f"{method}() was ignored: a property's name must not be blank"
        call = f"{method}({_short(name)})"
        if self._is_clear_all:
            return f"{call} was ignored: clear_all() stands alone; put it into a second Identify, sent later"
        if name in self._operations:
            first = "set_group" if name in self._groups else _METHODS[self._operations[name][0]]
            return (
                f"{call} was ignored: {first}() came first, and an Identify has one operation for each "
                "property; put it into a second Identify, sent later"
            )
        return None

    def _refuse(self, problem: str) -> Identify:
        self._tell(problem)
        return self

    def _tell(self, problem: str) -> None:
        if self._strict:
            raise ValueError(problem)
        if problem not in self._problems:  # building an event a second time finds the same again
            self._problems.append(problem)
        write(logging.WARNING, "Identify: %s", problem)

    def _payload(self, operations: Mapping[str, tuple[str, Any]]) -> dict[str, Any]:
        if self._is_clear_all:
            return {"$clearAll": _NO_VALUE}
        payload: dict[str, Any] = {}
        for name, (operation, value) in operations.items():
            payload.setdefault(operation, {})[name] = value
        if len(payload) < 2:
            return payload
        return {operation: payload[operation] for operation in _METHODS if operation in payload}

    def _summary(self) -> str:
        if self._is_clear_all:
            return "clear_all"
        if not self._operations:
            return "empty"
        names: dict[str, list[str]] = {}
        for name, (operation, _) in self._operations.items():
            names.setdefault("set_group" if name in self._groups else _METHODS[operation], []).append(name)
        return "; ".join(f"{method} {_names(properties)}" for method, properties in names.items())


def _refusal_of_value(method: str, name: str, value: object) -> str | None:
    call = f"{method}({_short(name)})"
    if value is None:
        return f"{call} was ignored: None is no value for a property; unset({_short(name)}) removes it"
    if method == "add":
        if is_real_number(value):
            return None
        return (
            f"{call} was ignored: add takes finite numbers (int, float, Decimal, Fraction), "
            f"and this {type(value).__name__} is none"
        )
    if isinstance(value, _VALUE_TYPES) or any(hasattr(type(value), mark) for mark in _VALUE_MARKS):
        return None
    try:
        make_safe(value, path=name, notes=[])
    except Unencodable:
        return (
            f"{call} was ignored: {_kind(value)} is not JSON; "
            "give a str, number, bool, list, dict, datetime, UUID, Enum, dataclass or model"
        )
    return None


def _refusal_of_group_name(group_type: str, group_name: object) -> str | None:
    call = f"set_group({_short(group_type)})"
    names = group_name if isinstance(group_name, (list, tuple)) else [group_name]
    if not names:
        return f"{call} was ignored: the list of group names is empty"
    if names_of(group_name)[0] is None or has_lost_digits(names):
        return f"{call} was ignored: a group's name is a str or a list of str, not {_kind(names[0])}"
    if any(isinstance(name, str) and not name.strip() for name in names):
        return f"{call} was ignored: a group's name must not be blank"
    return None


def _copied(name: str | Sequence[str]) -> str | Sequence[str]:
    # Anything else passes through: what is wrong with a group's name is told when the event is logged.
    return list(name) if isinstance(name, (list, tuple)) else name


def _kind(value: object) -> str:
    # Types only: a value is the user's data, and messages are logged.
    return "None" if value is None else f"a value of type {type(value).__name__}"


def _names(properties: Mapping[str, object] | Sequence[str]) -> str:
    return ", ".join(_short(name) for name in properties)


def _short(name: str) -> str:
    text = repr(name)
    return text if len(text) <= 60 else text[:59] + "…"
