"""Users behind ids, against the rules one by one."""

from __future__ import annotations

import uuid

from hypothesis import given
from hypothesis import strategies as st

from antinode.server.engine import Amplitude
from antinode.server.models import UserView
from antinode.server.storage.identity import Belonging, belonging, derived_device_id
from tests.server.ingesting import event, fixed, send


def user(amplitude: Amplitude, name: str) -> UserView:
    found = amplitude.user(name)
    assert found is not None
    return found


@given(st.text())
def test_a_derived_device_id_is_a_stable_uuid(user_id: str) -> None:
    """Each user_id has one derived device, a UUID of version 5."""
    assert derived_device_id(user_id) == derived_device_id(user_id)
    assert uuid.UUID(derived_device_id(user_id)).version == 5


def test_the_derived_device_id_never_changes() -> None:
    """It is what deduplication goes by, over restarts and releases."""
    assert derived_device_id("user-20391") == "deb6acce-1e56-5230-bae1-3cd8ec147ac4"


def test_the_rules() -> None:
    """The five rules as a table: has a user_id, is known, device used, device anonymous."""

    def rule(has_user_id: bool, is_known: bool, is_device_used: bool, is_device_anonymous: bool) -> Belonging:
        return belonging(
            has_user_id=has_user_id,
            is_known=is_known,
            is_device_used=is_device_used,
            is_device_anonymous=is_device_anonymous,
        )

    assert Belonging.KNOWN is rule(True, True, True, False)
    assert Belonging.KNOWN is rule(True, True, False, False)
    assert Belonging.NAMED is rule(True, False, True, True)
    assert Belonging.NEW is rule(True, False, True, False)
    assert Belonging.NEW is rule(True, False, False, False)
    assert Belonging.ON_DEVICE is rule(False, False, True, True)
    assert Belonging.ON_DEVICE is rule(False, False, True, False)
    assert Belonging.NEW is rule(False, False, False, False)
    assert Belonging.MERGED is rule(True, True, True, True)


def anonymous(number: int, device_id: str) -> dict[str, object]:
    made = event(number, device_id=device_id)
    del made["user_id"]
    return made


def test_an_anonymous_user_takes_the_first_user_id_of_its_device() -> None:
    """The events from before the login belong to the user who logged in."""
    with Amplitude(clock=fixed()) as amplitude:
        send(amplitude, anonymous(1, "device-1"))
        before = user(amplitude, "device-1")
        send(amplitude, event(2, device_id="device-1"))
        after = user(amplitude, "user-20391")
    assert before.user_id is None
    assert before.amplitude_id == after.amplitude_id
    assert after.events == 2
    assert after.device_ids == ["device-1"]


def test_a_second_user_id_of_a_device_is_a_new_user() -> None:
    """Two people who share a device stay two; who has no id is the one who was there last."""
    with Amplitude(clock=fixed()) as amplitude:
        send(amplitude, event(1, device_id="device-1"))
        send(amplitude, event(2, device_id="device-1", user_id="user-2"))
        send(amplitude, anonymous(3, "device-1"))
        assert user(amplitude, "user-20391").amplitude_id != user(amplitude, "user-2").amplitude_id
        assert user(amplitude, "user-2").events == 2
        assert user(amplitude, "device-1") == user(amplitude, "user-2")
        send(amplitude, event(4, device_id="device-1"))
        assert user(amplitude, "device-1") == user(amplitude, "user-20391")


def test_an_anonymous_user_who_turns_out_to_be_known_is_shown_as_one() -> None:
    """The known user has the events and the device of both, and the anonymous one is listed no more."""
    with Amplitude(clock=fixed()) as amplitude:
        send(amplitude, event(1, device_id="device-1"))
        send(amplitude, anonymous(2, "device-2"), anonymous(3, "device-2"))
        assert len(amplitude.users().users) == 2
        send(amplitude, event(4, device_id="device-2"))
        (listed,) = amplitude.users().users
        found = user(amplitude, "user-20391")
        assert amplitude.stats().users == 1
    assert 4 == listed.events == found.events
    assert found.device_ids == ["device-2", "device-1"]


def test_users_of_two_projects_are_two() -> None:
    """The same ids with another API key are other users."""
    with Amplitude(clock=fixed()) as amplitude:
        send(amplitude, event(1, device_id="device-1"))
        send(amplitude, event(1, device_id="device-1"), api_key="1" * 32)
        assert {300001, 300002} == {each.project_id for each in amplitude.users().users}
        other = amplitude.user("user-20391", 300002)
    assert other is not None
    assert other.events == 1


def test_an_event_without_a_device_is_seen_on_the_derived_one() -> None:
    """An event that names only the derived device afterwards belongs to the same user."""
    with Amplitude(clock=fixed()) as amplitude:
        send(amplitude, event(1))
        send(amplitude, anonymous(2, derived_device_id("user-20391")))
        assert user(amplitude, "user-20391").events == 2
        assert [derived_device_id("user-20391")] == user(amplitude, "user-20391").device_ids
