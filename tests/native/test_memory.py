"""The compiled parts leak nothing."""

from __future__ import annotations

import gc
import logging
import sys
from collections import deque
from typing import Any

import pytest

from antinode import (
    Client,
)
from tests.memory import KEY, SONG, Memory, logging_client
from tests.native.comparing import OUTCOME, copies, record, stream_queue_of

# Python's own memory grows and shrinks by hundreds of blocks for no reason of ours; a leak is one a call.
NOISE = 1500


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
            client.flush(120)
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
            client.flush(120)
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
