"""Why an event cannot be sent: raised by whoever finds out, told by whoever logs."""

from __future__ import annotations

from antinode._protocol.status import Status


class Refused(Exception):
    """The event cannot be sent as it is; the message says why and what to write instead."""

    def __init__(self, status: Status, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message


def invalid(message: str) -> Refused:
    """The refusal of an event for what it contains."""
    return Refused(Status.INVALID, "invalid_event", message)
