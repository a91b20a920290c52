"""The compiled encoder: it writes what the Python code would, or leaves it to that."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from antinode import (
    Event,
)
from antinode._encoding import encoder
from antinode._protocol.fields import RESERVED_EVENT_TYPES
from antinode._protocol.ids import INVALID_IDS, is_good_id
from antinode._spool import writers
from tests.encoding.test_encoder import events
from tests.memory import SONG
from tests.native.comparing import PYTHON, by_python


@given(events, st.booleans())
@example({"event_type": "Tick", "user_id": "user-20391"}, False)
@example({"event_type": "Tick", "user_id": "user-20391", "event_properties": {"a" * 2000: [{}] * 50}}, True)
def test_an_event_is_encoded_as_by_the_python_code(client: Any, event: Any, is_complete: bool) -> None:
    """The same bytes and stream, but for a time and an id that are made up as it is encoded."""
    if is_complete and type(event) is dict:
        event = {**event, "time": 1_700_000_000_000, "insert_id": "fixed"}
    encoded = client._hot.encode(event)
    if encoded is None:
        return
    expected = by_python(client._encoder, event)
    assert expected is not None, "the compiled path took what the Python code refuses or mends"
    if "time" in event and "insert_id" in event:
        assert encoded == expected
        return
    assert encoded[1] == expected[1]
    ours, theirs = (json.loads(body) for body, _ in (encoded, expected))
    assert list(ours) == list(theirs)
    for name in {"time", "insert_id"} - event.keys():
        assert type(ours[name]) is type(theirs.pop(name))
        assert len(str(ours.pop(name))) > 12
    assert ours == theirs


@pytest.mark.parametrize(
    "event",
    [
        SONG,
        {**SONG, "time": 1_700_000_000_000, "insert_id": "a"},
        {"event_type": "Tick", "device_id": "device-20391", "price": 9.5, "quantity": 2},
        {**SONG, "event_properties": {"nested": [{"list": [1, 2, {"deep": None}]}]}, "groups": {"team": "a"}},
    ],
)
def test_ordinary_events_take_the_compiled_path(client: Any, event: dict[str, Any]) -> None:
    """What a back end usually logs is not left to the Python code."""
    assert client._hot.encode(event) is not None


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        {},
        {"event_type": "Tick"},
        {**SONG, "event_type": ""},
        {**SONG, "event_type": min(RESERVED_EVENT_TYPES)},
        {**SONG, "user_id": "1"},
        {**SONG, "user_id": 12345},
        {**SONG, "time": 1},
        {**SONG, "time": 2**70},
        {**SONG, "time": None},
        {**SONG, "insert_id": ""},
        {**SONG, 7: "seven"},
        {**SONG, "event_properties": {7: object()}},
        {**SONG, "event_properties": {"text": "\ud800"}},
        {**SONG, "price": float("nan")},
        {**SONG, "plan": {"branch": "own"}},
        type("Own", (dict,), {})(SONG),
    ],
)
def test_everything_else_is_left_to_the_python_code(client: Any, event: Any) -> None:
    """It returns None, raises nothing, and nothing is logged."""
    before = client.stats().accepted
    assert client._hot.encode(event) is None
    if type(event) is not dict or client._hot.encode(event) is None:
        assert client._hot(event) is None
    assert client.stats().accepted == before


_SPACE = st.text(st.characters(max_codepoint=0x3000, categories=("Zs", "Cc")), max_size=3)


@st.composite
def ids(draw: st.DrawFn) -> str:
    """Any, and those that the API refuses, in all their disguises."""
    refused = st.sampled_from(sorted(INVALID_IDS)).map(
        lambda text: "".join(draw(st.sampled_from([letter.upper(), letter])) for letter in text)
    )
    return draw(_SPACE) + draw(refused | st.text(max_size=8)) + draw(_SPACE)


@given(ids(), st.sampled_from(["user_id", "device_id"]))
@example("n/a     ", "user_id")
@example("\x1cUndefined\x85", "user_id")
@example("İ" * 5, "device_id")
def test_ids_are_judged_as_by_the_python_code(client: Any, text: str, field: str) -> None:
    """Those that the API takes need no look from Python, and no other passes."""
    event = {"event_type": "Song Played", "time": 1_700_000_000_000, "insert_id": "1", field: text}
    assert (client._hot.encode(event) is not None) is is_good_id(text)


# Texts around the sizes at which they are looked at in steps of 4, 8 and 16 bytes.
written_texts = st.one_of(
    st.text(alphabet=st.sampled_from('ab"\\\b\t\n\f\r\x00\x1f\x7f /é€😀'), max_size=40),
    st.integers(0, 40).map(lambda size: "x" * size),
    st.tuples(st.integers(0, 40), st.sampled_from('"\\\x1f'), st.integers(0, 40)).map(
        lambda parts: "x" * parts[0] + parts[1] + "x" * parts[2]
    ),
)
written_values = st.recursive(
    st.one_of(
        written_texts,
        st.integers(-(2**63), 2**64 - 1),
        st.integers(-(2**62), 2**62).map(lambda number: number >> abs(number) % 62),
        st.floats(),
        st.tuples(st.integers(-(10**17), 10**17), st.integers(0, 12)).map(
            lambda pair: pair[0] / 10 ** pair[1]
        ),
        st.booleans(),
        st.none(),
    ),
    lambda each: st.one_of(
        st.lists(each, max_size=4), st.dictionaries(written_texts, each, max_size=4), st.tuples(each, each)
    ),
    max_leaves=12,
)


@given(written_values)
@example([0.0, -0.0, 1.5, 0.001, 0.0009, 1e9, 999999999.123456, 1e-7, 1e16, 5e-324, 12.10, 100.0])
@example([2**30 - 1, 2**30, -(2**30), 2**60 - 1, 2**60, -(2**60), 2**63, -(2**63), 2**64 - 1, 0, 99, 100])
def test_values_are_written_as_by_the_encoder(client: Any, value: Any) -> None:
    """Byte for byte: texts that need escaping and texts that do not, numbers of every size."""
    event = {**SONG, "time": 1_700_000_000_000, "insert_id": "a", "event_properties": {"value": value}}
    encoded = client._hot.encode(event)
    assert encoded is not None
    assert orjson.dumps({"event_properties": {"value": value}})[1:-1] in encoded[0]


@pytest.mark.parametrize(
    "fields",
    [
        {"session_id": 7, "quantity": -1},
        {"price": 12.5, "revenue": 3, "location_lat": -0.25},
        {"groups": {"org": "acme", "team": ["a", "b"], "site": ("c",)}},
        {"library": "mine/1.0", "plan": {"branch": "main", "source": "web"}},
    ],
    ids=["integers", "numbers", "groups", "constants"],
)
def test_fields_of_every_kind_take_the_compiled_path(client: Any, fields: dict[str, Any]) -> None:
    """Whole numbers, numbers, and what the client would add itself: the same bytes as in Python."""
    event = {**SONG, "time": 1_700_000_000_000, "insert_id": "a", **fields}
    assert client._hot.encode(event) == by_python(client._encoder, event)


@given(events)
def test_an_event_object_is_encoded_as_its_dict(client: Any, event: Any) -> None:
    """Where it is taken at all: the same bytes, for the same stream."""
    try:
        made = Event.from_dict({"time": 1_700_000_000_000, "insert_id": "a", **event})
    except TypeError:
        return
    encoded = client._hot.encode(made)
    assert encoded is None or encoded == by_python(client._encoder, dict(made.to_dict()))


def test_an_event_object_takes_the_compiled_path(client: Any) -> None:
    """Attributes that were deleted are absent, as those that are None."""
    made = Event(
        **SONG, session_id=7, price=1.5, groups={"org": "acme"}, time=1_700_000_000_000, insert_id="a"
    )
    del made.country
    encoded = client._hot.encode(made)
    made.country = None
    assert encoded == by_python(client._encoder, dict(made.to_dict()))


def test_an_event_that_changes_while_it_is_looked_at(client: Any) -> None:
    """A value whose class compares oddly may run code of the application: nothing breaks."""
    event: dict[Any, Any] = dict(SONG)

    class Odd(str):
        def __eq__(self, other: object) -> bool:
            event.clear()
            return True

        __hash__ = str.__hash__

    event[Odd("price")] = 1.0
    client.log_event(event)


json_texts = st.recursive(
    st.one_of(st.none(), st.integers(-9, 9), st.text(alphabet='a\\"é:{[', max_size=30)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(alphabet='a\\":', max_size=5), inner)
    ),
    max_leaves=30,
).map(lambda value: orjson.dumps({"k": value}))


@given(json_texts, st.integers(1, 20), st.integers(0, 8), st.integers(0, 6))
def test_limits_are_seen_as_by_the_python_code(
    native: Any, text: bytes, max_string: int, max_properties: int, max_depth: int
) -> None:
    """A string too long, too many properties, too many layers: in the text alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoder, "MAX_STRING", max_string)
        patch.setattr(encoder, "MAX_PROPERTIES", max_properties)
        patch.setattr(encoder, "MAX_DEPTH", max_depth)
        expected = encoder._may_exceed(text)
    assert native.exceeds(text, max_string, max_properties, max_depth + 1) is expected


@given(st.binary(max_size=400), st.integers(0, 50), st.integers(0, 2**32 - 1), st.floats(allow_nan=False))
def test_a_frame_is_stored_as_by_the_python_code(
    native: Any, body: bytes, start: int, number: int, logged_at: float
) -> None:
    """The same bytes at the same place, and no others."""
    stored = []
    for store_frame in (native.store_frame, PYTHON[writers.store_frame.__name__]):
        memory = bytearray(b"\xaa" * 500)
        store_frame(memory, start, number ^ 77, number, logged_at, body)
        stored.append(memory)
    assert stored[0] == stored[1]


@pytest.mark.parametrize("start", [-1, 477, 2**40])
def test_a_frame_that_does_not_fit_is_refused(native: Any, start: int) -> None:
    """Nothing is written outside of the memory that is given."""
    memory = bytearray(500)
    with pytest.raises(ValueError, match="fit"):
        native.store_frame(memory, start, 1, 1, 1.0, b"")
    assert memory == bytearray(500)
