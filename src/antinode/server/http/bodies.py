"""Reading a request's body, within bounds of size and time."""

from __future__ import annotations

import threading
from typing import Final

import anyio
import msgspec
from starlette.types import Receive

BODY_WITHIN_S: Final = 30.0
"""From the headers until the body is there."""

_DRAINED_FOR_SECONDS: Final = 1.0
_DRAINED_AT_MOST_BYTES: Final = 256 * 1024 * 1024


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


class NoRoom(Exception):
    """The bodies that are under way take all the memory there is for them."""


NO_ROOM: Final = "Too many requests are under way, with bodies that are not whole: send fewer at a time"


class Room:
    """The memory, in bytes, that all bodies still being received may take together."""

    def __init__(self, size: int) -> None:
        self._free = size
        self._lock = threading.Lock()

    def take(self, size: int) -> bool:
        """Take `size` bytes if there is room for them; whether there was."""
        with self._lock:
            if size > self._free:
                return False
            self._free -= size
            return True

    def give(self, size: int) -> None:
        """Give bytes back."""
        with self._lock:
            self._free += size


_ROOM: Final = Room(256 * 1024 * 1024)
"""Of all servers of the process, whose memory it is."""


async def read_body(receive: Receive, keep: int, within_s: float, room: Room = _ROOM) -> Body:
    """The body, of which at most `keep` bytes are kept. Raises `ClientGone`, `BodyLate` and `NoRoom`.

    The rest of a larger one is read and dropped, since a client that is still sending sees no answer.
    """
    kept = bytearray()
    size = taken = 0
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
                    if not room.take(len(chunk)):
                        kept.clear()
                        room.give(taken)
                        taken = 0
                        await _drain(receive, more=more)
                        raise NoRoom
                    taken += len(chunk)
                    kept += chunk
                    if len(kept) > keep:
                        is_too_large = True
                        del kept[keep:]
                if not more or size > _DRAINED_AT_MOST_BYTES:
                    return Body(bytes(kept), size, is_too_large, is_whole=not more)
    except TimeoutError:
        raise BodyLate from None
    finally:
        room.give(taken)


async def _drain(receive: Receive, *, more: bool) -> None:
    """Read and drop the rest of a body, for a moment: a client that is still sending sees no answer."""
    with anyio.move_on_after(_DRAINED_FOR_SECONDS):
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            more = message.get("more_body", False)
