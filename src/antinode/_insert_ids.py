"""insert_ids: what lets the server recognise an event that comes twice (reference, section 6)."""

from __future__ import annotations

import hashlib
import itertools
import os


class InsertIds:
    """Ids in the shape of a version-4 UUID: random once per process and client, then counted.

    74 random bits set processes apart and a counter the events of one, which costs a tenth of drawing 122
    random bits for each. Made anew in a forked child, which would otherwise repeat its parent's.
    """

    def __init__(self) -> None:
        digits = os.urandom(10).hex()
        variant = "89ab"[int(digits[15], 16) & 3]
        self.prefix = f"{digits[:8]}-{digits[8:12]}-4{digits[12:15]}-{variant}{digits[16:19]}-".encode()
        # Advancing an itertools.count is atomic, so no lock is needed.
        self.counter = itertools.count()

    def __next__(self) -> str:
        return f"{self.prefix.decode()}{next(self.counter):012x}"


def from_business_key(event_type: str, once: str) -> str:
    """The same id for the same fact, in any process: a digest of the event type and the key, as a UUID."""
    digest = hashlib.sha256(f"{event_type}\0{once}".encode(errors="replace")).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-8{digest[13:16]}-a{digest[17:20]}-{digest[20:32]}"
