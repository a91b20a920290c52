"""What the tests of the transport share: requests, answers, certificates."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
import trustme

from antinode._delivery.http.transport import HttpTransport
from tests.delivery.rawserver import Peer

KEY = "0123456789abcdef0123456789abcdef"
BODY = json.dumps({"api_key": KEY, "events": [{"event_type": "Signed Up", "user_id": "user-1"}]}).encode()
LARGE = BODY + b" " * (32 << 20)  # more than the buffers of two sockets hold
SHORT = 0.3  # seconds, where the end of the time is what a test is about
Make = Callable[..., HttpTransport]


def server_tls(authority: trustme.CA, name: str = "localhost") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def handler_that_sends(data: bytes) -> Callable[[Peer], None]:
    def handle(peer: Peer) -> None:
        peer.read_request()
        peer.send(data)

    return handle


def full_listener(stack: contextlib.ExitStack) -> int:
    """The port of a listener whose queue is full, so that a new connection is neither made nor refused."""
    listener = stack.enter_context(socket.socket())
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    for _ in range(4):
        filler = stack.enter_context(socket.socket())
        filler.setblocking(False)
        filler.connect_ex(listener.getsockname())
    return int(listener.getsockname()[1])


linux_only = pytest.mark.skipif(sys.platform != "linux", reason="other systems answer when the queue is full")


def run_python(script: str, *arguments: str) -> str:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", script, *arguments],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout
