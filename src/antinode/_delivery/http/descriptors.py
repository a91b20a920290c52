"""The descriptors of sockets: whose they are, whether anything has come, and bytes in and out at once.

Compiled where possible (`native/wire.c`): beside threads that are busy in Python each system call that gives
up the interpreter's lock may wait up to 5 ms to get it back.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import sys
from contextlib import suppress
from stat import S_IFMT
from typing import TYPE_CHECKING, Any, Final, TypeVar

from antinode import _speedups

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T", bound="Callable[..., Any]")

Identity = tuple[int, int, int]

_IS_POSIX: Final = os.name != "nt"
_native: Any = _speedups.native if _IS_POSIX else None
# Where gevent or eventlet has come first it is theirs, which must do the waiting itself.
_OWN_CLASS: Final[type[Any] | None] = socket.socket if socket.socket.__module__ == "socket" else None
_TCP_INFO: Final = struct.Struct("=B51xI12xI")
"""The front of Linux's `struct tcp_info`, which stays as it is: the state, its 12th and its 16th number."""
_ESTABLISHED: Final = 1
_NEARBY_MICROSECONDS: Final = 20_000


def _compiled(python: _T) -> _T:
    return _speedups.compiled(python) if _IS_POSIX else python


@_compiled
def identity_at(descriptor: int) -> Identity | None:
    """What tells the file at this descriptor from others; None if there is none."""
    try:
        status = os.fstat(descriptor)
    except OSError:
        return None
    return status.st_dev, status.st_ino, S_IFMT(status.st_mode)


@_compiled
def has_come(descriptor: int) -> bool:
    """Whether there is anything to receive, be it the end of the connection or an error."""
    # Looked up each time, since gevent and eventlet put their own in its place, or take it away.
    if hasattr(select, "poll"):
        poll = select.poll()  # unlike select, for any number of descriptors
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(0))
    return bool(select.select([descriptor], [], [], 0)[0])


def is_bare(sock: Any) -> bool:
    """Whether `send_now` and `receive_within` may use this socket: compiled, and with no layer above it."""
    return _native is not None and type(sock) is _OWN_CLASS


def is_bare_tls(sock: Any) -> bool:
    """Whether `wait_within` may wait for what comes to this socket: compiled, and with TLS alone above it."""
    return _native is not None and type(sock).__module__ == "ssl"


def wait_within(sock: Any, seconds: float) -> None:
    """Return once anything has come to the descriptor. Raises `TimeoutError`, and what `poll` does."""
    _native.wait_within(sock.fileno(), seconds)


def send_now(sock: Any, head: bytes, body: bytes) -> int:
    """How many bytes of both a bare socket takes without waiting. Raises what `sendmsg` does."""
    sent: int = _native.send_now(sock.fileno(), head, body)
    return sent


def receive_within(sock: Any, size: int, seconds: float) -> bytes:
    """What comes to a bare socket, at most so many bytes; none at its end. Raises what `recv` does."""
    received: bytes = _native.receive_within(sock.fileno(), size, seconds)
    return received


def seconds_since_received(sock: Any) -> float:
    """How long ago bytes came last, to a few milliseconds, by the system's account; 0.0 without one."""
    info = _tcp_info(sock)
    return 0.0 if info is None else info[1] / 1000


def is_nearby(sock: Any) -> bool:
    """Whether it is known to be connected, and to take little time for a packet there and back."""
    info = _tcp_info(sock)
    return info is not None and info[0] == _ESTABLISHED and info[2] < _NEARBY_MICROSECONDS


def _tcp_info(sock: Any) -> tuple[int, int, int] | None:
    """The state, milliseconds since bytes came last, microseconds there and back; None if not known."""
    option: int | None = getattr(socket, "TCP_INFO", None) if sys.platform == "linux" else None
    if option is None:
        return None
    try:
        info = innermost(sock).getsockopt(socket.IPPROTO_TCP, option, _TCP_INFO.size)
    except OSError:
        return None
    return _TCP_INFO.unpack(info) if len(info) == _TCP_INFO.size else None


def identity_of(sock: Any) -> Identity | None:
    """What tells a socket from any other file that may get its descriptor's number; None once it is closed.

    Other code may close a descriptor (`os.closerange`, a daemon made after `init`), which then becomes the
    application's: so this is compared before each use. On Windows sockets have no such descriptors; on macOS
    they have no numbers of their own, so that only other kinds of files are told from them.
    """
    return identity_at(innermost(sock).fileno()) if _IS_POSIX and sock is not None else None


def let_go_of_stranger(sock: Any, identity: Identity | None) -> bool:
    """Forget a descriptor that has become another's, without closing it; whether it had."""
    inner = innermost(sock)
    if identity is None or (descriptor := inner.fileno()) < 0 or identity_at(descriptor) == identity:
        return False
    inner.detach()
    return True


def close_descriptor(sock: Any, identity: Identity | None) -> None:
    """Close this process's descriptor, with no word on the wire: another process may still use it."""
    if sock is not None and not let_go_of_stranger(sock, identity):
        with suppress(OSError):
            socket.close(innermost(sock).detach())


def innermost(sock: Any) -> Any:
    """The socket that holds the descriptor; urllib3's TLS within TLS keeps it in `socket`."""
    return getattr(sock, "socket", sock)
