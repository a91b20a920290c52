"""The compiled way of an event: completed, led through middleware and counted as by the Python code."""

from __future__ import annotations

import re
import time
from contextlib import ExitStack, nullcontext
from functools import partial
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import antinode
from antinode import (
    MiddlewarePayload,
)
from antinode._hot_path import make_hot
from antinode._middleware import own_copy, run_chain
from antinode._pipeline.pipeline import Pipeline
from antinode._pipeline.stages import RunMiddleware, stages_of
from tests.encoding.test_encoder import events
from tests.memory import SONG, Memory, logging_client, sent
from tests.native.comparing import ordered


def by_python_completed(client: Any, event: dict[str, Any]) -> dict[str, Any]:
    completed: dict[str, Any] = client._encoder.defaults.fill_in(own_copy(event))
    return completed


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
                client.flush(120)
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
        assert handles[9].result(120).ok
        assert client.flush(120).complete
    assert told == [SONG["user_id"]]
    assert handles[0].event() == {}


def test_events_of_one_millisecond_have_one_moment(native: Any) -> None:
    """So that each takes 32 bytes less in the queue; it is by less than that before the time of the call."""
    called, moments = [time.monotonic()], []
    with logging_client() as made:
        for _ in range(200):
            moments.append(made.log_event(SONG).logged_at)
            called.append(time.monotonic())
    assert moments == sorted(moments)
    for before, moment, after in zip(called, moments, called[1:], strict=False):
        assert before - 0.001 < moment <= after
    assert all(moment is other for moment, other in pairwise(moments) if other == moment)
    assert all(other - moment >= 0.001 for moment, other in pairwise(moments) if other != moment)
