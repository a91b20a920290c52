"""The exceptions of `amplitude.exception`."""

from __future__ import annotations


class InvalidEventError(Exception):
    """An event that cannot be sent: it has no type, or neither a user_id nor a device_id."""


class InvalidAPIKeyError(Exception):
    """The server does not know the API key."""
