"""When an event happened, by a client whose clock may be wrong (reference, section 7)."""

from __future__ import annotations

from typing import Final

_SKEW_MS: Final = 60_000
"""From this difference of the clocks on, times are corrected by it."""


def skew_ms(received_at: int, client_upload_time: int | None) -> int:
    """By how many milliseconds the times of a request's events are corrected; 0: they are taken as they are.

    Both times are milliseconds since 1970; None: the request does not say when it was sent.
    """
    skew = 0 if client_upload_time is None else received_at - client_upload_time
    return skew if abs(skew) >= _SKEW_MS else 0


def happened_at(time: int | None, received_at: int, client_upload_time: int | None) -> int:
    """When an event happened by the server's clock; None: it has no time, and that of its upload counts."""
    if time is None:
        time = received_at if client_upload_time is None else client_upload_time
    return time + skew_ms(received_at, client_upload_time)
