"""Reading a request's body, within bounds of size and time."""

from __future__ import annotations

from typing import Final

import anyio
import msgspec
from starlette.types import Receive

BODY_WITHIN_S: Final = 30.0
"""From the headers until the body is there."""

_DRAINED_AT_MOST: Final = 256 * 1024 * 1024


class Body(msgspec.Struct, frozen=True):
    """What of a body was kept."""

    data: bytes
    size: int
    """Bytes that came."""
    is_too_large: bool
    """`data` is only its beginning."""
    is_whole: bool
    """Nothing of it is still to come; otherwise it was given up as endless."""


class ClientGone(Exception):
    """The connection ended before the body did."""


class BodyLate(Exception):
    """The body was not there in time."""


async def read_body(receive: Receive, keep: int, within_s: float) -> Body:
    """The body, of which at most `keep` bytes are kept. Raises `ClientGone` and `BodyLate`.

    The rest of a larger one is read and dropped, since a client that is still sending sees no answer.
    """
    kept = bytearray()
    size = 0
    is_too_large = False
    try:
        with anyio.fail_after(within_s):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                chunk: bytes = message.get("body", b"")
                more: bool = message.get("more_body", False)
                size += len(chunk)
                if not more and not kept and not is_too_large and size <= keep:
                    return Body(chunk, size, is_too_large=False, is_whole=True)
                if not is_too_large:
                    kept += chunk
                    if len(kept) > keep:
                        is_too_large = True
                        del kept[keep:]
                if not more or size > _DRAINED_AT_MOST:
                    return Body(bytes(kept), size, is_too_large, is_whole=not more)
    except TimeoutError:
        raise BodyLate from None
