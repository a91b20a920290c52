"""The compiled ways back from a store: frames, records and handles are those of the Python code."""

from __future__ import annotations

import json
import struct
from typing import Any, NamedTuple
from weakref import ref

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from antinode._delivery.core import handles, recovered
from antinode._delivery.record import Record, SpooledRecord
from antinode._protocol.ids import stream_of
from antinode._spool import scanning
from antinode._spool.format import encode_frame
from tests.native.comparing import PYTHON

SALT = 0x5EED
times = st.one_of(st.sampled_from([0.0, 1.5]), st.floats())
areas = st.lists(st.tuples(times, st.one_of(st.binary(max_size=20), st.binary(max_size=300))), max_size=12)
hurts = st.lists(
    st.one_of(
        st.tuples(st.just("flip"), st.integers(0, 5000), st.integers(0, 7)),
        st.tuples(st.just("cut"), st.integers(0, 5000), st.just(0)),
        st.tuples(st.just("foreign"), st.integers(0, 5000), st.integers(0, 2**32 - 1)),
    ),
    max_size=3,
)


def hurt(area: bytes, kind: str, at: int, how: int) -> bytes:
    """The same bytes with a flipped bit, without their end, or with another segment's record among them."""
    at %= len(area) + 1
    if kind == "cut":
        return area[:at]
    if kind == "foreign":
        foreign = encode_frame(0, 0.0, b"foreign", how)
        return area[:at] + foreign + area[at + len(foreign) :]
    changed = bytearray(area)
    if at < len(area):
        changed[at] ^= 1 << how
    return bytes(changed)


def told(found: tuple[int, list[float], list[bytes]]) -> tuple[int, bytes, list[bytes]]:
    """What was found, with times that can be compared even where they are no numbers."""
    end, logged, bodies = found
    return end, struct.pack(f"<{len(logged)}d", *logged), bodies


def area_of(records: list[tuple[float, bytes]], first: int) -> bytes:
    return b"".join(encode_frame(first + at, time, body, SALT) for at, (time, body) in enumerate(records))


@given(areas, st.integers(0, 3), st.integers(0, 30), st.integers(0, 60), hurts)
def test_frames_are_read_as_the_python_code_reads_them(
    native: Any, records: list[tuple[float, bytes]], first: int, start: int, less: int, hurts: Any
) -> None:
    """Whole, cut, flipped or foreign: the same frames, up to the same place."""
    area = b"?" * start + area_of(records, first)
    for each in hurts:
        area = hurt(area, *each)
    start = min(start, len(area))
    stop = max(start, len(area) - less)
    for nth, salt in ((first, SALT), (first, SALT + 1), (first + 1, SALT)):
        given = (area, start, stop, nth, salt)
        assert told(native.whole_frames(*given)) == told(PYTHON["whole_frames"](*given))
    if not hurts:
        assert native.whole_frames(area, start, len(area), first, SALT)[2] == [body for _, body in records]


@given(areas, hurts)
def test_a_scan_finds_the_same(native: Any, records: list[tuple[float, bytes]], hurts: Any) -> None:
    """Behind damage, too; what is found of each record is the same."""
    area = area_of(records, 0)
    for each in hurts:
        area = hurt(area, *each)
    area += bytes(40)

    def scanned() -> list[Any]:
        items = scanning.scan(lambda offset, length: area[offset : offset + length], 0, len(area), 0, SALT)
        return [
            item._replace(logged_at=struct.pack("<d", item.logged_at))  # type: ignore[arg-type]
            if isinstance(item, scanning.Frame)
            else item
            for item in items
        ]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scanning, "whole_frames", native.whole_frames)
        compiled = scanned()
        patch.setattr(scanning, "whole_frames", PYTHON["whole_frames"])
        assert scanned() == compiled


@pytest.mark.parametrize(
    "given",
    [(), (b"", 0, 0, 0), ("", 0, 0, 0, 0), (b"", -1, 0, 0, 0), (b"", 0, 1, 0, 0), (b"", 0, 0, -1, 0)],
)
def test_what_are_no_frames_is_an_error_and_no_crash(native: Any, given: Any) -> None:
    with pytest.raises((TypeError, ValueError, OverflowError)):
        native.whole_frames(*given)


class Item(NamedTuple):
    """As a store gives it back."""

    place: int
    body: bytes
    logged_at: float
    is_own: bool = True


ids = st.one_of(st.none(), st.text(max_size=12), st.integers(), st.booleans(), st.just("user-20391"))
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=9), inner, max_size=4)
    ),
    max_leaves=12,
)
events = st.dictionaries(
    st.one_of(st.sampled_from(["event_type", "event_properties", "user_ids", "device"]), st.text(max_size=9)),
    values,
    max_size=5,
)


SIGNS = [b'"', b"\\", b",", b"}", b"0", b"\xff"]


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    """JSON of an event, plainly written or not; now and then with something wrong in it."""
    event: dict[str, Any] = draw(events)
    for name in ("user_id", "device_id"):
        if draw(st.booleans()):
            event[name] = draw(ids)
    separators = draw(st.sampled_from([(",", ":"), (", ", ": ")]))
    is_ascii = draw(st.booleans())
    text = json.dumps(event, separators=separators, ensure_ascii=is_ascii).encode("utf-8", "surrogatepass")
    if draw(st.booleans()):
        at = draw(st.integers(0, len(text)))
        put = draw(st.one_of(st.binary(max_size=3), st.sampled_from(SIGNS)))
        text = text[:at] + put + text[at + draw(st.integers(0, 3)) :]
    return text


def fields_of(record: Record) -> tuple[Any, ...]:
    names = ("body", "stream", "logged_at", "place", "epoch", "attempts")
    return type(record), *(getattr(record, name) for name in names)


@given(st.lists(texts(), max_size=4))
@example([b'{"user_id":"a","user_id":"b"}', b'{"user_id":"a","user\\u005fid":"b"}'])
@example([b'{"a":"\\ud800"}', b'{"a":1e999}', b'{"a":-0}', b'{"a":01}', b'{"a":1.}', b'{"a":.5}'])
@example([b"{}", b"[]", b"", b" {}", b"{} ", b'{"a":1,}', b'{"a"}', b'{"a":1', b"{]", b'{"a":[1}}'])
@example([b'{"a":' + b"[" * depth + b"]" * depth + b"}" for depth in (1, 252, 253, 254, 300)])
@example([b'{"a":"%s"}' % letter for letter in (b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2")])
def test_a_record_that_is_made_is_that_of_the_python_code(native: Any, given: list[bytes]) -> None:
    """And its body is an event's, as the Python code would have found."""
    items = [Item(place, body, 2.5) for place, body in enumerate(given)]
    made, unsure = native.plain_records(items, SpooledRecord)
    assert unsure == [position for position, record in enumerate(made) if record is None]
    for item, record in zip(items, made, strict=True):
        if record is not None:
            assert fields_of(record) == fields_of(recovered._record_of(item))
            assert recovered.is_sound(record)


plain_ids = st.text(st.characters(min_codepoint=0x20, exclude_characters='"\\', exclude_categories=["Cs"]))


@given(plain_ids, st.one_of(st.none(), plain_ids), st.integers(-(10**9), 10**9), st.text())
def test_an_ordinary_event_is_not_left_to_python(
    native: Any, user: str, device: str | None, number: int, text: str
) -> None:
    """As the encoder writes it, whatever its properties hold."""
    properties = {"n": number, "t": text.encode("utf-8", "ignore").decode(), "l": [1.5, True, {}, []]}
    event = {"event_type": "Tick", "user_id": user, "device_id": device, "event_properties": properties}
    body = msgspec.json.encode(event)
    (record,), unsure = native.plain_records([Item(7, body, 1.0)], SpooledRecord)
    assert unsure == []
    assert record.stream == stream_of(user, device)


@pytest.mark.parametrize("item", [Item(7, bytearray(b"{}"), 1.0), Item(7, b"{}", 1), Item(None, b"{}", 1.0)])  # type: ignore[arg-type]
def test_what_is_of_another_type_is_left_to_python(native: Any, item: Item) -> None:
    assert native.plain_records([item], SpooledRecord) == ([None], [0])


def test_what_cannot_be_asked_raises(native: Any) -> None:
    """As Python raises it."""

    class Broken:
        place, logged_at = 1, 1.0

        @property
        def body(self) -> bytes:
            raise KeyError("a fault")

    with pytest.raises(KeyError):
        native.plain_records([Broken()], SpooledRecord)
    for items in ([1], (), None):
        with pytest.raises((AttributeError, TypeError)):
            native.plain_records(items, SpooledRecord)


def record_at(place: int) -> SpooledRecord:
    return SpooledRecord(b"{}", 1, 0.0, place=place)


@pytest.fixture(params=["native", "python"])
def keep_held(request: pytest.FixtureRequest, native: Any) -> Any:
    assert handles.keep_held is native.keep_held
    return native.keep_held if request.param == "native" else PYTHON["keep_held"]


def test_a_handle_that_somebody_has_is_found(keep_held: Any) -> None:
    """By its place; the list is empty then, and keeps the others alive no longer."""
    held = [record_at(place) for place in range(0, 20, 3)]
    recent: list[Record] = [held[place // 3] if place % 3 == 0 else record_at(place) for place in range(20)]
    references: dict[int, ref[Record]] = {}
    keep_held(recent, references)
    assert recent == []
    found = {place: record for place, each in references.items() if (record := each()) is not None}
    assert found == {record.place: record for record in held}


def test_what_has_no_place_is_an_error_and_no_crash(native: Any) -> None:
    class Odd:
        place = "here"

    odd: list[Any] = [Odd()]
    for recent in (odd, [object()]):
        kept = list(recent)
        with pytest.raises((AttributeError, TypeError)):
            native.keep_held(recent, {})
        assert recent == kept
    for arguments in ((), ([], None), ((), {})):
        with pytest.raises(TypeError):
            native.keep_held(*arguments)
