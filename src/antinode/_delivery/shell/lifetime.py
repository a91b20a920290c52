"""How far the end of a sender has come."""

from __future__ import annotations


class Lifetime:
    """Whether records are still admitted and sent, and until when: seconds on the sender's clock."""

    # Compiled code reads `is_closed` where it lies.
    __slots__ = ("close_by", "exit_by", "is_closed", "is_stopped")

    def __init__(self) -> None:
        self.is_closed = False
        """Whether new records are refused."""
        self.is_stopped = False
        """Whether it has been shut down to the end: there is no coordinator any more."""
        self.close_by: float | None = None
        """Until when the coordinator delivers before it closes, after a `shutdown` that could not wait."""
        self.exit_by: float | None = None
        """Until when events logged during the exit are still delivered, once the exit has begun."""

    @property
    def may_send(self) -> bool:
        """Whether uploads may start."""
        return not self.is_stopped or self.exit_by is not None

    def renew_after_fork(self) -> None:
        """In a forked child: forget the end that the parent was about to come to."""
        self.close_by = self.exit_by = None
        self.is_stopped = self.is_closed
