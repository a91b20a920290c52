"""insert_ids: what lets the server recognise an event that comes twice (reference, section 6)."""

from __future__ import annotations

import itertools
import os

from antinode._digests import sha256


class InsertIds:
    """Ids in the shape of a version-4 UUID: random once per process and client, then counted.

    74 random bits set processes apart and a counter the events of one, which costs a tenth of drawing 122
    random bits for each. Made anew in a forked child, which would otherwise repeat its parent's.
    """

    def __init__(self) -> None:
        # Advancing an itertools.count is atomic, so no lock is needed. Twelve decimal digits from the start
        # fill a UUID's last group, and are written faster than padded hexadecimal ones.
        self.counter = itertools.count(100_000_000_000)
        self._prefix: bytes | None = None

    @property
    def prefix(self) -> bytes:
        """Everything before the counter."""
        # Not drawn before the first event: a process image that is saved after `init` and started many
        # times over, as AWS SnapStart does it, must not bring the same ids each time.
        if self._prefix is None:
            # Threads that get here at once may go on with different prefixes: the counter sets them apart.
            self._prefix = _random_prefix()
        return self._prefix

    def __next__(self) -> str:
        return f"{self.prefix.decode()}{next(self.counter)}"


def _random_prefix() -> bytes:
    digits = os.urandom(10).hex()
    variant = "89ab"[int(digits[15], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[12:15]}-{variant}{digits[16:19]}-".encode()


def from_business_key(event_type: str, once: str) -> str:
    """The insert_id of a business fact, equal in every process: a digest of event type and key, as a UUID.

    The id of a fact must never change from one version to the next: versions of antinode run side by side.
    """
    # The length keeps apart pairs that are equal when written one after the other.
    fact = f"{len(event_type)}:{event_type}{once}".encode(errors="surrogatepass")
    digest = sha256(fact).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-8{digest[13:16]}-a{digest[17:20]}-{digest[20:32]}"
