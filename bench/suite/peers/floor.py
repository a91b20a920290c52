"""The floor: encode each event with the fastest encoder, send the same requests over one socket. No more."""

from __future__ import annotations

import socket
import ssl
import zlib
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from bench.suite.peers import BATCH, KEY
from bench.suite.peers.session import Session, Settings

_HEAD = (
    b"POST /2/httpapi HTTP/1.1\r\nHost: %b\r\nContent-Type: application/json\r\n%bContent-Length: %d\r\n\r\n"
)
OPENING = b'{"api_key":"%b","events":[' % KEY.encode()


def encoder(name: str) -> Any:
    """The function that encodes an event."""
    if name == "msgspec":
        import msgspec  # noqa: PLC0415 - the one that is used

        return msgspec.json.Encoder().encode
    import orjson  # noqa: PLC0415 - the same

    return orjson.dumps


def _quickest_gzip() -> Any:
    """ISA-L where it is installed."""
    try:
        return import_module("isal.isal_zlib")
    except ImportError:
        return zlib


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
    quickest = _quickest_gzip() if is_gzip else zlib
    # Kept from one request to the next, and each event's own bytes let go at once: a list of them would cost
    # a page fault for each event, which is as much as encoding it.
    body, count = bytearray(OPENING), 0

    def send() -> None:
        nonlocal count
        body[-1:] = b"]}"
        data, encoding = body, b""
        if is_gzip:
            stream = quickest.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
            data, encoding = bytearray(stream.compress(body) + stream.flush()), b"Content-Encoding: gzip\r\n"
        connection.sendall(_HEAD % (host.encode(), encoding, len(data)))
        connection.sendall(data)
        if not connection.recv(65536).startswith(b"HTTP/1.1 200"):
            raise SystemExit("the sink did not take the floor's request")
        del body[len(OPENING) :]
        count = 0

    def log(event: dict[str, Any]) -> None:
        nonlocal body, count
        body += encode(event)
        body += b","
        count += 1
        if count == batch:
            send()

    def finish() -> None:
        if count:
            send()

    return Session(log, finish)
