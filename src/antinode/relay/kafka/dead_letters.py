"""Dead letters: events that cannot be delivered, in a topic of their own, with the reason and the origin.

The value is that of a record with one event; what was not readable is kept as it was. The headers are those
of a record, and these: `antinode-reason` (a short name), `antinode-code` (the HTTP status, or 0),
`antinode-message`, `antinode-origin` (TOPIC/PARTITION/OFFSET), `antinode-failed` (ms of Unix time).
"""

from __future__ import annotations

from typing import Final

import msgspec

from antinode.relay.kafka.records import Headers

_REASON: Final = "antinode-reason"
_CODE: Final = "antinode-code"
_MESSAGE: Final = "antinode-message"
_ORIGIN: Final = "antinode-origin"
_FAILED: Final = "antinode-failed"
_LONGEST_MESSAGE: Final = 500

UNREADABLE: Final = "unreadable"
UNKNOWN_PROJECT: Final = "unknown_project"


class Obituary(msgspec.Struct, frozen=True):
    """Why an event is a dead letter."""

    reason: str
    origin: str
    """TOPIC/PARTITION/OFFSET of its record."""
    failed_ms: int
    code: int = 0
    message: str = ""


def obituary_headers(obituary: Obituary) -> list[tuple[str, bytes]]:
    """The headers that tell why."""
    return [
        (_REASON, obituary.reason.encode()),
        (_CODE, b"%d" % obituary.code),
        (_MESSAGE, obituary.message[:_LONGEST_MESSAGE].encode("utf-8", "replace")),
        (_ORIGIN, obituary.origin.encode()),
        (_FAILED, b"%d" % obituary.failed_ms),
    ]


def read_obituary(headers: Headers | None) -> Obituary | None:
    """Why a record is a dead letter; None: it does not say."""
    given = {name: value or b"" for name, value in headers or ()}
    if _REASON not in given:
        return None
    try:
        return Obituary(
            reason=given[_REASON].decode(errors="replace"),
            origin=given.get(_ORIGIN, b"").decode(errors="replace"),
            failed_ms=int(given.get(_FAILED, b"0")),
            code=int(given.get(_CODE, b"0")),
            message=given.get(_MESSAGE, b"").decode(errors="replace"),
        )
    except ValueError:
        return None
