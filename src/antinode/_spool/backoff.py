"""When something that the disk refused is tried again: at once, then after waits that double."""

from __future__ import annotations

FIRST_WAIT = 0.25
LAST_WAIT = 30.0
"""In seconds."""


class ReadBackoff:
    """The waits between tries.

    `at` is when the next one is due; `failures` counts those since the last success.
    """

    def __init__(self) -> None:
        self.failures = 0
        self.at = float("-inf")

    def fail(self, now: float) -> None:
        """Count a failure. A refusal is often over in an instant, so the second try comes at once."""
        self.failures += 1
        doublings = min(self.failures - 2, 10)
        self.at = now if doublings < 0 else now + min(LAST_WAIT, FIRST_WAIT * 2.0**doublings)

    def succeed(self) -> None:
        self.failures = 0
        self.at = float("-inf")
