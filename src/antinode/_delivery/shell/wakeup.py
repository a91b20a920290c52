"""The coordinator's wake-up: at which length of the queue logging rings, and the bell that it rings."""

from __future__ import annotations

import threading

from antinode._delivery.core.schedule import NEVER

# A longer timeout overflows on some platforms.
LONGEST_SLEEP_SECONDS = 86_400.0


class Wakeup:
    """A threshold, which logging compares with the queue's length, and a bell.

    The bell is a lock that is held while nobody rings. Releasing it twice is an error, which means that it is
    ringing already. Unlike an Event or a Condition it has no lock of its own inside, in which a signal
    handler could get stuck.
    """

    # Compiled code reads `threshold` where it lies.
    __slots__ = ("_bell", "threshold")

    def __init__(self) -> None:
        self.threshold = 1
        """The length of the queue at which logging rings."""
        self.make_bell()

    def make_bell(self) -> None:
        """Make the bell anew; before any thread waits for it."""
        self._bell = threading.Lock()
        self._bell.acquire()

    def arm(self, threshold: int = 1) -> None:
        """Have logging ring at this length of the queue; by default with the next record."""
        self.threshold = threshold

    def disarm(self) -> None:
        """Have logging not ring again until the coordinator arms the wake-up anew, before it sleeps."""
        self.threshold = NEVER

    def ring(self) -> None:
        """Wake the coordinator, or whoever does its work; nothing if it rings already."""
        try:  # noqa: SIM105 - a third of what a context manager costs each small upload
            self._bell.release()
        except RuntimeError:
            pass

    def wait(self, seconds: float | None) -> None:
        """Sleep until it rings, for so many seconds at most; None: for as long as it takes."""
        if seconds is None:
            self._bell.acquire()
        elif seconds > 0:
            self._bell.acquire(timeout=min(seconds, LONGEST_SLEEP_SECONDS))
