"""What a server answers: one HTTP/1.1 response, read from a connection that is kept.

Ours rather than http.client's, which reads the headers with the package for e-mail: loading that took a
quarter of `init`, and using it half the processor time of a small request. Bounded in memory and in work by
what is read, whatever it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from antinode._speedups import compiled

MAX_BODY_BYTES: Final = 1 << 20
"""Of a body so much is kept: Amplitude's are below 100 KB even when they name 2000 events."""

_MAX_HEAD_BYTES: Final = 65_536
"""The status line and headers of an answer, those of a mere "100 Continue" before it included."""
_MAX_HEADERS: Final = 100
_MAX_LINE_BYTES: Final = 65_536
"""Of the lines that a chunked body has beside its chunks, each; of those behind the chunks, together."""
_RECEIVE_BYTES: Final = 16_384
_CONTINUE: Final = range(102, 200)
_WITHOUT_BODY: Final = frozenset({101, 204, 304})
_BEGINNING: Final = b"HTTP/1."
_LONGEST_LENGTH: Final = 18  # digits
_HEX: Final = frozenset(b"0123456789abcdefABCDEF")  # int() takes signs, underlines and a prefix, too
_BLANK: Final = " \t\r"

Receive = Callable[[int], bytes]
"""At most so many bytes from the connection, at least one but at its end. Raises what a socket does."""


class CutShort(Exception):
    """The answer ends before it is whole."""


class MalformedAnswer(Exception):
    """What came is no answer of HTTP; the text says why not, and quotes nothing of it."""


class NoAnswer(ConnectionResetError):
    """The connection ended without a byte of an answer."""


class RawAnswer(msgspec.Struct):
    """One answer. Header names are in lower case; the body is as it came, and perhaps cut."""

    status: int
    headers: dict[str, str]
    body: bytes = b""
    is_whole: bool = True
    """Whether that is all of the body."""
    is_last: bool = False
    """Whether the connection can carry no other request."""


def read_answer(receive: Receive) -> RawAnswer:
    """The next answer to a POST. A body of more than 1 MiB is cut there.

    Raises `NoAnswer`, `CutShort`, `MalformedAnswer`, and what `receive` raises.
    """
    first = receive(_RECEIVE_BYTES)
    plain = plain_answer(first)
    return _read_any(_Incoming(receive, first)) if plain is None else RawAnswer(*plain)


@compiled
def plain_answer(data: bytes) -> tuple[int, dict[str, str], bytes] | None:  # noqa: ARG001 - the twin's
    """Status, headers and body of an answer that is whole, ordinary, and without anything behind it.

    None for all others, which the Python code reads; without the compiled parts it reads all.
    """
    return None


def _read_any(incoming: _Incoming) -> RawAnswer:
    answer = _read_head(incoming)
    headers = answer.headers
    coding = headers.get("transfer-encoding")
    if answer.status in _WITHOUT_BODY:
        pass
    elif coding is not None and coding.lower() == "chunked":
        _read_chunks(incoming, answer)
    elif coding is None and (length := headers.get("content-length")) is not None:
        _read_length(incoming, answer, _length(length))
    else:
        answer.is_last = True
        answer.body = incoming.take(MAX_BODY_BYTES + 1, or_less=True)
        answer.is_whole = len(answer.body) <= MAX_BODY_BYTES
    # Nobody asked for more than one answer: what else has come is not for the next request.
    if incoming.has_more or not answer.is_whole:
        answer.is_last = True
    answer.body = answer.body[:MAX_BODY_BYTES]
    return answer


class _Incoming:
    """What has been received and not been read."""

    __slots__ = ("_data", "_receive")

    def __init__(self, receive: Receive, first: bytes) -> None:
        """`first` is what has been received so far; nothing is the end of the connection."""
        if not first:
            raise NoAnswer
        self._receive = receive
        self._data = bytearray(first)

    @property
    def has_more(self) -> bool:
        return bool(self._data)

    def _fill(self, size: int = _RECEIVE_BYTES) -> bool:
        """Receive something more; False at the end of the connection."""
        received = self._receive(size)
        self._data += received
        return bool(received)

    def head(self, limit: int) -> bytes:
        """Everything before the next empty line, without that line."""
        data = self._data
        seen = 0
        while True:
            if not data.startswith(_BEGINNING) and not _BEGINNING.startswith(data[: len(_BEGINNING)]):
                raise MalformedAnswer("it does not begin as HTTP does")
            end = data.find(b"\n\r\n", seen)
            # An end of line without a carriage return is one, too.
            bare_end = data.find(b"\n\n", seen, len(data) if end < 0 else end + 1)
            end = end if bare_end < 0 else bare_end
            if (end if end >= 0 else len(data)) > limit:
                raise MalformedAnswer("its headers are too long")
            if end >= 0:
                head = bytes(data[:end])
                del data[: end + (2 if data[end + 1] == 0x0A else 3)]
                return head
            seen = max(0, len(data) - 2)
            if not self._fill():
                raise CutShort if data else NoAnswer

    def line(self) -> bytes:
        """The next line, without its end. What is not worth receiving at all is cut short."""
        data = self._data
        seen = 0
        while (end := data.find(b"\n", seen)) < 0:
            seen = len(data)
            if seen > _MAX_LINE_BYTES:
                raise MalformedAnswer("a line is too long")
            if not self._fill():
                raise CutShort
        line = bytes(data[:end])
        del data[: end + 1]
        return line.removesuffix(b"\r")

    def take(self, size: int, *, or_less: bool = False) -> bytes:
        """So many bytes; with `or_less` fewer, if the connection ends."""
        data = self._data
        while len(data) < size:
            if not self._fill(max(_RECEIVE_BYTES, min(size - len(data), MAX_BODY_BYTES))):
                if or_less:
                    break
                raise CutShort
        taken = bytes(data[:size])
        del data[:size]
        return taken


def _read_head(incoming: _Incoming) -> RawAnswer:
    """The status and headers of the answer that is final."""
    limit = _MAX_HEAD_BYTES
    while True:
        head = incoming.head(limit)
        # As the standard has it: text beyond ASCII is opaque.
        status_line, *lines = head.decode("latin-1").split("\n")
        status = _status(status_line)
        limit -= len(head)
        if status == 100 or status in _CONTINUE:
            continue
        headers = _headers(lines)
        said = headers.get("connection")
        options = {option.strip() for option in said.lower().split(",")} if said else ()
        is_old = status_line.startswith("HTTP/1.0")
        is_last = "close" in options or (is_old and "keep-alive" not in options) or status == 101
        return RawAnswer(status, headers, is_last=is_last)


def _status(line: str) -> int:
    _, _, rest = line.partition(" ")
    code = rest.lstrip(_BLANK)[:4].rstrip(_BLANK)
    if len(code) != 3 or not (code.isascii() and code.isdigit()) or code < "100":
        raise MalformedAnswer("it has no status")
    return int(code)


def _headers(lines: list[str]) -> dict[str, str]:
    """The headers by name, those given more than once joined as the standard allows."""
    if len(lines) > _MAX_HEADERS:
        raise MalformedAnswer("it has too many headers")
    headers: dict[str, str] = {}
    name = ""
    for line in lines:
        if line[:1] in {" ", "\t"}:
            if name:  # a value that is folded, as old servers do it
                headers[name] = f"{headers[name]} {line.strip(_BLANK)}".strip(_BLANK)
            continue
        name, colon, value = line.partition(":")
        name = name.rstrip(_BLANK).lower()
        if not colon or not name or not name.isprintable() or " " in name:
            name = ""  # no header, whatever it is
            continue
        value = value.strip(_BLANK)
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _length(text: str) -> int:
    """The one length that the header gives; it may be given more than once."""
    values = {value.strip() for value in text.split(",")}
    value = values.pop()
    if values or not (value.isascii() and value.isdigit()) or len(value) > _LONGEST_LENGTH:
        raise MalformedAnswer("its Content-Length is no length")
    return int(value)


def _read_length(incoming: _Incoming, answer: RawAnswer, length: int) -> None:
    answer.is_whole = length <= MAX_BODY_BYTES
    answer.body = incoming.take(min(length, MAX_BODY_BYTES))


def _read_chunks(incoming: _Incoming, answer: RawAnswer) -> None:
    chunks: list[bytes] = []
    room = MAX_BODY_BYTES
    while size := _chunk_size(incoming.line()):
        if size > room:
            chunks.append(incoming.take(room))
            answer.is_whole = False
            break
        chunks.append(incoming.take(size))
        room -= size
        if incoming.line():
            raise CutShort
    else:
        left = _MAX_LINE_BYTES
        while line := incoming.line():
            left -= len(line)
            if left < 0:
                raise MalformedAnswer("a line is too long")
    answer.body = b"".join(chunks)


def _chunk_size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    if not digits or len(digits) > _LONGEST_LENGTH or not _HEX.issuperset(digits):
        raise CutShort  # where it ends cannot be known
    return int(digits, 16)
