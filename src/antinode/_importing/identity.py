"""insert_ids for rows that have none: the same for the same row, in every run and on every machine.

What enters is, in this order: the namespace, the event's type, the number of the row in its source, and the
row as it is (in JSON; of JSON lines, the very line). The name of the file does not, nor its compression, nor
the archive or the directory it is in, nor how the columns are mapped, nor the version of antinode.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import TypeAlias

InsertId: TypeAlias = Callable[[int, str, bytes], str]
"""The id of a row by its number, the event's type, and its text."""


def insert_ids(namespace: str = "") -> InsertId:
    """Ids of 128 bits in hexadecimal. Another namespace gives other ids for the same rows."""
    encoded = namespace.encode()
    base = blake2b(b"%d:%b" % (len(encoded), encoded), digest_size=16)

    def insert_id(number: int, event_type: str, text: bytes) -> str:
        kind = event_type.encode(errors="surrogatepass")
        digest = base.copy()
        # Without the lengths, different pairs of type and text could be joined to equal bytes.
        digest.update(b"%d:%d:%b%b" % (number, len(kind), kind, text))
        return digest.hexdigest()

    return insert_id
