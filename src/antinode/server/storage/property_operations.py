"""What an identify does to a table of properties: the ten operations, their order, plain keys (reference, 8).

Pure: a table is never changed in place, so that every event can keep the one it saw.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from antinode._protocol import exact
from antinode._protocol.fields import OPERATIONS
from antinode._protocol.limits import MAX_PROPERTY_ARRAY

Table: TypeAlias = Mapping[str, Any]
"""Properties by name. The values are JSON and are shared, not copied: nobody may change them."""


def apply(table: Table, payload: Table) -> Table:
    """`table` after `payload`, the `user_properties` or `group_properties` of one event.

    Operations come first, in the server's order whatever the order of the keys, then the plain keys (8.3). A
    null sets nothing, and an unknown key with a dollar sign does nothing. Returns `table` itself if nothing
    of it changes.
    """
    for key in payload:
        if key.startswith("$"):
            break
    else:
        return _set(table, payload)
    after = table
    for operation in OPERATIONS:
        if operation in payload:
            after = _OPERATE[operation](after, payload[operation])
    after = _set(after, {key: value for key, value in payload.items() if not key.startswith("$")})
    return after if changed_keys(table, after) else table


def changed_keys(before: Table, after: Table) -> set[str]:
    """The keys that were added, removed or given another value."""
    if before is after:
        return set()
    changed = {key for key in before if key not in after}
    for key, value in after.items():
        if key not in before or not is_same(before[key], value):
            changed.add(key)
    return changed


def is_same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal: `1` and `1.0` are, `1` and `true` or `"1"` are not."""
    if one is other:
        return True
    if isinstance(one, bool) or isinstance(other, bool):
        return False  # both are singletons, so equal ones are identical
    if isinstance(one, dict):
        return (
            isinstance(other, dict)
            and len(one) == len(other)
            and all(key in other and is_same(value, other[key]) for key, value in one.items())
        )
    if isinstance(one, list):
        return (
            isinstance(other, list)
            and len(one) == len(other)
            and all(is_same(each, its) for each, its in zip(one, other, strict=True))
        )
    return bool(one == other)


def _set(table: Table, values: Any) -> Table:
    news = {
        key: value for key, value in _entries(values) if key not in table or not is_same(table[key], value)
    }
    return {**table, **news} if news else table


def _set_once(table: Table, values: Any) -> Table:
    return {**dict(_entries(values)), **table}


def _add(table: Table, values: Any) -> Table:
    sums = {}
    for key, value in _entries(values):
        old = table.get(key, 0)
        if _is_number(value) and _is_number(old):
            sums[key] = _sum(old, value)
    return {**table, **sums}


def _append(table: Table, values: Any) -> Table:
    return _extend(table, values, lambda old, new: old + new)


def _prepend(table: Table, values: Any) -> Table:
    return _extend(table, values, lambda old, new: new + old)


def _pre_insert(table: Table, values: Any) -> Table:
    return _extend(table, values, lambda old, new: _without(new, old) + old)


def _post_insert(table: Table, values: Any) -> Table:
    return _extend(table, values, lambda old, new: old + _without(new, old))


def _remove(table: Table, values: Any) -> Table:
    rests = {}
    for key, value in _entries(values):
        old = table.get(key)
        if isinstance(old, list):
            doomed = value if isinstance(value, list) else [value]
            rests[key] = [each for each in old if not any(is_same(each, one) for one in doomed)]
    return {**table, **rests}


def _unset(table: Table, values: Any) -> Table:
    if not isinstance(values, dict):
        return table
    return {key: value for key, value in table.items() if key not in values}


def _clear_all(_table: Table, _values: Any) -> Table:
    return {}


_OPERATE: Final[Mapping[str, Callable[[Table, Any], Table]]] = MappingProxyType(
    {
        "$clearAll": _clear_all,
        "$unset": _unset,
        "$set": _set,
        "$setOnce": _set_once,
        "$add": _add,
        "$append": _append,
        "$prepend": _prepend,
        "$preInsert": _pre_insert,
        "$postInsert": _post_insert,
        "$remove": _remove,
    }
)


def _entries(values: Any) -> list[tuple[str, Any]]:
    """The properties that an operation names; none if its argument is not an object."""
    if not isinstance(values, dict):
        return []
    return [(key, value) for key, value in values.items() if value is not None]


def _extend(table: Table, values: Any, join: Callable[[list[Any], list[Any]], list[Any]]) -> Table:
    extended = {}
    for key, value in _entries(values):
        old = table.get(key)
        olds = [] if old is None else old if isinstance(old, list) else [old]
        extended[key] = _cut(join(olds, value if isinstance(value, list) else [value]))
    return {**table, **extended}


def _without(values: list[Any], present: list[Any]) -> list[Any]:
    """Those of `values` that are not `present`, each once."""
    new: list[Any] = []
    for value in values:
        if not any(is_same(value, one) for one in present) and not any(is_same(value, one) for one in new):
            new.append(value)
    return new


def _cut(values: list[Any]) -> list[Any]:
    """`values` within the characters that an array may grow to (section 5): those at the end are left off."""
    text = exact.dumps(values)
    if len(text) <= MAX_PROPERTY_ARRAY or len(text.decode()) <= MAX_PROPERTY_ARRAY:
        return values
    size = 2
    for count, value in enumerate(values):
        size += len(exact.dumps(value).decode()) + (count > 0)
        if size > MAX_PROPERTY_ARRAY:
            return values[:count]
    return values


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _sum(old: float, value: float) -> float:
    """`old` plus `value`, exact for whole numbers; `old` if the sum is more than a float can hold."""
    total = old + value
    return total if abs(total) <= sys.float_info.max else old
