"""The statuses with which an event or a response can end: the Node SDK's `Status` values."""

from __future__ import annotations

import enum

from antinode._public import public


@public
class Status(str, enum.Enum):
    """How an event, or one response, ended. The values are those of the Node SDK's `Status`."""

    SUCCESS = "success"
    """The server accepted it."""
    SKIPPED = "skipped"
    """Never meant to be sent: opted out, disabled, held back by a middleware."""
    INVALID = "invalid"
    """Refused for what it contains, by our own checks or by the server's."""
    RATE_LIMIT = "rate_limit"
    """Throttled, or over the daily quota of its user or device."""
    PAYLOAD_TOO_LARGE = "payload_too_large"
    """Larger than the API takes in one request."""
    FAILED = "failed"
    """Not sent: a 5xx that outlived its retries, a configuration fault, no room, too old, shut down."""
    TIMEOUT = "timeout"
    """No answer within the request timeout, or a 408."""
    SYSTEM_ERROR = "system_error"
    """The connection could not be made or broke."""
    UNKNOWN = "unknown"
    """An answer that no rule covers."""

    __str__ = str.__str__
