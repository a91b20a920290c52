"""The encoder: what is sent for an event, what is refused, and that both paths through it agree."""

import contextlib
import dataclasses
import enum
import json
import math
import time
import uuid
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from antinode import IngestionMetadata, Plan
from antinode._encoding.defaults import LIBRARY
from antinode._encoding.encoder import EventEncoder, _may_exceed
from antinode._encoding.refusal import Refused
from antinode._events import as_event_dict
from antinode._protocol.fields import FIELDS
from antinode._protocol.ids import INVALID_IDS, stream_of
from antinode._protocol.status import Status
from antinode._protocol.validation import examine
from tests.examples import examples
from tests.memory import SONG

NOW = time.time_ns() // 1_000_000
ROOM = 999_000


def encoded(event, encoder=None):
    body, _, _ = (encoder or EventEncoder(max_event_bytes=ROOM)).encode(event)
    return json.loads(body)


def refusal(event, **options):
    with pytest.raises(Refused) as caught:
        EventEncoder(max_event_bytes=ROOM, **options).encode(event)
    return caught.value


# Values that are good, values that are nearly good, and values that are nothing of the kind.


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Price:
    amount: int = 3
    _private: int = 4


@dataclasses.dataclass
class Extended(Price):
    def __post_init__(self):
        self.note = "not a field"


def nested(depth, leaf=1):
    value = leaf
    for level in range(depth):
        value = {"k": value} if level % 2 else [value]
    return {"k": value}


texts = st.one_of(
    st.text(max_size=8),
    st.text(alphabet='\\"{}[]:,', max_size=60),
    st.sampled_from(
        ["user-20391", "a" * 1024, "a" * 1025, "é" * 600, '"' * 600, "\\" * 1024, "\ud800", "", " ", "{" * 50]
    ),
)
ids = st.one_of(
    texts,
    st.sampled_from(sorted(INVALID_IDS)),
    st.sampled_from(sorted(INVALID_IDS)).map(lambda each: f" {each.upper()}\n"),
    st.sampled_from(["user-20391", "device-7", "1234", "\u212anown", "un\u212anown"]),
)
scalars = st.one_of(
    texts,
    st.booleans(),
    st.none(),
    st.integers(-(2**65), 2**65),
    st.floats(),
    st.sampled_from(
        [Colour.RED, uuid.UUID(int=7), Decimal("1.5"), b"raw", date(2026, 11, 4), 1 + 2j, object]
    ),
    st.datetimes(timezones=st.sampled_from([None, timezone.utc, timezone(timedelta(hours=5, minutes=30))])),
    st.builds(Price),
    st.builds(Extended),
)
odd_keys = st.sampled_from([7, None, "", "a:b", '"', "\ud800", Colour.RED])
values = st.recursive(
    scalars,
    lambda each: st.one_of(
        st.lists(each, max_size=4),
        st.dictionaries(st.one_of(st.text(max_size=4), odd_keys), each, max_size=4),
        st.tuples(each, each),
    ),
    max_leaves=8,
)
objects = st.one_of(
    st.dictionaries(st.text(max_size=6), values, max_size=5),
    st.sampled_from([nested(d) for d in (38, 39, 40, 41)]),
    st.sampled_from(
        [{"cart": [{"sku": "a"}] * 30}, {"cart": [nested(36)] * 3}, {"t": "]}" * 20 + "{[" * 30}]
    ),
    st.sampled_from([1023, 1024, 1025]).map(lambda n: {f"p{i}": i for i in range(n)}),
    values,
)
times = st.one_of(
    st.sampled_from(
        [
            NOW,
            NOW + 10**6,
            NOW + 60 * 3_600_000,
            10**11 - 1,
            10**11,
            10**14 - 1,
            10**14,
            NOW / 1000,
            NOW * 1000,
            -1,
            2**63,
        ]
    ),
    values,
)
groups = st.one_of(
    st.dictionaries(
        st.text(min_size=1, max_size=3), st.one_of(texts, st.lists(texts, max_size=6)), max_size=7
    ),
    values,
)
BY_KEY = {
    "event_type": st.one_of(
        st.sampled_from(["Song Played", "$identify", "[Amplitude] Revenue", " "]), values
    ),
    "user_id": st.one_of(ids, values),
    "device_id": st.one_of(ids, values),
    "time": times,
    "groups": groups,
    "plan": st.one_of(st.sampled_from([Plan(branch="own"), {"branch": "own"}, {"branch": None}]), values),
    "ingestion_metadata": st.one_of(st.just(IngestionMetadata("own")), values),
    "event_properties": objects,
    "user_properties": objects,
    "group_properties": objects,
    "userId": values,
    "my_own": values,
}
usual_fields = st.fixed_dictionaries(
    {"event_type": st.sampled_from(["Song Played", "$groupidentify"]), "user_id": ids},
    optional={
        key: BY_KEY.get(key, values)
        for key in (*FIELDS, "my_own", "userId")
        if key not in ("event_type", "user_id")
    },
)
any_fields = st.dictionaries(
    st.one_of(st.sampled_from([*FIELDS, "my_own", "userId"]), odd_keys), values, max_size=6
)
one_odd = st.builds(
    lambda event, odd: {**event, **odd},
    st.just({**SONG, "time": NOW}),
    st.sampled_from(sorted(BY_KEY)).flatmap(lambda key: st.fixed_dictionaries({key: BY_KEY[key]})),
)
events = st.one_of(one_odd, one_odd, usual_fields, any_fields)
DEFAULTS = {"plan": {"branch": "main", "source": "web"}, "ingestion_metadata": {"source_name": "100%s"}}


def comparable(event):
    """The event as sent, without what is new at each call; None is as good as absent."""
    return json.dumps(event, sort_keys=True)


def seen_by_examine(encoder, event):
    """What the slow path alone makes of the event: its JSON, notes, and stamps; or its refusal."""
    examined = examine(as_event_dict(event), now_ms=NOW, leaves_out=True)
    if examined.problems:
        return "; ".join(map(str, examined.problems)), None, ()
    stamped = [key for key in ("time", "insert_id") if examined.event.get(key) in (None, "")]
    return encoder.defaults.fill_in(examined.event), examined.notes, stamped


@pytest.mark.slow
@given(event=events, with_defaults=st.booleans())
@example(event={**SONG, "time": NOW, "price": math.nan}, with_defaults=False)
@example(event={**SONG, "time": NOW, "event_id": 2**63}, with_defaults=False)
@example(event={**SONG, "time": NOW, "insert_id": ""}, with_defaults=False)
@example(event={**SONG, "time": 0}, with_defaults=False)
@example(event={**SONG, "time": NOW, "groups": {"a": list("bcdefghijkl")}}, with_defaults=False)
@example(event={**SONG, "time": NOW, "groups": {"a": []}}, with_defaults=False)
@example(event={**SONG, "time": NOW, "plan": Plan(branch="own")}, with_defaults=True)
@example(event={**SONG, "time": NOW, "event_properties": {"p": Extended()}}, with_defaults=False)
@settings(max_examples=examples(150), deadline=None)
def test_both_paths_agree(event, with_defaults):
    """Whatever the event, the encoder sends what the examination would, or refuses in the same words.

    It raises nothing but `Refused`, and never changes the event.
    """
    encoder = EventEncoder(max_event_bytes=ROOM, **(DEFAULTS if with_defaults else {}))
    before = repr(event)
    expected, notes, stamped = seen_by_examine(encoder, event)
    refused = None
    try:
        body, stream, told = encoder.encode(event)
    except Refused as error:
        refused = error.message
    if refused is not None:
        assert refused == expected
    else:
        complete = json.loads(body)
        for made in stamped:
            assert complete.pop(made)
            expected.pop(made)
        assert comparable(complete) == comparable(expected)
        assert stream == stream_of(complete.get("user_id"), complete.get("device_id"))
        assert told == notes
    assert repr(event) == before


@given(events)
@settings(max_examples=examples(60), deadline=None)
def test_the_second_time_is_like_the_first(event):
    """What the encoder has learnt of one event changes nothing for the next with the same keys and types."""
    encoder = EventEncoder(max_event_bytes=ROOM)

    def outcome():
        try:
            complete = json.loads(encoder.encode(event)[0])
        except Refused as refused:
            return refused.message
        return comparable({k: v for k, v in complete.items() if k not in ("time", "insert_id")})

    assert outcome() == outcome()


def test_what_is_remembered_does_not_vouch_for_values():
    """After a good event, a bad one with the same keys and types is refused all the same."""
    encoder = EventEncoder(max_event_bytes=ROOM)
    good = {**SONG, "time": NOW, "device_id": "device-7", "quantity": 2}
    encoder.encode(good)
    for bad in ({"event_type": " "}, {"event_type": "[Amplitude] Revenue"}):
        with pytest.raises(Refused):
            encoder.encode({**good, **bad})
    assert "quantity" not in encoded({**good, "quantity": 2**63}, encoder)
    assert "user_id" not in encoded({**good, "user_id": "UNKNOWN "}, encoder)


def test_absent_keys_are_filled_in():
    """`time` in milliseconds, `insert_id` and `library` are added when absent, and only then."""
    before = time.time_ns() // 1_000_000
    event = encoded(SONG)
    assert before <= event["time"] <= time.time_ns() // 1_000_000
    assert uuid.UUID(event["insert_id"]).version == 4
    assert event["library"] == LIBRARY
    own = {**SONG, "time": NOW, "insert_id": "mine", "library": "shop/1.0"}
    assert encoded(own) == own


def test_absent_means_none_too():
    """A key whose value is None is filled in or left out like an absent one."""
    event = encoded({**SONG, "device_id": None, "time": None, "insert_id": None, "library": None})
    assert "device_id" not in event
    assert event["time"] >= NOW
    assert event["insert_id"]
    assert event["library"] == LIBRARY


def test_plan_is_merged_under_the_events_own():
    """The event's own keys of `plan` and `ingestion_metadata` win; the client's fill the gaps."""
    encoder = EventEncoder(max_event_bytes=ROOM, **DEFAULTS)
    assert encoded(SONG, encoder)["plan"] == {"branch": "main", "source": "web"}
    assert encoded(SONG, encoder)["ingestion_metadata"] == {"source_name": "100%s"}
    for own in ({"branch": "own"}, Plan(branch="own")):
        event = {**SONG, "plan": own}
        assert encoded(event, encoder)["plan"] == {"branch": "own", "source": "web"}
        assert event["plan"] is own


def test_insert_ids_are_all_different():
    """Each event gets an id of its own, whichever path it takes; two clients share none."""
    doors = [EventEncoder(max_event_bytes=ROOM) for _ in range(3)]
    odd = {**SONG, "user_id": 20391}
    made = [encoded(each, encoder)["insert_id"] for encoder in doors for each in (SONG, odd, SONG) * 100]
    assert len(set(made)) == len(made)


def test_a_datetime_is_never_taken_for_another_unit():
    """A datetime is milliseconds once, in years too whose milliseconds look like seconds or microseconds."""
    for year in (1901, 1971, 9999):
        moment = datetime(year, 6, 1, tzinfo=timezone.utc)
        body, _, _ = EventEncoder(max_event_bytes=10_000).encode(
            {"event_type": "A", "user_id": "user-1", "time": moment}
        )
        assert json.loads(body)["time"] == (moment - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(
            milliseconds=1
        )


def test_time_as_datetime_is_converted():
    """A datetime becomes milliseconds; one without a zone is local time, and its author is told."""
    moment = datetime(2026, 11, 4, 18, 46, 10, 999_999, tzinfo=timezone(timedelta(hours=1)))
    assert encoded({**SONG, "time": moment})["time"] == 1793814370999
    naive = moment.replace(tzinfo=None)
    body, _, notes = EventEncoder(max_event_bytes=ROOM).encode({**SONG, "time": naive})
    assert json.loads(body)["time"] == math.floor(naive.timestamp() * 1000)
    assert "without a time zone" in notes[0]


def test_time_in_seconds_is_converted_and_told():
    """Seconds, as `time.time()` gives them, become milliseconds, with a note."""
    body, _, notes = EventEncoder(max_event_bytes=ROOM).encode({**SONG, "time": 1793817970.25})
    assert json.loads(body)["time"] == 1793817970250
    assert "seconds" in notes[0]


def test_time_ahead_of_the_clock_is_told():
    """An event more than a day ahead is sent, and its author told; one of now is not worth a word."""
    encoder = EventEncoder(max_event_bytes=ROOM)
    ahead = time.time_ns() // 1_000_000 + 3 * 86_400_000
    assert "ahead" in encoder.encode({**SONG, "time": ahead})[2][0]
    assert encoder.encode({**SONG, "time": NOW})[2] == ()


@pytest.mark.parametrize("meant", ["userId", "eventProperties", "product_id"])
def test_a_misspelt_key_is_told_each_time(meant):
    """The hint does not depend on whether such events were seen before."""
    encoder = EventEncoder(max_event_bytes=ROOM)
    for _ in range(2):
        assert meant in encoder.encode({**SONG, meant: "user-20391"})[2][0]


def test_what_is_refused_says_what_to_write():
    """A refusal names the key, the value and the remedy."""
    assert "`user_id`" in refusal({"event_type": "Song Played"}).message
    assert "'abc' is shorter than 5" in refusal({**SONG, "user_id": "abc"}).message
    assert "placeholder" in refusal({**SONG, "user_id": "Anonymous"}).message
    assert encoded({**SONG, "user_id": "abc"}, EventEncoder(max_event_bytes=ROOM, min_id_length=3))
    assert refusal({**SONG, "user_id": "abc"}).status is Status.INVALID


def test_what_is_said_with_a_language_model_is_sent_whole():
    """The properties that Amplitude exempts from the limit on texts are not cut, and no note says so."""
    long = "x" * 20_000
    properties = {"[Agent] Session ID": long, "$llm_message.text": long, "$llm_message": {"text": long}}
    event = {**SONG, "event_properties": properties, "user_properties": {"$set": {"[Agent] Role": long}}}
    body, _, notes = EventEncoder(max_event_bytes=ROOM).encode(event)
    sent = json.loads(body)
    assert sent["event_properties"] == properties
    assert sent["user_properties"] == {"$set": {"[Agent] Role": long}}
    assert notes == ()
    assert encoded({**SONG, "event_properties": {"text": long}})["event_properties"] == {"text": "x" * 1024}


def test_an_event_too_large_is_refused():
    """An event that no request can carry is refused with its size, on either path."""
    for text in ("x" * 900, "x" * 1025):
        event = {**SONG, "event_properties": {f"p{i}": text for i in range(20)}}
        with pytest.raises(Refused, match="bytes long") as caught:
            EventEncoder(max_event_bytes=5000).encode(event)
        assert caught.value.status is Status.PAYLOAD_TOO_LARGE


def test_cycles_are_cut():
    """An event that contains itself goes without the reference back, with an explanation."""
    properties = {"title": "So What"}
    properties["self"] = properties
    body, _, notes = EventEncoder(max_event_bytes=ROOM).encode({**SONG, "event_properties": properties})
    assert json.loads(body)["event_properties"] == {"title": "So What"}
    assert "contains itself" in notes[0]


@pytest.mark.parametrize(
    "fault",
    [
        {"properties": {"a": 1}},
        {"price": "twelve"},
        {"event_properties": {"lock": object()}},
        {"event_properties": {"wait": timedelta(seconds=5)}},
    ],
)
def test_a_strict_encoder_refuses_what_others_mend(fault):
    """Unknown keys, bad fields and bad values are refused, in the words of the note."""
    _, _, notes = EventEncoder(max_event_bytes=ROOM).encode({**SONG, **fault})
    refused = refusal({**SONG, **fault}, is_strict=True)
    assert refused.message == notes[0].objection
    for mended in ({"time": 1793817970}, {"user_id": 20391}, {"groups": {"org": 7}}):
        assert encoded({**SONG, **mended}, EventEncoder(max_event_bytes=ROOM, is_strict=True))


def test_nothing_is_left_out_of_what_can_be_mended():
    """Where nothing is to be left out, what is bad refuses the event; an unknown key is told."""
    keeps = {"leaves_out": False}
    assert (
        "more than 40 layers deep: flatten it"
        in refusal({**SONG, "event_properties": nested(41)}, **keeps).message
    )
    assert "`price`" in refusal({**SONG, "price": "twelve"}, **keeps).message
    assert encoded({**SONG, "mine": 1}, EventEncoder(max_event_bytes=ROOM, **keeps))["mine"] == 1


@given(st.one_of(objects, values))
@settings(max_examples=examples(60), deadline=None)
def test_encoding_leaves_no_trace(value):
    """The caller's values are shared with nothing: what is logged is bytes."""
    event = {**SONG, "event_properties": {"value": value}}
    before = repr(event)
    with contextlib.suppress(Refused):
        EventEncoder(max_event_bytes=ROOM, **DEFAULTS).encode(event)
    assert repr(event) == before


json_values = st.recursive(
    st.one_of(texts.filter(lambda text: text.isprintable() and "\ud800" not in text), st.integers()),
    lambda each: st.one_of(
        st.lists(each, max_size=3), st.dictionaries(st.text(max_size=3), each, max_size=3)
    ),
    max_leaves=20,
)


def layers(value):
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(layers, inner), default=0)


@given(json_values, st.integers(30, 45), st.booleans())
@settings(deadline=None)
def test_depth_is_read_from_the_text(value, depth, is_cart):
    """Whatever brackets and quotes the strings hold, a nest is found to be too deep when it is."""
    for _ in range(depth):
        value = {'"': value, "}": "\\"} if is_cart else [value, "{", '\\"[']
    event = {"event_type": "t", "event_properties": {"v": value}}
    has_long_text = "a" * 1025 in json.dumps(event)
    text = json.dumps(event, ensure_ascii=False).encode("utf-8", "replace")
    if layers(event) > 41:
        assert _may_exceed(text)
    elif not has_long_text and len(text) < 1024:
        assert not _may_exceed(text)


def test_many_shallow_containers_take_the_fast_path(monkeypatch):
    """A long cart, or text full of brackets and quotes, does not cost an examination."""
    monkeypatch.setattr(EventEncoder, "_examine", None)
    cart = [{"sku": f"sku-{i}", "tags": ["a", "b"]} for i in range(200)]
    text = '{"quoted": "[\\"text\\"]"}' * 20
    assert (
        encoded({**SONG, "event_properties": {"cart": cart, "text": text}})["event_properties"]["cart"]
        == cart
    )


def test_what_is_remembered_does_not_fill_memory():
    """A program that makes up keys keeps its encoder small."""
    encoder = EventEncoder(max_event_bytes=ROOM)
    for i in range(5000):
        encoder.encode({**SONG, "event_type": f"type {i}", f"own_{i}": i})
    encoder.encode({**SONG, **{f"own_{i}": i for i in range(1000)}})
    assert len(encoder._event_types) <= 4096
    assert len(encoder._unknown_keys) <= 4096


def test_keys_equal_to_plain_ones_do_not_spoil_those(monkeypatch):
    """An event with keys of a str subclass does not slow down those with plain keys."""

    class Key(str):
        __slots__ = ()

    encoder = EventEncoder(max_event_bytes=ROOM)
    assert encoded({Key(key): value for key, value in SONG.items()}, encoder)["user_id"] == "user-20391"
    monkeypatch.setattr(EventEncoder, "_examine", None)
    assert encoded(SONG, encoder)["user_id"] == "user-20391"
