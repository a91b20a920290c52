"""The ten operations on properties: laws, and what the reference states of them."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antinode._protocol.fields import OPERATIONS
from antinode._protocol.limits import MAX_PROPERTY_ARRAY
from antinode.server.storage.property_operations import apply, changed_keys, is_same

KEYS = st.sampled_from(["a", "b", "plan", "n"])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=2),
    max_leaves=4,
)
SET_VALUES = VALUES.filter(lambda value: value is not None)
TABLES = st.dictionaries(KEYS, SET_VALUES, max_size=4)
ARGUMENTS = st.dictionaries(KEYS, VALUES, max_size=3)
PAYLOADS = st.dictionaries(st.sampled_from([*OPERATIONS, "$unknown"]), ARGUMENTS | VALUES, max_size=4)
MIXED = st.builds(lambda operations, plain: {**operations, **plain}, PAYLOADS, st.dictionaries(KEYS, VALUES))


@given(TABLES, MIXED)
def test_nothing_that_was_given_changes(table: dict[str, Any], payload: dict[str, Any]) -> None:
    """Neither the table nor the payload is changed, whatever they hold, and nothing is raised."""
    before = copy.deepcopy((table, payload))
    apply(table, payload)
    assert before == (table, payload)


@given(TABLES, MIXED)
def test_what_comes_out_can_be_stored(table: dict[str, Any], payload: dict[str, Any]) -> None:
    """The result is JSON that reads back the same: no infinities, nothing beyond 64 bits."""
    after = dict(apply(table, payload))
    assert is_same(after, orjson.loads(orjson.dumps(after)))


@given(TABLES, MIXED)
def test_an_unchanged_table_is_the_same_object(table: dict[str, Any], payload: dict[str, Any]) -> None:
    """The table itself comes back if and only if no property changed."""
    after = apply(table, payload)
    assert (after is table) == (not changed_keys(table, after))


@given(TABLES, MIXED, st.randoms())
def test_the_order_of_keys_means_nothing(table: dict[str, Any], payload: dict[str, Any], random: Any) -> None:
    """The same payload with its keys in another order does the same."""
    keys = list(payload)
    random.shuffle(keys)
    assert is_same(dict(apply(table, payload)), dict(apply(table, {key: payload[key] for key in keys})))


@given(TABLES, PAYLOADS)
def test_a_payload_is_its_operations_one_by_one(table: dict[str, Any], payload: dict[str, Any]) -> None:
    """One payload with several operations does what they do one after the other, in the server's order."""
    after: Any = table
    for operation in OPERATIONS:
        if operation in payload:
            after = apply(after, {operation: payload[operation]})
    assert is_same(dict(after), dict(apply(table, payload)))


@given(TABLES, ARGUMENTS)
def test_plain_keys_are_a_set(table: dict[str, Any], values: dict[str, Any]) -> None:
    """Plain keys do what the same keys do within `$set`."""
    assert is_same(dict(apply(table, values)), dict(apply(table, {"$set": values})))


@given(TABLES, ARGUMENTS)
def test_set_gives_each_key_its_value(table: dict[str, Any], values: dict[str, Any]) -> None:
    """After `$set`, each key that is not null has its value, and all others have theirs."""
    after = apply(table, {"$set": values})
    for key in {*table, *values}:
        expected = values[key] if values.get(key) is not None else table.get(key)
        assert is_same(expected, after.get(key))


@given(TABLES, ARGUMENTS)
def test_set_once_never_changes_what_is_there(table: dict[str, Any], values: dict[str, Any]) -> None:
    """`$setOnce` adds what is missing and leaves the rest."""
    after = apply(table, {"$setOnce": values})
    for key in {*table, *values}:
        assert is_same(table.get(key, values.get(key)), after.get(key))


@pytest.mark.parametrize("operation", ["$set", "$setOnce", "$unset", "$remove", "$preInsert", "$postInsert"])
@given(table=TABLES, values=ARGUMENTS)
def test_twice_is_once(operation: str, table: dict[str, Any], values: dict[str, Any]) -> None:
    """These operations change nothing the second time."""
    once = apply(table, {operation: values})
    assert apply(once, {operation: values}) is once


@given(st.dictionaries(KEYS, st.integers(-1000, 1000)), st.dictionaries(KEYS, st.integers(-1000, 1000)))
def test_add_can_be_taken_back(table: dict[str, Any], values: dict[str, Any]) -> None:
    """Adding a number and its negative leaves the sum as it was, and 0 where there was nothing."""
    after = apply(apply(table, {"$add": values}), {"$add": {key: -value for key, value in values.items()}})
    assert {**dict.fromkeys(values, 0), **table} == after


@given(st.lists(st.integers(-9, 9)), st.lists(st.integers(-9, 9)))
def test_lists_grow_at_the_end_they_are_told_to(old: list[int], new: list[int]) -> None:
    """`$append` and `$prepend` keep every value and its order."""
    assert {"a": old + new} == apply({"a": old}, {"$append": {"a": new}})
    assert {"a": new + old} == apply({"a": old}, {"$prepend": {"a": new}})


@given(st.lists(st.integers(0, 5), unique=True), st.lists(st.integers(0, 5)))
def test_inserts_make_no_duplicates(old: list[int], new: list[int]) -> None:
    """`$preInsert` and `$postInsert` add each value that is not there yet once, in the order given."""
    added = list(dict.fromkeys(each for each in new if each not in old))
    assert {"a": old + added} == apply({"a": old}, {"$postInsert": {"a": new}})
    assert {"a": added + old} == apply({"a": old}, {"$preInsert": {"a": new}})


@given(st.lists(st.integers(0, 5)), st.lists(st.integers(0, 5)))
def test_remove_takes_every_occurrence(old: list[int], doomed: list[int]) -> None:
    """`$remove` leaves the other values in their order; an emptied list stays."""
    assert {"a": [each for each in old if each not in doomed]} == apply(
        {"a": old}, {"$remove": {"a": doomed}}
    )


@pytest.mark.parametrize(
    ("table", "payload", "after"),
    [
        ({"a": 1}, {"$set": {"a": None}}, {"a": 1}),
        ({"a": 1}, {"$add": {"a": "2"}}, {"a": 1}),
        ({"a": 1}, {"$add": {"a": True}}, {"a": 1}),
        ({"a": "x"}, {"$add": {"a": 2}}, {"a": "x"}),
        ({"a": [1]}, {"$add": {"a": 2}}, {"a": [1]}),
        ({"a": 2**63 - 1}, {"$add": {"a": 1}}, {"a": float(2**63)}),
        ({"a": 1e308}, {"$add": {"a": 1e308}}, {"a": 1e308}),
        ({"a": "x"}, {"$append": {"a": "y"}}, {"a": ["x", "y"]}),
        ({"a": "x"}, {"$postInsert": {"a": "x"}}, {"a": ["x"]}),
        ({"a": [1]}, {"$postInsert": {"a": [True, "1", 1.0]}}, {"a": [1, True, "1"]}),
        ({"a": [1, True, "1"]}, {"$remove": {"a": 1}}, {"a": [True, "1"]}),
        ({"a": 1}, {"$set": {"a": True}}, {"a": True}),
        ({"a": 1, "b": 2}, {"$clearAll": "-", "$set": {"c": 3}}, {"c": 3}),
        ({"a": 1}, {"$clearAll": {}}, {}),
        ({"a": 1}, {"$set": {"a": 2}, "a": 3}, {"a": 3}),
        ({"a": 1}, {"$nope": {"a": 2}}, {"a": 1}),
        ({"a": 1}, {"$set": "a"}, {"a": 1}),
    ],
)
def test_the_odd_cases(table: dict[str, Any], payload: dict[str, Any], after: dict[str, Any]) -> None:
    """What the reference settles, or leaves to its defaults."""
    assert is_same(after, dict(apply(table, payload)))


def test_an_array_grows_only_so_far() -> None:
    """An array stops growing at 10,000 characters of JSON: the values at its end are left off."""
    table: Any = {}
    for _ in range(30):
        table = apply(table, {"$append": {"a": ["é" * 1000]}})
    assert len(table["a"]) == 9
    table = apply(table, {"$prepend": {"a": "first"}})
    assert table["a"][0] == "first"
    assert len(orjson.dumps(table["a"]).decode()) <= MAX_PROPERTY_ARRAY
