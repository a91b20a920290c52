"""Python values as JSON values."""

from __future__ import annotations

import array
import collections
import copy
import enum
import math
import threading
import types
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any, ClassVar

import msgspec
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antinode._protocol.limits import MAX_DEPTH, MAX_STRING
from antinode._protocol.remarks import Remark
from antinode._protocol.values import Unencodable, count_properties, depth, describe, make_safe, truncate


class Color(enum.Enum):
    RED = "red"
    SIZES = (1, 2)


class Level(enum.IntEnum):
    HIGH = 3


@dataclass
class Item:
    kind: ClassVar[str] = "item"
    name: str
    price: Decimal
    _secret: str = "no"
    tags: list[str] = field(default_factory=list)


class Point(msgspec.Struct, tag="point", rename="camel"):
    first_x: int
    y: int | msgspec.UnsetType = msgspec.UNSET


class Text(str):
    __slots__ = ()


class Scalar:
    """Stands for a numpy scalar: known by `dtype` and `tolist`."""

    dtype = "int64"

    def __init__(self, value: Any) -> None:
        self._value = value

    def tolist(self) -> Any:
        return self._value


PLUS_TWO = timezone(timedelta(hours=2))


def _name(value: Any) -> str:
    """What a case is called, the same in each process: no addresses, no order of a set of strings."""
    return type(value).__name__ if isinstance(value, frozenset | memoryview | Scalar) else repr(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (2**63, 2**63),
        (2**64, "18446744073709551616"),
        (-(2**63) - 1, "-9223372036854775809"),
        (0.1, 0.1),
        (math.nan, None),
        (-math.inf, None),
        ("é😀", "é😀"),
        ("a\ud800b", "a\ufffdb"),
        ("\ud83d\ude00", "😀"),
        (Text("x"), "x"),
        (Level.HIGH, 3),
        (Color.RED, "red"),
        (Color.SIZES, [1, 2]),
        (datetime(2026, 11, 4, 18, 46, 10, tzinfo=PLUS_TWO), "2026-11-04T18:46:10+02:00"),
        (datetime(2026, 11, 4, 18, 46, 10, 5), "2026-11-04T18:46:10.000005"),
        (date(2026, 11, 4), "2026-11-04"),
        (time(18, 46), "18:46:00"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Decimal("19.99"), 19.99),
        (Decimal(10), 10),
        (Decimal("1E+2"), 100),
        (Decimal("0.1000000000000000000001"), "0.1000000000000000000001"),
        (Decimal("1E+999999999"), "1E+999999999"),
        (Decimal(-9999999999999999999), "-9999999999999999999"),
        (Decimal("NaN"), None),
        (Decimal("sNaN"), None),
        (b"text", "text"),
        (b"\xff\x00", "/wA="),
        (bytearray(b"text"), "text"),
        (memoryview(b"text"), "text"),
        ((1, 2), [1, 2]),
        ({3, 1, 2}, [1, 2, 3]),
        (frozenset(["b", "a"]), ["a", "b"]),
        (range(3), [0, 1, 2]),
        (collections.deque([1]), [1]),
        (array.array("i", [1]), [1]),
        ({"a": 1}.keys(), ["a"]),
        ({"a": 1}.values(), [1]),
        (collections.OrderedDict(a=1), {"a": 1}),
        (types.MappingProxyType({"a": (1,)}), {"a": [1]}),
        (Item("x", Decimal("1.5")), {"name": "x", "price": 1.5, "tags": []}),
        (Point(1), {"type": "point", "firstX": 1}),
        (Point(1, 2), {"type": "point", "firstX": 1, "y": 2}),
        (Scalar(7), 7),
        (Scalar([1, [2]]), [1, [2]]),
        (
            {True: 1, None: 2, 2.5: 4, Level.HIGH: 5, date(2026, 1, 1): 6},
            {"true": 1, "null": 2, "2.5": 4, "3": 5, "2026-01-01": 6},
        ),
    ],
    ids=_name,
)
def test_a_value_has_its_json_form(value: Any, expected: Any) -> None:
    """Each supported type becomes the plain value that its documentation promises."""
    made = make_safe(value, path="p")
    assert made == expected
    orjson.dumps(made)


def test_keys_become_strings_as_in_the_json_module() -> None:
    """Keys that are no strings are written as the json module writes them."""
    assert make_safe({True: 1}, path="p") == {"true": 1}
    assert make_safe({None: 1, 1: 2, 2.5: 3}, path="p") == {"null": 1, "1": 2, "2.5": 3}


class Hostile(Mapping[str, Any]):
    """A mapping whose methods raise."""

    def __getitem__(self, key: str) -> Any:
        raise RuntimeError("no")

    def __iter__(self) -> Iterator[str]:
        raise ZeroDivisionError

    def __len__(self) -> int:
        raise ValueError


class Liar:
    """Answers for another class, and raises when asked what it is."""

    @property
    def __class__(self) -> Any:
        raise ValueError("who wants to know")

    def __repr__(self) -> str:
        raise RuntimeError("nobody")

    __str__ = __repr__


class Pretender:
    """Claims to be a dict."""

    __class__ = dict  # type: ignore[assignment]


class Endless(Mapping[str, Any]):
    """A mapping without an end."""

    taken = 0

    def __getitem__(self, key: str) -> Any:
        return 1

    def __iter__(self) -> Iterator[str]:
        number = 0
        while True:
            yield f"{number:0>1000}"
            number += 1
            self.taken = max(self.taken, number)

    def __len__(self) -> int:
        return 0


def itself() -> list[Any]:
    loop: list[Any] = [1]
    loop.append({"again": loop})
    return loop


def doubled(times: int) -> list[Any]:
    value: list[Any] = ["x" * 1000]
    for _ in range(times):
        value = [value, value]
    return value


def test_no_more_of_an_endless_mapping_is_held_than_an_event_may_have() -> None:
    """Its keys of a kilobyte each are taken by the ten thousand, not by the million."""
    endless = Endless()
    with pytest.raises(Unencodable, match="larger than 20,000,000 bytes"):
        make_safe(endless, path="p")
    assert endless.taken < 50_000


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (object(), "`p` is an object, which JSON cannot hold: write str(value), or a dict"),
        (threading.Lock(), "`p` is a lock, which"),
        ((n for n in range(3)), "write list(value)"),
        (3 + 4j, "write two numbers"),
        (int, "write its name"),
        (len, "write what it returns"),
        (ValueError("x"), "write str(value)"),
        ({"cart": [1, 2, {"price": object()}]}, "`p.cart[2].price` is an object"),
        ({"a b": {"$set": {"é": object()}}}, "`p['a b'].$set.é` is an object"),
        ({"k" * 100: object()}, "…"),
        ({(1, 2): 3}, "`p` has a key of type tuple: write strings as keys"),
        ({1: "a", "1": "b"}, "has two keys that both become '1' in JSON"),
        (itself(), "`p[1].again` contains itself"),
        (doubled(30), "`p` is larger than 20,000,000 bytes"),
        (Endless(), "`p` is larger than 20,000,000 bytes"),
        (10**5000, "`p` is an int of about a thousand digits or more"),
        (Hostile(), "`p` raised ZeroDivisionError while it was read"),
        ({"a": Liar()}, "`p.a` raised ValueError while it was read"),
        (Pretender(), "`p` raised "),
        ([Scalar(Scalar(1))], "`p[0]` is a Scalar"),
    ],
    ids=range(20),
)
def test_what_has_no_json_form_is_named(value: Any, words: str) -> None:
    """A value that cannot be encoded is refused with its path, what it is, and what to write instead."""
    with pytest.raises(Unencodable) as caught:
        make_safe(value, path="p")
    assert words in str(caught.value)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("value", "kept", "words"),
    [
        ({"a": 1, "lock": threading.Lock()}, {"a": 1}, "`p.lock` was left out, as it is a lock"),
        ([1, object(), 2], [1, 2], "`p[1]` was left out, as it is an object"),
        (
            {"cart": [{"price": object(), "sku": "x"}]},
            {"cart": [{"sku": "x"}]},
            "`p.cart[0].price` was left out",
        ),
        ({(1, 2): 3, "a": 1}, {"a": 1}, "`p` has a key of type tuple, and its value was left out"),
        (
            {1: "a", "1": "b"},
            {"1": "a"},
            "two keys that both become '1' in JSON, and the second of them was left out",
        ),
        (itself(), [1, {}], "`p[1].again` was left out, as it contains itself"),
        (
            {"a": 1, "huge": doubled(30)},
            {"a": 1},
            "`p.huge` was left out, as it is larger than 20,000,000 bytes",
        ),
        ({"a": 1, "n": 10**5000}, {"a": 1}, "`p.n` was left out, as it is an int of about a thousand"),
        ({"a": Liar(), "b": 1}, {"b": 1}, "`p.a` was left out, as it raised ValueError while it was read"),
        ({"a": Hostile(), "b": 1}, {"b": 1}, "`p.a` was left out, as it raised ZeroDivisionError"),
        ({"g": (n for n in range(3)), "b": 1}, {"b": 1}, "write list(value)"),
        ({"z": 3 + 4j, "b": 1}, {"b": 1}, "write two numbers"),
    ],
    ids=range(12),
)
def test_what_has_no_json_form_in_a_container_costs_only_itself(value: Any, kept: Any, words: str) -> None:
    """It is left out, and one note says where it was, what is wrong, and what to write instead."""
    notes: list[Remark] = []
    assert make_safe(value, path="p", notes=notes) == kept
    (note,) = notes
    assert words in note
    assert note.objection
    assert len(note) < 250


def test_a_generator_is_not_used_up() -> None:
    """What is left out is left alone."""
    given_one = iter([1, 2])
    make_safe({"g": given_one}, path="p", notes=[])
    assert list(given_one) == [1, 2]


def test_notes_are_bounded() -> None:
    """Of a great many bad values the first are told one by one, the others by their number."""
    notes: list[Remark] = []
    assert make_safe({"a": [object()] * 1000}, path="p", notes=notes) == {"a": []}
    assert len(notes) == 51
    assert "950 more values" in notes[-1]


@pytest.mark.parametrize("layers", [MAX_DEPTH + 1, 100_000])
def test_only_what_is_too_deep_is_left_out(layers: int) -> None:
    """Forty layers are kept of a deeper nest, and so is what is beside it."""
    notes: list[Remark] = []
    deep = nest(layers)
    made = make_safe({"deep": deep["k"], "beside": 1}, path="p", notes=notes)
    assert depth(made) == MAX_DEPTH
    assert made["beside"] == 1
    assert len(notes) == 1
    assert "nested more than 40 layers deep" in notes[0]
    assert len(notes[0]) < 250
    while deep != 1:
        deep = deep["k"]


def nest(layers: int, *, of: type = dict) -> Any:
    value: Any = 1
    for _ in range(layers):
        value = {"k": value} if of is dict else [value]
    return value


@pytest.mark.parametrize("of", [dict, list])
def test_forty_layers_are_the_limit(of: type) -> None:
    """Forty layers pass; one more, or a hundred thousand, are refused in the same way."""
    assert make_safe(nest(MAX_DEPTH, of=of), path="p") == nest(MAX_DEPTH, of=of)
    for layers in (MAX_DEPTH + 1, 100_000):
        deep = nest(layers, of=of)
        with pytest.raises(Unencodable, match="`p` is nested more than 40 layers deep"):
            make_safe(deep, path="p")
        assert depth(deep) == MAX_DEPTH + 1
        assert truncate(deep) == (deep, []) if layers < 100 else truncate(deep)[0] is deep
        while deep != 1:  # taken apart by hand: not every interpreter frees such a nest without recursion
            deep = deep["k"] if of is dict else deep[0]


def test_depth_counts_containers() -> None:
    """A scalar has no layer; dicts, lists and tuples have one each; a cycle ends the count."""
    assert [depth(value) for value in (1, "x", [], {}, {"a": [1]}, [({},)])] == [0, 0, 1, 1, 2, 3]
    assert depth(itself()) == MAX_DEPTH + 1
    assert depth(doubled(30)) == 31
    assert depth(nest(60), stop_after=100) == 60


def test_operations_count_as_the_keys_they_apply_to() -> None:
    """The properties of an operation are counted, not the operation."""
    assert count_properties({"a": {"x": 1, "y": 2}, "b": 1}) == 2
    assert count_properties({"$set": {"x": 1, "y": 2}, "$unset": {"z": "-"}, "$clearAll": "-"}) == 4


def test_a_long_string_is_cut_and_named() -> None:
    """Strings over 1024 code points are cut where they stand, and only a changed branch is a new one."""
    value = {"a": "x" * 1025, "b": [{"c": "😀" * 2000}], "d": {"e": 1}}
    before = copy.deepcopy(value)
    made, cut = truncate(value, path="event_properties")
    assert made == {"a": "x" * 1024, "b": [{"c": "😀" * 1024}], "d": {"e": 1}}
    assert cut == ["event_properties.a", "event_properties.b[0].c"]
    assert value == before
    assert made["d"] is value["d"]


@pytest.mark.parametrize("field", ["event_properties", "user_properties", "group_properties"])
def test_what_is_said_with_a_language_model_is_kept_whole(field: str) -> None:
    """Properties that Amplitude exempts from the limit are not cut, plain, in an operation, or within."""
    long = "x" * 5000
    plain = {
        "[Agent] Session ID": long,
        "[Agent] Tools": [{"output": long}],
        "$llm_message.text": long,
        "$llm_message": {"text": long, "parts": [long]},
    }
    for properties in (plain, {"$set": plain, "$setOnce": plain}):
        assert truncate(properties, path=field) == (properties, [])


def test_names_that_only_resemble_the_exempt_ones_are_cut() -> None:
    """The exemption is one of whole properties by their names, not of what is like them or lies deeper."""
    long, short = "x" * 5000, "x" * 1024
    alike = [
        "Agent",
        "[Agent]",
        "[agent] Name",
        " [Agent] Name",
        "$llm_messages",
        "llm_message.text",
        "[Amplitude] A",
    ]
    made, cut = truncate(dict.fromkeys(alike, long), path="event_properties")
    assert made == dict.fromkeys(alike, short)
    assert len(cut) == len(alike)
    assert truncate({"cart": {"[Agent] A": long}}, path="event_properties")[0] == {
        "cart": {"[Agent] A": short}
    }
    assert truncate({"[Agent] A": long}, path="groups")[0] == {"[Agent] A": short}
    assert truncate(long, path="user_id")[0] == short


def test_a_value_for_a_message_is_short() -> None:
    """A description names the type and shows a scalar, never the contents of a container."""
    assert describe(None) == "None"
    assert describe("12") == "the str '12'"
    assert len(describe("x" * 10_000)) < 90
    assert describe({"card": "4111"}) == "a dict"
    assert describe([]) == "an empty list"
    assert describe(10**10_000) == "the int of hundreds of digits"
    assert describe(Liar()) == "a Liar"


SURROGATES = st.text(st.characters(exclude_categories=()), max_size=8)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.decimals(),
    SURROGATES,
    st.binary(max_size=8),
    st.datetimes(timezones=st.none() | st.timezones()),
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.uuids(),
    st.complex_numbers(),
    st.sampled_from([Color.RED, Color.SIZES, Level.HIGH, object(), len, int, Hostile()]),
    st.builds(Item, SURROGATES, st.decimals()),
    st.builds(Point, st.integers()),
    st.text(min_size=1).map(lambda text: text * 1100),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.one_of(SURROGATES, st.integers(), st.none(), st.floats()), inner, max_size=4),
        inner.map(Scalar),
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(VALUES)
def test_any_value_is_made_safe_or_refused(value: Any) -> None:
    """Whatever the value, it becomes one that orjson encodes, or Unencodable is raised and nothing else."""
    try:
        made = make_safe(value, path="p")
    except Unencodable:
        return
    again = orjson.loads(orjson.dumps(made))
    assert make_safe(again, path="p") == again
    assert depth(made) <= MAX_DEPTH

    cut, paths = truncate(made, path="p")
    assert truncate(cut, path="p") == (cut, [])
    assert (cut is made) == (not paths)
    assert all(len(text) <= MAX_STRING for text in strings(cut))


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from strings(each)


@settings(deadline=None)
@given(st.recursive(st.integers(-(2**63), 2**64 - 1) | st.text() | st.none(), st.lists))
def test_what_is_json_already_stays(value: Any) -> None:
    """Plain values of JSON come back equal."""
    assert make_safe(value, path="p") == value
