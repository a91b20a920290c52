"""What events lack and are given: an insert_id, the same whenever the request is repeated, and a time.

The times of a client whose clock is wrong are corrected as Amplitude does it, by when the request was sent:
once the events are delivered, nobody could tell any more.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

from antinode.server.ingest.times import happened_at, skew_ms

if TYPE_CHECKING:
    from antinode.server.ingest.requests import Received


class Stamp:
    """Stamps the events of one request.

    An insert_id is made of the request's path, query and body (out of its encoding), and of the event's index
    among its events: never change how, since a request may be repeated to another version.
    """

    def __init__(self, received: Received, body: bytes, now_ms: int) -> None:
        """`body` is out of its encoding. `now_ms`: when the request came."""
        self._received = received
        self._body = body
        self._now_ms = now_ms
        self._digest: bytes | None = None

    def is_skewed(self, uploaded: int | None) -> bool:
        """Whether times are corrected, for a request whose client says that it was sent then."""
        return skew_ms(self._now_ms, uploaded) != 0

    def happened_at(self, time: int | None, uploaded: int | None) -> int:
        """When an event happened by the relay's clock."""
        return happened_at(time, self._now_ms, uploaded)

    def stamped(self, text: bytes, index: int, *, has_insert_id: bool, time: int | None) -> bytes:
        """The JSON object `text`, which is not empty, with what it lacks in front: an insert_id, and `time`
        unless that is None."""
        if has_insert_id and time is None:
            return text
        insert_id = b"" if has_insert_id else b'"insert_id":"%b",' % self.insert_id(index).encode()
        return b"{%b%b%b" % (insert_id, b"" if time is None else b'"time":%d,' % time, text[1:])

    def insert_id(self, index: int) -> str:
        """That of the event with this index, in the shape of a UUID of version 8."""
        if self._digest is None:
            self._digest = _digest(self._received, self._body)
        digits = blake2b(self._digest + index.to_bytes(4, "big"), digest_size=16).hexdigest()
        return f"{digits[:8]}-{digits[8:12]}-8{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def _digest(received: Received, body: bytes) -> bytes:
    digest = blake2b(digest_size=16)
    for part in (received.path.encode(), received.query.encode("utf-8", "replace"), body):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()
