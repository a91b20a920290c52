"""What is worth mending in an event that the API takes: it would not do what its author meant.

Each function gives warnings, with messages that say what to write instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from antinode._protocol.fields import (
    GROUP_IDENTIFY,
    GROUP_OPERATIONS,
    IDENTIFY,
    OPERATIONS,
    REVENUE,
)
from antinode._protocol.limits import MAX_DEPTH, MAX_GROUP_TYPES, MAX_GROUP_VALUES, MAX_STRING
from antinode._protocol.unknown_keys import advice, meant_key
from antinode._protocol.values import describe
from antinode._protocol.words import counted
from antinode.server.ingest.fast_schemas import FIRST_MS, LAST_MS
from antinode.server.models import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NO_INSERT_ID: Final = Problem(
    "no_insert_id",
    "warning",
    "insert_id",
    "there is no `insert_id`: write a new UUID for each event, so that one sent twice is counted once",
)
NO_TIME: Final = Problem(
    "no_time",
    "warning",
    "time",
    "there is no `time`, so that of the upload counts: write when it happened, in milliseconds since 1970",
)


def on_time(time: int | None) -> Iterator[Problem]:
    """A `time` that is not in milliseconds, by its size."""
    if time is None or FIRST_MS <= time < LAST_MS:
        return
    if 0 < time < FIRST_MS:
        yield _warning("time_in_seconds", "time", f"`time` {time} is in 1970 or soon after: {_SCALE} 1000")
    elif LAST_MS <= time < 10**17:
        yield _warning("time_in_microseconds", "time", f"`time` {time} is far in the future: {_CUT} 1000")
    elif time >= 10**17:
        yield _warning("time_in_nanoseconds", "time", f"`time` {time} is far in the future: {_CUT} 1000000")
    else:
        yield _warning("time_before_1970", "time", f"`time` {time} is not after 1970: {_MILLISECONDS}")


_MILLISECONDS: Final = "write milliseconds since 1970"
_SCALE: Final = f"{_MILLISECONDS}, which are seconds times"
_CUT: Final = f"{_MILLISECONDS}, that is, divide it by"


def on_groups(groups: Mapping[str, Any]) -> Iterator[Problem]:
    """More groups than are tracked, and names that are no text."""
    names = [name for value in groups.values() for name in (value if isinstance(value, list) else [value])]
    if len(groups) > MAX_GROUP_TYPES or len(names) > MAX_GROUP_VALUES:
        yield _warning(
            "too_many_groups",
            "groups",
            f"`groups` has {counted(len(groups), 'type')} and {counted(len(names), 'name')}: "
            f"only {MAX_GROUP_TYPES} types and {MAX_GROUP_VALUES} names of an event are tracked: write fewer",
        )
    odd = [name for name in names if not isinstance(name, str)]
    if odd:
        yield _warning(
            "invalid_group_name",
            "groups",
            f"the name of a group must be a string, not {describe(odd[0])}: write text",
        )


def on_properties(event: Mapping[str, Any]) -> Iterator[Problem]:
    """Operations that are not applied, or not where they are written."""
    event_type = event["event_type"]
    user_properties = event.get("user_properties")
    if user_properties:
        operations = _operations(user_properties)
        if operations and event_type not in (IDENTIFY, GROUP_IDENTIFY):
            yield _warning(
                "operation_on_event",
                "user_properties",
                f"operations such as `{operations[0][:40]}` belong to an `{IDENTIFY}` event: "
                "send one, or write plain keys",
            )
        yield from _on_operations("user_properties", user_properties)
    group_properties = event.get("group_properties")
    if group_properties and event_type != GROUP_IDENTIFY:
        yield _warning(
            "ignored_group_properties",
            "group_properties",
            f"`group_properties` are ignored except on a `{GROUP_IDENTIFY}` event: send one",
        )
    elif group_properties:
        yield from _on_operations("group_properties", group_properties)
    if event_type == GROUP_IDENTIFY and not event.get("groups"):
        yield _warning(
            "no_groups", "groups", "there are no `groups`, so nothing changes: write which group it is about"
        )


def _operations(properties: Mapping[str, Any]) -> list[str]:
    return [name for name in properties if name.startswith("$")]


def _on_operations(field: str, properties: Mapping[str, Any]) -> Iterator[Problem]:
    operations = _operations(properties)
    if operations and len(operations) < len(properties):
        key = next(name for name in properties if not name.startswith("$"))
        yield _warning(
            "mixed_operations",
            field,
            f"`{field}` has operations and plain keys such as `{key[:40]}`: write plain keys inside `$set`",
        )
    for name in operations:
        value = properties[name]
        if name not in OPERATIONS:
            yield _warning(
                "unknown_operation",
                field,
                f"`{name[:40]}` is no operation and is ignored: write one of {', '.join(OPERATIONS)}",
            )
        elif name != "$clearAll" and not isinstance(value, dict):
            yield _warning(
                "invalid_operation",
                field,
                f"`{name}` must have an object of properties, not {describe(value)}: "
                f'write {{"{name}": {{"property": …}}}}',
            )
        elif name == "$add":
            yield from _on_sums(field, value)
        if field == "group_properties" and name in OPERATIONS and name not in GROUP_OPERATIONS:
            yield _warning(
                "undocumented_operation",
                field,
                f"`{name}` is not documented for groups: write one of {', '.join(sorted(GROUP_OPERATIONS))}",
            )


def _on_sums(field: str, sums: Mapping[str, Any]) -> Iterator[Problem]:
    for key, value in sums.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            yield _warning(
                "invalid_sum", field, f"`$add` of `{key[:40]}` must be a number, not {describe(value)}"
            )


def on_revenue(event: Mapping[str, Any]) -> Iterator[Problem]:
    """Money that is not counted, or not as it is written."""
    price, quantity, revenue = (event.get(key) for key in ("price", "quantity", "revenue"))
    if price is None and revenue is None:
        lone = next((key for key in _WITH_A_PRICE if key in event), None)
        if lone is not None:
            yield _warning(
                "revenue_without_price",
                lone,
                f"`{lone}` without `price` or `revenue` counts as no revenue: write one of them",
            )
    elif price is not None and quantity is not None and revenue is not None:
        product = price * quantity
        if abs(product - revenue) > 1e-6 * max(1.0, abs(product)):
            yield _warning(
                "ignored_revenue",
                "revenue",
                f"`revenue` {revenue} is ignored: `price` times `quantity` is {product}, so leave one out",
            )
    currency = event.get("currency")
    if currency is not None and not (len(currency) == 3 and currency.isascii() and currency.isupper()):
        yield _warning(
            "invalid_currency",
            "currency",
            f"`currency` {currency[:40]!r} is no code of ISO 4217: write three capitals, such as EUR",
        )
    if event["event_type"] == REVENUE:
        properties = event.get("event_properties", {})
        if (
            properties.get("$price") is None
            and properties.get("$revenue") is None
            and price is revenue is None
        ):
            yield _warning(
                "revenue_without_price",
                "event_properties",
                f"a `{REVENUE}` event without `$price` or `$revenue` counts as no revenue: write one of them",
            )


_WITH_A_PRICE: Final = ("quantity", "productId", "revenueType", "currency")


def on_unknown_key(key: str) -> Iterator[Problem]:
    """A key that is ignored: one that was misspelt, or that is none at all."""
    if key in _OF_OTHER_APIS:
        return
    code = "unknown_key" if meant_key(key) is None else "misspelt_key"
    yield _warning(code, key[:60], f"`{key[:60]}` {advice(key)}")


_OF_OTHER_APIS: Final = frozenset({"sequence_number", "api_properties", "paying", "start_version"})
"""Sent by the maintenance SDKs, and documented for the Identify API (reference, sections 16 and 17)."""


def number_as_id(field: str, value: float) -> Problem:
    return _warning(
        f"{field}_is_number", field, f"`{field}` {value} is a number and is taken as text: write it as text"
    )


def short_id_removed(field: str, value: str, min_id_length: int) -> Problem:
    return _warning(
        f"short_{field}_removed",
        field,
        f"`{field}` {value[:60]!r} is shorter than {counted(min_id_length, 'character')} and was taken off "
        "the event: write a longer id, or lower min_id_length",
    )


def truncated(field: str, paths: list[str]) -> Problem:
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    names = ", ".join(f"`{path[:80]}`" for path in paths[:3])
    return _warning("truncated", field, f"{names}{more} cut to {MAX_STRING} characters: write shorter texts")


def left_out(field: str) -> Problem:
    return _warning(
        "nested_too_deep",
        field[:60],
        f"`{field[:60]}` is nested more than {MAX_DEPTH} layers deep and was left out: flatten it",
    )


def _warning(code: str, field: str, message: str) -> Problem:
    return Problem(code, "warning", field, message)
