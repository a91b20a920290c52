"""The number of a stream: the same in every process, version and language, unlike Python's `hash`."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

STREAM_BYTES: Final = 8


def stream_of(user_id: str | None, device_id: str | None) -> int:
    """The stream of a pair of ids, from 0 to 2**64 - 1. A missing id is the same as an empty one.

    It is BLAKE2b with a digest of 8 bytes, read as a big-endian number, over both ids, each as the length of
    its UTF-8 in 4 big-endian bytes and that UTF-8. It is part of what is stored: never change it.
    """
    user = user_id.encode("utf-8", "surrogatepass") if user_id else b""
    device = device_id.encode("utf-8", "surrogatepass") if device_id else b""
    text = b"%b%b%b%b" % (len(user).to_bytes(4, "big"), user, len(device).to_bytes(4, "big"), device)
    return int.from_bytes(blake2b(text, digest_size=STREAM_BYTES).digest(), "big")
