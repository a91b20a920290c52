"""The compiled parts: they do what the Python code does, or leave it to that, and leak nothing."""

from __future__ import annotations

import gc
import json
import logging
import re
import subprocess
import sys
import sysconfig
from collections import deque
from contextlib import ExitStack, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import antinode
from antinode import (
    Client,
    Event,
    MiddlewarePayload,
    Outcome,
    Status,
    _speedups,
)
from antinode._delivery.core import loops
from antinode._delivery.core.stream_queues import StreamQueue
from antinode._delivery.outcome import DELIVERED
from antinode._delivery.record import Record
from antinode._encoding import encoder
from antinode._encoding.encoder import EventEncoder
from antinode._encoding.refusal import Refused
from antinode._hot_path import make_hot
from antinode._middleware import own_copy, run_chain
from antinode._pipeline.pipeline import Pipeline
from antinode._pipeline.stages import RunMiddleware, stages_of
from antinode._protocol.fields import RESERVED_EVENT_TYPES
from antinode._protocol.ids import INVALID_IDS, is_good_id
from antinode._spool import writers
from tests import needs
from tests.encoding.test_encoder import events
from tests.memory import KEY, SONG, Memory, logging_client, sent

ROOT = Path(__file__).parent.parent
LOOPS = ("sift", "drain", "fitting", "total_size", "join", "streams_of", "most_attempts", "deliver")
PYTHON = _speedups.IN_PYTHON
OUTCOME = Outcome(DELIVERED, Status.SUCCESS, "delivered", 200, attempts=1)

# Python's own memory grows and shrinks by hundreds of blocks for no reason of ours; a leak is one a call.
NOISE = 1500


@pytest.fixture(scope="module")
def native() -> Any:
    return needs.native()


@pytest.fixture(scope="module")
def client(native: Any) -> Any:
    """One that sends nothing: what is logged stays where it is."""
    # No upload is even tried: waits are drawn by chance, which Hypothesis minds while it draws.
    made = Client().init(
        KEY,
        transport=Memory(is_open=False),
        plan={"branch": "main"},
        shutdown_timeout=0,
        upload_interval_in_sec=3600,
        max_cached_events=10**6,
    )
    assert made._hot is not None
    yield made
    transport = made.options.transport
    transport.gate.set() if transport else None
    made.shutdown(0)


def by_python(encoder: EventEncoder, event: dict[str, Any]) -> tuple[bytes, int] | None:
    """What the Python code sends, unless it has anything to say about it."""
    try:
        body, stream, notes = encoder.encode(dict(event))
    except (Refused, RecursionError):
        return None
    return None if notes else (body, stream)


def test_the_compiled_parts_are_used_where_they_are(native: Any, client: Any) -> None:
    """An installation that has them logs through them."""
    assert type(client._hot) is native.Log
    assert all(getattr(loops, name) is getattr(native, name) for name in LOOPS)


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


def by_python_completed(client: Any, event: dict[str, Any]) -> dict[str, Any]:
    completed: dict[str, Any] = client._encoder.defaults.fill_in(own_copy(event))
    return completed


def ordered(value: Any) -> Any:
    """The same with dicts as lists, so that their order counts."""
    if isinstance(value, dict):
        return [(key, ordered(each)) for key, each in value.items()]
    return [ordered(each) for each in value] if isinstance(value, (list, tuple)) else value


@given(events)
def test_an_event_is_completed_as_by_the_python_code(client: Any, event: Any) -> None:
    """Or left to it: the same keys in the same order, and nothing of it is the caller's own."""
    completed = client._compiled.complete(event)
    if completed is None:
        return
    fixed = {"time": 1_700_000_000_000, "insert_id": "a"}
    for key in fixed.keys() - event.keys():
        assert completed[key]
    if event.get("insert_id") == "":
        assert len(completed["insert_id"]) == 36
        completed["insert_id"] = "a"
        event = {**event, "insert_id": "a"}
    expected = by_python_completed(client, event)
    for key in fixed.keys() - event.keys():
        expected[key] = completed[key] = fixed[key]
    assert repr(ordered(completed)) == repr(ordered(expected))
    for key, value in event.items():
        if type(value) in (dict, list):
            assert completed[key] is not value


def test_a_copy_keeps_what_is_shared_and_ends_with_a_circle(client: Any) -> None:
    """One list in two places is one list in the copy; a dict in itself is so in the copy."""
    shared = ["a"]
    properties: dict[str, Any] = {"first": shared, "second": [shared, (shared,)]}
    properties["itself"] = properties
    copy = client._compiled.complete({**SONG, "event_properties": properties})["event_properties"]
    assert copy["itself"] is copy is not properties
    assert copy["first"] is copy["second"][0] is copy["second"][1][0] is not shared


@pytest.mark.parametrize(
    "value", [{1, 2}, type("Dict", (dict,), {})(a=1), [[n] for n in range(40)]], ids=repr
)
def test_what_is_rare_is_copied_by_the_python_code(client: Any, value: Any) -> None:
    """Sets, subclasses, and events of very many containers."""
    assert client._compiled.complete({**SONG, "event_properties": {"value": value}}) is None


# What a middleware of a chain does, one after the other; see `acting`.
ACTS = (
    "pass", "change", "hold back", "pass twice", "catch", "raise", "raise afterwards", "pass the event",
    "pass another", "pass a subclass", "spoil", "delete", "awaitable", "keep", "interrupt",
    "remove time", "return 7",
)  # fmt: skip


class Interrupting(BaseException):
    """Not for antinode to catch."""


class OwnPayload(MiddlewarePayload):
    """One of the application's own."""


async def nothing() -> None:
    """Nobody awaits it."""


def acting(act: str, said: list[Any]) -> Any:
    """A middleware that does so, and says what it was given and what it saw."""

    def middleware(payload: Any, next: Any) -> object:
        event = payload.event
        said.append((act, ordered(event) if isinstance(event, dict) else event, payload.extra))
        if act == "change":
            event["event_properties"] = {**event.get("event_properties", {}), "seen": len(said)}
        if act == "hold back":
            return None
        if act == "raise":
            raise LookupError("about the event")
        if act == "interrupt":
            raise Interrupting
        if act == "remove time":
            event.pop("time", None)
        if act == "spoil":
            payload.event = "no event"
        if act == "delete":
            del payload.event
        if act == "keep":
            event["groups"] = {"kept": "yes"}
            said.append(next)
        if act == "pass another":
            next(MiddlewarePayload({**event, "event_type": "Another"}, "other"))
        elif act == "pass a subclass":
            next(OwnPayload(event, payload.extra))
        elif act == "pass the event":
            next(event)
        elif act == "catch":
            try:
                next(payload)
            except Exception as error:
                said.append(repr(error))
        else:
            next(payload)
        if act == "pass twice":
            next(payload)
        if act == "raise afterwards":
            raise ValueError("too late")
        return nothing() if act == "awaitable" else 7 if act == "return 7" else None

    return middleware


def made_python(client: Any) -> None:
    """Have a client do all in Python; as it would be without its compiled parts."""
    client._hot = client._compiled = None
    chain = partial(run_chain, tuple(client._middleware))
    client._pipeline = Pipeline(
        [*stages_of(client._encoder.defaults, client._middleware)[:1], RunMiddleware(chain)]
    )


@given(
    st.lists(st.sampled_from(ACTS), min_size=1, max_size=4),
    events,
    st.sampled_from([None, "extra"]),
    st.booleans(),
    st.sampled_from([None, {"user_id": "user-20391", "event_properties": {"of": "the context", "deep": {}}}]),
)
@example(["change", "catch", "raise"], SONG, "extra", False, None)
@example(["keep", "pass twice"], SONG, None, True, {"ip": "203.0.113.9"})
def test_an_event_is_led_through_middleware_as_by_the_python_code(
    chained: tuple[Any, Any], acts: list[str], event: Any, extra: Any, is_strict: bool, fields: Any
) -> None:
    """Each middleware is given the same; the event has the same outcome, and is sent with the same bytes."""
    ends = []
    for client, memory in chained:
        said: list[Any] = []
        client._middleware[:] = [acting(act, said) for act in acts]
        client._options = msgspec.structs.replace(client._options, strict=is_strict)
        client._refresh()
        if client is chained[1][0]:
            made_python(client)
        memory.requests.clear()
        with antinode.context(**fields) if fields is not None else nullcontext():
            try:
                delivery = client.log_event(event, extra)
            except Exception as error:
                end: Any = repr(error), repr(error.__cause__)
            except Interrupting as error:
                end = repr(error)
            else:
                client.flush(10)
                outcome = delivery.outcome
                end = outcome.kind, outcome.reason, outcome.message, delivery.event()
        for place, each in enumerate(said):
            if callable(each):
                with pytest.raises(RuntimeError) as caught:
                    each(MiddlewarePayload({}))
                said[place] = str(caught.value)
        ends.append(repr([said, end, memory.events]))
    made_up = re.compile(r"('time', |'time': )\d{13}|[0-9a-f]{8}-[0-9a-f-]{27,40}")
    ours, theirs = (made_up.sub("", each) for each in ends)
    assert ours == theirs


@pytest.fixture(scope="module")
def chained(native: Any) -> Any:
    """Two clients of a kind, the second of which is to be without its compiled parts."""
    with ExitStack() as stack:
        memories = Memory(), Memory()
        yield [(stack.enter_context(logging_client(memory)), memory) for memory in memories]


def test_completing_leaks_nothing(client: Any) -> None:
    """Completing leaves nothing behind, whatever it was given."""
    events: list[Any] = [
        SONG,
        {**SONG, "event_properties": {"a": [1, (2, {"b": []})]}},
        {**SONG, "event_properties": {"a": {1, 2}}},
        {**SONG, "plan": {"branch": "other"}},
        {**SONG, "insert_id": 7},
    ]
    assert growth(lambda: [client._compiled.complete(event) for event in events]) < NOISE


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


def test_what_a_signal_handler_raises_goes_on(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not about the event, and must not be taken for that."""

    def interrupted(*_: object) -> bool:
        raise KeyboardInterrupt

    event_encoder = client._encoder
    monkeypatch.setattr(event_encoder, "_is_plain", interrupted, raising=True)
    log = make_hot(event_encoder, client._sender)
    assert log is not None
    with pytest.raises(KeyboardInterrupt):
        log({**SONG, "uuid": 7})


def test_order_counts_and_bounds_are_those_of_the_python_code() -> None:
    """A full queue, a closed client and the ledger are as without the compiled path."""
    memory = Memory(is_open=False)
    with logging_client(memory, max_queue_events=50, overflow="drop_newest") as client:
        handles = [client.log_event({**SONG, "event_properties": {"seq": seq}}) for seq in range(80)]
        stats = client.stats()
        assert stats.accepted == 80
        assert stats.balanced
        assert sum(stats.dropped.values()) == 30
        memory.gate.set()
        assert [each["event_properties"]["seq"] for each in sent(client, memory)] == list(range(50))
        assert [handle.outcome.ok for handle in handles if handle.outcome] == [True] * 50 + [False] * 30
    assert client.log_event(SONG).result(1).reason == "shutdown"


def test_callbacks_and_waiting_are_told(native: Any) -> None:
    """Those whom somebody asks about are told, and keep their event for it."""
    memory = Memory(is_open=False)
    told = []
    with logging_client(memory) as client:
        handles = [client.log_event(SONG) for _ in range(10)]
        handles[3].add_done_callback(lambda each: told.append(each.event()["user_id"]))
        memory.gate.set()
        assert handles[9].result(10).ok
        assert client.flush(10).complete
    assert told == [SONG["user_id"]]
    assert handles[0].event() == {}


# The loops.


def record(body: bytes, stream: int = 1, attempts: int = 0, is_asked: bool = False) -> Record:
    made = Record(body, stream, 0.0)
    made.attempts = attempts
    if is_asked:
        made.callbacks = [print]
    return made


records = st.lists(
    st.builds(
        record, st.binary(max_size=40), st.integers(-5, 5), st.sampled_from([0, 0, 0, 1, 7]), st.booleans()
    ),
    max_size=20,
)


def copies(given: list[Record]) -> list[Record]:
    return [record(each.body, each.stream, each.attempts, each.callbacks is not None) for each in given]


def state(given: list[Record]) -> list[tuple[Any, ...]]:
    return [(each.body, each.stream, each.attempts, each.outcome, each.callbacks) for each in given]


some_streams = st.sets(st.integers(-5, 5), max_size=2)


FIRST = record(b"waits already")


def stream_queue_of(stream: int, *, filled: int, is_ready: bool) -> StreamQueue:
    stream_queue = StreamQueue(stream)
    stream_queue.records.extend([FIRST] * filled)
    stream_queue.is_ready = is_ready
    return stream_queue


@given(
    records,
    st.integers(0, 25),
    st.integers(0, 200),
    st.booleans(),
    some_streams,
    some_streams,
    st.integers(0, 5),
)
def test_loops_do_what_the_python_code_does(
    native: Any,
    given: list[Record],
    events: int,
    size: int,
    has_some: bool,
    busy: set[int],
    queued_streams: set[int],
    most: int,
) -> None:
    """Each on the same records: what they return, and what becomes of the records."""
    for name in ("total_size", "streams_of", "most_attempts"):
        assert getattr(native, name)(given) == PYTHON[name](given)
    assert native.fitting(given, events, size) == PYTHON["fitting"](given, events, size)
    assert native.join(b"head", given, b"tail") == PYTHON["join"](b"head", given, b"tail")
    fronts = []
    for sift in (native.sift, PYTHON["sift"]):
        queue = deque(given)
        taken = [record(b"first")] if has_some else []
        stream_queues = {
            stream: stream_queue_of(stream, filled=stream % 2, is_ready=stream > 1)
            for stream in queued_streams
        }
        left = sift(queue, taken, events, size, busy, stream_queues, most)
        fronts.append(
            (
                state(taken),
                list(queue),
                {key: list(each.records) for key, each in stream_queues.items()},
                left,
            )
        )
    assert fronts[0] == fronts[1]
    fronts = []
    for drain in (native.drain, PYTHON["drain"]):
        queue = deque(given)
        taken = [record(b"first")] if has_some else []
        left = drain(queue, taken, events, size)
        fronts.append((state(taken), list(queue), {}, left))
    assert fronts[0] == fronts[1]
    ends = []
    for deliver in (native.deliver, PYTHON["deliver"]):
        own = copies(given)
        others, asked = deliver(own, OUTCOME)
        ends.append((state(own), [own.index(each) for each in others], [own.index(each) for each in asked]))
    assert ends[0] == ends[1]


@pytest.mark.parametrize("given", [[1], [None], (), None, [Record(None, 1, 0.0)]])  # type: ignore[arg-type]
def test_what_are_no_records_is_an_error_and_no_crash(native: Any, given: Any) -> None:
    """TypeError, whatever it is."""
    for call in (
        lambda: native.total_size(given),
        lambda: native.fitting(given, 1, 1),
        lambda: native.join(b"", given, b""),
        lambda: native.streams_of(given),
        lambda: native.most_attempts(given),
        lambda: native.deliver(given, OUTCOME),
        lambda: native.sift(deque(given or ()), None, 1, 1, set(), {}, 9),
        lambda: native.sift(deque([record(b"", 1)]), [], 1, 1, set(), {1: given}, 9),
        lambda: native.drain(deque(given or ()), None, 1, 1),
    ):
        with pytest.raises(TypeError):
            call()


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


# Memory.


def growth(call: Any) -> int:
    """Blocks of memory that 3000 calls have left behind."""
    call()
    for _ in range(300):
        call()
    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(3000):
        call()
    gc.collect()
    return sys.getallocatedblocks() - before


@pytest.mark.parametrize(
    "event",
    [SONG, {**SONG, "unknown_field": 7}, {**SONG, "user_id": "1"}, {**SONG, "event_properties": {7: 8}}],
)
def test_encoding_leaks_nothing(client: Any, event: dict[str, Any]) -> None:
    """Neither what is taken nor what is not."""
    assert growth(lambda: client._hot.encode(event)) < NOISE


def test_logging_leaks_nothing(native: Any, caplog: pytest.LogCaptureFixture) -> None:
    """From the call to the end of the delivery."""
    caplog.set_level(logging.CRITICAL, logger="antinode")  # or what is said would be kept
    memory = Memory()
    with logging_client(memory, max_queue_events=100) as client:

        def call() -> None:
            client.log_event(SONG)
            client.flush(10)
            memory.requests.clear()

        call()  # the client remembers ids that it has found good
        keys = [sys.getrefcount(each) for each in (SONG["user_id"], SONG)]
        assert growth(call) < NOISE
        assert [sys.getrefcount(each) for each in (SONG["user_id"], SONG)] == keys


def test_loops_leak_nothing(native: Any) -> None:
    """Nor do their errors."""
    some = [record(b"x" * size) for size in range(50)]
    many = [record(b"x", attempts=size % 2) for size in range(50)]

    def call() -> None:
        native.total_size(some)
        native.fitting(some, 40, 300)
        native.join(b"[", some, b"]")
        native.streams_of(some)
        native.most_attempts(some)
        native.sift(deque(some), [], 40, 300, {3}, {1: stream_queue_of(1, filled=1, is_ready=True)}, 9)
        native.drain(deque(some), [], 40, 300)
        native.deliver(copies(many), OUTCOME)
        with pytest.raises(TypeError):
            native.total_size([*some, None])

    assert growth(call) < NOISE


def test_leading_leaks_nothing(native: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever becomes of an event, and whoever keeps its `next`."""
    caplog.set_level(logging.CRITICAL, logger="antinode")
    calls = 0

    def whimsical(payload: Any, go_on: Any) -> None:
        nonlocal calls
        calls += 1
        if calls % 5 == 0:
            raise LookupError
        if calls % 5 == 1:
            payload.event["user_properties"] = {"next": go_on, "payload": payload}
            return
        if calls % 5 == 2:
            payload.event["event_properties"] = {1, 2}
        go_on(payload)
        if calls % 5 == 3:
            go_on(payload)

    memory = Memory()
    with logging_client(memory) as client:
        client.add_event_middleware(whimsical).add_event_middleware(lambda payload, go_on: go_on(payload))

        def call() -> None:
            client.log_event(SONG, memory)
            client.flush(10)
            memory.requests.clear()

        assert growth(call) < NOISE


@pytest.mark.parametrize("has_middleware", [False, True])
def test_a_client_that_is_let_go_is_collected(native: Any, has_middleware: bool) -> None:
    """Though it and its compiled path refer to each other, and its middleware to it."""
    before = len([each for each in gc.get_objects() if type(each) is native.Log])
    for _ in range(5):
        client = Client().init(KEY, transport=Memory())
        if has_middleware:
            client.add_event_middleware(lambda payload, go_on, own=client: go_on(payload))  # type: ignore[misc]
        client.log_event(SONG)
        client.shutdown(5)
        del client
    gc.collect()
    assert len([each for each in gc.get_objects() if type(each) is native.Log]) <= before + 1


# Where they run.

SUBINTERPRETER = """
import sys
try:
    import _interpreters
    made = _interpreters.create("legacy")
    run = _interpreters.exec
except ImportError:
    import _xxsubinterpreters as _interpreters
    made = _interpreters.create(isolated=False)
    run = _interpreters.run_string
told = run(made, f'''
import sys
sys.path[:0] = {sys.path!r}
import antinode
class Nowhere:
    def send(self, request): return antinode.HttpResponse(200, {{}}, b"")
    def close(self): pass
client = antinode.init("0" * 32, transport=Nowhere())
client.log_event({{"event_type": "Tick", "user_id": "user-1"}})
print(client.flush(10).delivered, client._hot is not None, flush=True)
client.shutdown(10)
''')
print(told)
"""


def test_a_subinterpreter_delivers(native: Any) -> None:
    """One that shares the global lock, as mod_wsgi makes them."""
    command = [sys.executable, "-c", SUBINTERPRETER]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.stdout == "1 True\nNone\n", done.stdout + done.stderr


def test_the_hook_builds_what_is_used(native: Any) -> None:
    """The library lies where the build puts it, and is this interpreter's."""
    assert Path(native.__file__).name == f"_native{sysconfig.get_config_var('EXT_SUFFIX')}"
