"""One request as it arrives: head first, body when somebody looks at it."""

from __future__ import annotations

import time
import zlib
from typing import TYPE_CHECKING, Any, BinaryIO

from antinode import _json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_BODY = 64 * 1024 * 1024
"""Bytes, compressed or not: three times what the Batch API takes."""
_MAX_LINE = 64 * 1024
_MAX_HEADERS = 200

_UNREAD = object()


class Malformed(Exception):
    """The bytes on the connection are not an HTTP request that this endpoint reads."""


class Arrival:
    """One request and what became of it.

    `number` counts requests and `connection` connections, both from 1; `at` is the wall clock when the
    head had been read. Header names are lower-case. `status` is what was answered, 0 without an answer.
    The body is read from the connection when `body`, `events` or a size is first looked at, so that a
    fault which looks at none of them can cut the connection in the middle of an upload.
    """

    def __init__(
        self,
        *,
        connection: int,
        method: str,
        target: str,
        version: str,
        headers: Mapping[str, str],
        read: Callable[[Mapping[str, str]], bytes],
    ) -> None:
        self.number = 0
        self.connection = connection
        self.method = method
        self.path, _, self.query = target.partition("?")
        self.version = version
        self.headers = headers
        self.at = time.time()
        self.status = 0
        self.event_count = 0
        self._read = read
        self._wire_size = self._inflated_size = -1
        self._body: bytes | None = None
        self._document: Any = _UNREAD
        self._events: list[dict[str, Any]] | None = None

    def __repr__(self) -> str:
        answered = self.status or "no answer"
        return f"<Arrival {self.number} on connection {self.connection} {self.path} → {answered}>"

    @property
    def wire_size(self) -> int:
        """Bytes of the body as they came, without chunk headers."""
        self.load()
        return self._wire_size

    @property
    def inflated_size(self) -> int:
        """Bytes of the body after decompression; 0 if it could not be decompressed."""
        self.load()
        return self._inflated_size

    @property
    def body(self) -> bytes:
        """The body after decompression; empty if it could not be decompressed, or was settled and let go."""
        self.load()
        return self._body or b""

    @property
    def document(self) -> Any:
        """The body as JSON; None if it is not JSON."""
        if self._document is _UNREAD:
            try:
                self._document = _json.loads(self.body)
            except ValueError:
                self._document = None
        return self._document

    @property
    def events(self) -> list[dict[str, Any]]:
        """The objects in the body's `events`; empty if there are none, or the endpoint keeps only ids."""
        if self._events is None:
            document = self.document
            listed = document.get("events") if isinstance(document, dict) else None
            self._events = [e for e in listed if isinstance(e, dict)] if isinstance(listed, list) else []
            self.event_count = len(self._events)
        return self._events

    @property
    def keeps_alive(self) -> bool:
        """Whether the client leaves the connection open for another request."""
        wanted = self.headers.get("connection", "").lower()
        return wanted != "close" and (self.version == "HTTP/1.1" or wanted == "keep-alive")

    def load(self) -> None:
        """Read the body, if it was not read yet. Raises `ConnectionError` when the client cut it short."""
        if self._wire_size >= 0:
            return
        raw = self._read(self.headers)
        self._wire_size = len(raw)
        encoding = self.headers.get("content-encoding", "").strip().lower()
        self._body = _inflate(raw) if encoding == "gzip" else raw
        self._inflated_size = len(self._body)

    def let_go(self, *, events: bool) -> None:
        """Forget the body, and the events too if asked: the record stays for the ledger."""
        self._body = None
        self._document = None
        self._wire_size, self._inflated_size = max(self._wire_size, 0), max(self._inflated_size, 0)
        if events or self._events is None:
            self._events = []


def read_head(stream: BinaryIO) -> tuple[str, str, str, dict[str, str]] | None:
    """Method, target, version and headers of the next request; None when the client has closed."""
    line = _line(stream)
    if not line:
        return None
    parts = line.split()
    if len(parts) != 3 or not parts[2].startswith(b"HTTP/1."):
        raise Malformed("the request line is not HTTP/1.1")
    headers: dict[str, str] = {}
    for _ in range(_MAX_HEADERS):
        line = _line(stream)
        if line in (b"\r\n", b"\n"):
            method, target, version = (part.decode("latin-1") for part in parts)
            return method, target, version, headers
        name, colon, value = line.partition(b":")
        if not colon:
            raise Malformed("a header line has no colon")
        headers[name.strip().lower().decode("latin-1")] = value.strip().decode("latin-1")
    raise Malformed(f"more than {_MAX_HEADERS} headers")


def read_body(stream: BinaryIO, headers: Mapping[str, str]) -> bytes:
    """The body that the headers announce, chunked or counted; empty without either."""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return b"".join(_chunks(stream))
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > MAX_BODY:
        raise Malformed(f"Content-Length is not a number up to {MAX_BODY:,}")
    return _exactly(stream, int(length))


def _chunks(stream: BinaryIO) -> list[bytes]:
    chunks: list[bytes] = []
    total = 0
    while True:
        line = _line(stream)
        try:
            size = int(line.split(b";")[0], 16)
        except ValueError as error:
            raise Malformed("a chunk size is not hexadecimal") from error
        total += size
        if size < 0 or total > MAX_BODY:
            raise Malformed(f"the chunks add up to more than {MAX_BODY:,} bytes")
        if size == 0:
            while _line(stream) not in (b"\r\n", b"\n", b""):
                continue
            return chunks
        chunks.append(_exactly(stream, size))
        _line(stream)


def _line(stream: BinaryIO) -> bytes:
    line = stream.readline(_MAX_LINE)
    if len(line) == _MAX_LINE:
        raise Malformed(f"a line of more than {_MAX_LINE:,} bytes")
    if line and not line.endswith(b"\n"):
        raise ConnectionError("the connection ended in the middle of a line")
    return line


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise ConnectionError(f"the connection ended {size - len(data):,} bytes before the body did")
    return data


def _inflate(raw: bytes) -> bytes:
    inflater = zlib.decompressobj(wbits=31)
    try:
        body = inflater.decompress(raw, MAX_BODY)
    except zlib.error:
        return b""
    return body if inflater.eof else b""
