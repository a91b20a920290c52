"""JSON objects one after the other, each over as many lines as it likes, and the bodies of requests.

A body such as `{"api_key": …, "events": […]}` stands for the events in it, however many there are, and so
does the answer of an API that has them in pages.
"""

from __future__ import annotations

import re
from typing import Final

from antinode._importing.chunks import MAX_ROW, Blocks, Chunk, Chunks, nothing_yet, string_end
from antinode._importing.readers.json_array import Splitter

_BODY: Final = re.compile(
    rb'\{(?:\s*"(?:api_key|client_upload_time|options|request_metadata|writeKey|sentAt|context|next|previous|count)"\s*:\s*'
    rb'(?:"[^"]{0,1000}"|\{[^{}]{0,1000}\}|[^\s,{}\[\]"]{1,100})\s*,){0,8}\s*"(?:events|batch|results)"\s*:\s*(?=\[)'
)
_TOKEN: Final = re.compile(rb'["{}\[\]]')
_BETWEEN: Final = b" \t\r\n,"
# An object that is nested deeper cannot be decoded, so its end need not be found.
_MAX_DEPTH: Final = 1100
_TOO_DEEP: Final = -2
# Bytes within which the beginning of a body shows that it is one.
_SURE: Final = 4096
_LOST: Final = (
    f"no end of this object within {MAX_ROW >> 20} MiB and {_MAX_DEPTH:,} layers: "
    "a quote or a bracket is missing, and what follows in this file cannot be told apart"
)
_NO_OBJECT: Final = "this is no object: it stands between others"


def is_body(start: bytes) -> bool:
    """Whether what begins like that is the body of a request."""
    return _BODY.match(start.lstrip()) is not None


def is_spread_out(start: bytes) -> bool:
    """Whether what begins like that is an object over several lines, rather than a line of its own."""
    first, end, _ = start.lstrip().partition(b"\n")
    return bool(end) and first[:1] == b"{" and first.rstrip()[-1:] in (b"{", b"[", b",")


def read_objects(blocks: Blocks) -> Chunks:
    """The objects, numbered from 1, and the events of bodies among them."""
    stream = _Stream()
    for block in blocks:
        if not block:
            yield nothing_yet(stream.first)
            continue
        yield from stream.feed(block, is_last=False)
        if stream.is_over:
            return
    yield from stream.feed(b"", is_last=True)


class _Stream:
    """Takes objects off the beginning of what has been read."""

    def __init__(self) -> None:
        self.first = 1
        self.is_over = False
        self._buffer = b""
        self._splitter: Splitter | None = None
        self._is_closing = False
        """Whether a body's events are over, and its end is not there yet."""
        self._worth = 0
        """So many bytes there should be before an end is looked for again."""

    def feed(self, block: bytes, *, is_last: bool) -> Chunks:
        self._buffer += block
        while not self.is_over:
            if self._splitter is not None:
                yield from self._of_body(self._splitter, is_last=is_last)
                if self._splitter is not None:
                    return
            elif self._is_closing:
                end = _end(self._buffer, opened=1)
                if end < 0:
                    self._buffer = self._buffer[-_SURE:] if len(self._buffer) > MAX_ROW else self._buffer
                    return
                self._buffer, self._is_closing = self._buffer[end:], False
            else:
                self._buffer = self._buffer.lstrip(_BETWEEN)
                if not self._buffer or (len(self._buffer) < self._worth and not is_last):
                    return
                body = _BODY.match(self._buffer)
                if body is not None:
                    self._splitter, self._worth = Splitter(self.first), 0
                    self._buffer = self._buffer[body.end() :]
                    continue
                if len(self._buffer) < _SURE and not is_last:
                    return
                chunk = self._object(is_last=is_last)
                if chunk is None:
                    return
                yield chunk
                self.first += 1

    def _of_body(self, splitter: Splitter, *, is_last: bool) -> Chunks:
        data, self._buffer = self._buffer, b""
        if data:
            yield from splitter.feed(data)
        if splitter.is_over or is_last:
            if not splitter.is_over:
                yield from splitter.finish()
            self.first = splitter.first
            self._splitter, self._buffer, self._is_closing = None, splitter.rest, True
            self.is_over = splitter.is_lost or (is_last and not splitter.is_over)

    def _object(self, *, is_last: bool) -> Chunk | None:
        """The first object; None if its end is not there yet."""
        buffer = self._buffer
        if not buffer.startswith(b"{"):
            text, line_end, rest = buffer.partition(b"\n")
            if not line_end and not is_last and len(text) <= MAX_ROW:
                return None
            self._buffer = rest
            return Chunk(self.first, [text[:1000]], {0: _NO_OBJECT})
        end = _end(buffer, opened=0)
        if end > 0:
            self._buffer, self._worth = buffer[end:], 0
            return Chunk(self.first, [buffer[:end]])
        if is_last and end != _TOO_DEEP:
            self.is_over = True
            return Chunk(self.first, [buffer[:MAX_ROW]], {0: "the file ends within this object"})
        if len(buffer) > MAX_ROW or end == _TOO_DEEP:
            self.is_over = True
            return Chunk(self.first, [buffer[:1000] + b" \xe2\x80\xa6"], {0: _LOST})
        self._worth = 2 * len(buffer)
        return None


def _end(buffer: bytes, *, opened: int) -> int:
    """The position after the bracket that closes the first object, or the one that was opened before.

    -1 if the bracket is not in `buffer`, _TOO_DEEP if the object has too many layers.
    """
    at = 0
    while match := _TOKEN.search(buffer, at):
        token, at = match.group(), match.end()
        if token == b'"':
            at = string_end(buffer, at)
            if at < 0:
                return -1
        elif token in b"{[":
            opened += 1
            if opened > _MAX_DEPTH:
                return _TOO_DEEP
        else:
            opened -= 1
            if opened <= 0:
                return at
    return -1
