"""The floor: encode each event with the fastest encoder, send the same requests over one socket. No more."""

from __future__ import annotations

import socket
import ssl
import zlib
from typing import Any
from urllib.parse import urlsplit

from bench.suite.peers import BATCH, KEY
from bench.suite.peers.session import Session, Settings

_HEAD = (
    b"POST /2/httpapi HTTP/1.1\r\nHost: %b\r\nContent-Type: application/json\r\n%bContent-Length: %d\r\n\r\n"
)
_BODY = b'{"api_key":"%b","events":[%b]}'


def encoder(name: str) -> Any:
    """The function that encodes an event."""
    if name == "msgspec":
        import msgspec  # noqa: PLC0415 - the one that is used

        return msgspec.json.Encoder().encode
    import orjson  # noqa: PLC0415 - the same

    return orjson.dumps


def open_session(url: str, settings: Settings) -> Session:
    parts = urlsplit(url)
    host, batch = parts.hostname or "", settings.get("batch", BATCH)
    connection: socket.socket = socket.create_connection((host, parts.port or 80))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if ca := settings.get("ca"):
        context = ssl.create_default_context(cafile=ca)
        connection = context.wrap_socket(connection, server_hostname=host)
    encode = encoder(settings.get("encoder", "orjson"))
    is_gzip = settings.get("gzip", False)
    waiting: list[bytes] = []

    def send() -> None:
        body, encoding = _BODY % (KEY.encode(), b",".join(waiting)), b""
        waiting.clear()
        if is_gzip:
            stream = zlib.compressobj(5, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
            body, encoding = stream.compress(body) + stream.flush(), b"Content-Encoding: gzip\r\n"
        connection.sendall(_HEAD % (host.encode(), encoding, len(body)))
        connection.sendall(body)
        if not connection.recv(65536).startswith(b"HTTP/1.1 200"):
            raise SystemExit("the sink did not take the floor's request")

    def log(event: dict[str, Any]) -> None:
        waiting.append(encode(event))
        if len(waiting) == batch:
            send()

    def finish() -> None:
        if waiting:
            send()

    return Session(log, finish)
