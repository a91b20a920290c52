"""`once`: the same business fact counts once, wherever it is logged."""

import subprocess
import sys
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antinode import EventError, Status
from antinode._encoding.insert_ids import from_business_key
from tests.memory import SONG, Memory, logging_client, sent

PINNED = "499a906d-2935-8191-ad59-114190b016ba"


def insert_ids(*logged, **options):
    memory = Memory()
    with logging_client(memory, **options) as client:
        for event, once in logged:
            client.log_event(event, once=once)
        return [event["insert_id"] for event in sent(client, memory)]


def test_the_same_key_gives_the_same_id():
    """Two events with the same type and key share an insert_id, whatever else they hold."""
    first, second = insert_ids((SONG, "order-88231"), ({**SONG, "user_id": "user-30000"}, "order-88231"))
    assert first == second
    uuid.UUID(first)


def test_the_id_of_a_fact_never_changes():
    """Another process, and another version, makes the same id."""
    code = (
        "from antinode._encoding.insert_ids import from_business_key as key;"
        " print(key('Song Played', 'order-88231'))"
    )
    elsewhere = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert elsewhere.stdout.strip() == from_business_key("Song Played", "order-88231") == PINNED


def test_other_event_types_get_other_ids():
    """One order may be placed once and shipped once."""
    first, second = insert_ids((SONG, "order-88231"), ({**SONG, "event_type": "Song Paused"}, "order-88231"))
    assert first != second


@given(st.tuples(st.text(), st.text()), st.tuples(st.text(), st.text()))
def test_different_facts_get_different_ids(one, other):
    """No two pairs of type and key share an id, however they are cut."""
    assert (from_business_key(*one) == from_business_key(*other)) is (one == other)
    assert from_business_key("a", "bc") != from_business_key("ab", "c")


def test_a_number_is_its_digits():
    """88231 and "88231" are one key."""
    first, second = insert_ids((SONG, 88231), (SONG, "88231"))
    assert first == second


@pytest.mark.parametrize("once", ["", "  ", True, 1.5, b"order", ["order"], uuid.UUID(int=1)])
def test_other_keys_are_refused(once):
    """What is no string and no whole number is refused, with a word on what to write."""
    with logging_client() as client:
        outcome = client.log_event(SONG, once=once).result(0)
        assert outcome.status is Status.INVALID
        assert "order-88231" in outcome.message
    with logging_client(strict=True) as client, pytest.raises(EventError, match="`once`"):
        client.log_event(SONG, once=once)


def test_an_insert_id_of_its_own_is_a_contradiction():
    """`once` beside an insert_id is refused, rather than one of them ignored."""
    with logging_client() as client:
        delivery = client.log_event({**SONG, "insert_id": "mine"}, once="order-88231")
        assert "give one of them" in delivery.result(0).message
        assert client.log_event({**SONG, "insert_id": None}, once="order-88231").result(120).ok


def test_middleware_sees_the_id():
    """It is there before the middleware runs, and the event given stays as it was."""
    memory = Memory()
    seen = []

    def look(payload, next):
        seen.append(payload.event["insert_id"])
        next(payload)

    event = dict(SONG)
    with logging_client(memory) as client:
        client.add_event_middleware(look)
        client.log_event(event, once="order-88231")
        assert [sent(client, memory)[0]["insert_id"]] == seen == [PINNED]
    assert event == SONG
