"""Keys that are none of an event's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antinode._protocol.fields import FIELDS
from antinode._protocol.unknown_keys import advice, meant_key, note_on


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("properties", "event_properties"),
        ("props", "event_properties"),
        ("traits", "user_properties"),
        ("$set", "user_properties"),
        ("timestamp", "time"),
        ("event_time", "time"),
        ("client_event_time", "time"),
        ("sentAt", "time"),
        ("distinct_id", "user_id"),
        ("userId", "user_id"),
        ("USERID", "user_id"),
        ("user-id", "user_id"),
        ("anonymousId", "device_id"),
        ("$device_id", "device_id"),
        ("event", "event_type"),
        ("event_name", "event_type"),
        ("messageId", "insert_id"),
        ("$insert_id", "insert_id"),
        ("ip_address", "ip"),
        ("device_carrier", "carrier"),
        ("product_id", "productId"),
        ("evnt_properties", "event_properties"),
        ("event_propertys", "event_properties"),
        ("event_typ", "event_type"),
        ("usr_properties", "user_properties"),
        ("platfrom", "platform"),
        ("sesion_id", "session_id"),
    ],
)
def test_the_key_that_was_meant_is_named(key: str, meant: str) -> None:
    """Spellings, slips, and what other SDKs and the export call it, lead to Amplitude's own key."""
    assert meant_key(key) == meant
    assert advice(key).endswith(f"write `{meant}`")


@pytest.mark.parametrize("key", ["cart", "x", "", "my_own", "context", "integrations", "ключ", "k" * 10_000])
def test_a_key_that_resembles_none_belongs_into_the_properties(key: str) -> None:
    """Nothing is guessed at."""
    assert meant_key(key) is None
    assert "event_properties" in advice(key)


def test_what_amplitude_makes_is_to_be_left_out() -> None:
    """A column of an export that no event can set is not sent on to the properties."""
    assert advice("server_upload_time").endswith("leave it out")


@given(st.sampled_from(sorted(FIELDS)), st.data())
def test_one_slip_is_forgiven(key: str, data: st.DataObject) -> None:
    """A long key with one letter missing is still told apart from all others."""
    if len(key) < 9:
        return
    at = data.draw(st.integers(0, len(key) - 1))
    slip = key[:at] + key[at + 1 :]
    if slip not in FIELDS:
        assert meant_key(slip) is not None


@given(st.text())
def test_each_unknown_key_has_a_short_note(key: str) -> None:
    """Whatever the key, there is a note, of bounded length, that says what to do."""
    note = note_on(key)
    assert note.objection
    assert not note.is_change
    assert len(note) < 200
