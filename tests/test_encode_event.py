"""`encode_event`: what `log_event` would send, and nothing sent."""

from __future__ import annotations

import json
import logging
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import antinode
from antinode import Client, EventError, Outcome, Status
from antinode.testing import capture
from tests.examples import examples
from tests.memory import SONG, Memory, logging_client, sent

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture
def memory() -> Memory:
    return Memory()


def body_of(encoded: bytes | Outcome) -> dict[str, Any]:
    assert isinstance(encoded, bytes), encoded
    found: dict[str, Any] = json.loads(encoded)
    return found


def test_it_is_what_log_event_would_send(memory: Memory) -> None:
    """With context, defaults and middleware, and the id of `once`; it is neither sent nor counted."""

    def enrich(payload: Any, next: Any) -> None:
        payload.event["event_properties"] = {"extra": payload.extra}
        next(payload)

    with logging_client(memory, plan={"branch": "main"}) as client:
        client.add_event_middleware(enrich)
        with antinode.context(user_id="user-7", language="de"):
            encoded = body_of(client.encode_event({"event_type": "Ordered"}, "hint", once="order-1"))
            assert client.stats().accepted == 0
            client.log_event({"event_type": "Ordered"}, "hint", once="order-1")
        (logged,) = sent(client, memory)
    assert encoded.pop("time") <= logged.pop("time")
    assert encoded == logged
    assert encoded["event_properties"] == {"extra": "hint"}
    assert (encoded["user_id"], encoded["language"], encoded["plan"]) == ("user-7", "de", {"branch": "main"})


def test_each_has_an_insert_id_of_its_own(memory: Memory) -> None:
    """Also among those that are logged in between."""
    with logging_client(memory) as client:
        ids = {body_of(client.encode_event(SONG))["insert_id"] for _ in range(10)}
        client.log_event(SONG)
        (logged,) = sent(client, memory)
    assert len(ids | {logged["insert_id"]}) == 11


@settings(max_examples=examples(30))
@given(properties=st.dictionaries(st.text(max_size=8), VALUES, max_size=4))
def test_it_may_be_logged_later_as_it_is(properties: dict[str, Any]) -> None:
    """Whatever was mended in it: what is decoded and logged is encoded to the very same."""
    client = Client().init("0" * 32, server_url="http://127.0.0.1:9")
    for each in (datetime.now().astimezone(), 1_700_000_000):
        encoded = client.encode_event({**SONG, "event_properties": properties, "time": each})  # type: ignore[typeddict-item]
        assert isinstance(encoded, bytes)
        assert client.encode_event(json.loads(encoded)) == encoded


def test_what_log_event_would_not_send_is_told_at_once(
    memory: Memory, caplog: pytest.LogCaptureFixture
) -> None:
    """By its outcome, in the books and in the log; under `strict=True` it raises."""

    def keep(payload: Any, next: Any) -> None:
        if payload.event.get("ip") is None:
            next(payload)

    odd: Any = {"user_id": "user-1"}
    with logging_client(memory) as client, caplog.at_level(logging.WARNING):
        refused = client.encode_event(odd)
        assert isinstance(refused, Outcome)
        assert (refused.kind, refused.status) == ("rejected", Status.INVALID)
        client.add_event_middleware(keep)
        held = client.encode_event({**SONG, "ip": "192.0.2.1"})
        assert isinstance(held, Outcome)
        assert (held.kind, held.reason) == ("skipped", "middleware")
        client.opt_out = True
        out = client.encode_event(SONG)
        assert isinstance(out, Outcome)
        assert out.reason == "opt_out"
        client.flush()
        assert client.stats().rejected == {"invalid_event": 1}
        assert client.stats().skipped == {"middleware": 1, "opt_out": 1}
    assert "event_type" in caplog.text
    with logging_client(memory, strict=True) as client, pytest.raises(EventError):
        client.encode_event(odd)
    before = Client().encode_event(SONG)
    assert isinstance(before, Outcome)
    assert before.reason == "not_initialised"
    assert memory.events == []


def test_a_capture_takes_no_encoded_event(memory: Memory) -> None:
    """What is only encoded has not been logged; a client without `init` encodes inside a capture."""
    with logging_client(memory) as client, capture() as amplitude:
        assert body_of(client.encode_event(SONG))["event_type"] == SONG["event_type"]
        assert body_of(Client().encode_event(SONG))["event_type"] == SONG["event_type"]
        assert not amplitude
