"""Who an event belongs to: users behind user ids and device ids (reference, sections 4.4 and 4.5). Pure."""

from __future__ import annotations

import enum
import uuid
from typing import Final

_NAMESPACE: Final = uuid.UUID("7b3c1b5e-6f0d-5c57-9d0e-0a4b8f6f2a11")
"""Ours: which one Amplitude uses is not known. Never to be changed, since deduplication depends on it."""


def derived_device_id(user_id: str) -> str:
    """The device id of an event that has only a `user_id`: the same one for the same user, everywhere."""
    return str(uuid.uuid5(_NAMESPACE, user_id))


class Belonging(enum.Enum):
    """Which user an event belongs to."""

    KNOWN = enum.auto()
    """The user with its user_id."""
    MERGED = enum.auto()
    """The same, and the anonymous user of its device turns out to be that user."""
    NAMED = enum.auto()
    """The anonymous user of its device, who takes the user_id."""
    ON_DEVICE = enum.auto()
    """The user last seen on its device."""
    NEW = enum.auto()
    """A new user; anonymous without a user_id."""


def belonging(
    *, has_user_id: bool, is_known: bool, is_device_used: bool, is_device_anonymous: bool
) -> Belonging:
    """Which user an event belongs to, by the rules of section 4.5.

    `is_known`: there is a user with the event's user_id. `is_device_used`: the device was seen before, and
    `is_device_anonymous` that its last user has no user_id.
    """
    if not has_user_id:
        return Belonging.ON_DEVICE if is_device_used else Belonging.NEW
    if is_known:
        return Belonging.MERGED if is_device_used and is_device_anonymous else Belonging.KNOWN
    return Belonging.NAMED if is_device_used and is_device_anonymous else Belonging.NEW
