"""A JSON array of any length: its elements one after the other, never the whole."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from antinode._importing.chunks import MAX_ROW, Blocks, Chunk, Chunks, nothing_yet, string_end

_split = msgspec.json.Decoder(list[msgspec.Raw]).decode

_TOKEN: Final = re.compile(rb'["\[\]{},]')
# A value that is nested deeper cannot be decoded, so its brackets need not be matched.
_MAX_DEPTH: Final = 1100
_CLOSED_BY: Final = {b"[": b"]", b"{": b"}"}
_WHITE: Final = b" \t\r\n"
# How many ends of objects are tried as the end of an element before brackets are counted.
_TRIES: Final = 4

_LOST: Final = (
    f"no end of this element within {MAX_ROW >> 20} MiB: a quote or a bracket is missing, "
    "and what follows in this file cannot be told apart"
)


def read_array(blocks: Blocks) -> Chunks:
    """The elements of a JSON array, each with its text. An element that is no JSON costs only itself."""
    splitter = Splitter()
    for block in blocks:
        if not block:
            yield nothing_yet(splitter.first)
            continue
        yield from splitter.feed(block)
        if splitter.is_over:
            return
    yield from splitter.finish()


class Splitter:
    """Cuts an array at the commas between its elements."""

    def __init__(self, first: int = 1) -> None:
        self.first = first
        self.is_over = False
        self.is_lost = False
        """Whether it is over for an element without an end."""
        self.rest = b""
        """What was read behind the array, once it is over."""
        self._buffer = b""
        self._has_begun = False
        self._worth = 0
        """So many bytes there should be before a cut is tried again: a long element is not read often."""

    def feed(self, block: bytes) -> Chunks:
        self._buffer += block
        if not self._has_begun:
            self._buffer = self._buffer.lstrip(_WHITE)
            if not self._buffer:
                return
            self._buffer = self._buffer[1:]  # the bracket by which the format was told
            self._has_begun = True
        if len(self._buffer) < self._worth:
            return
        cut = self._cut()
        if cut:
            yield from self._take(cut)
            self._worth = 0
        elif not self.is_over:
            yield from self._take(self._scan())
        if len(self._buffer) > MAX_ROW:
            yield self._lost()

    def _take(self, texts: list[bytes]) -> Chunks:
        if texts:
            yield Chunk(self.first, texts)
            self.first += len(texts)

    def _cut(self) -> list[bytes]:
        """The elements up to one of the last commas, found by what is valid JSON when cut there."""
        buffer = self._buffer
        end = len(buffer)
        for _ in range(_TRIES):
            end = buffer.rfind(b"}", 0, end)
            if end < 0:
                return []
            after = buffer[end + 1 : end + 200].lstrip(_WHITE)
            if after[:1] != b",":
                continue
            try:
                found = _split(b"[%b]" % buffer[: end + 1])
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                continue
            self._buffer = buffer[buffer.index(b",", end) + 1 :]
            return [bytes(each) for each in found]
        return []

    def _scan(self) -> list[bytes]:
        """The elements that end within the buffer, found by counting brackets."""
        buffer, start = self._buffer, 0
        texts: list[bytes] = []
        opened = bytearray()
        at = 0
        while match := _TOKEN.search(buffer, at):
            token, at = match.group(), match.end()
            if token == b'"':
                at = string_end(buffer, at)
                if at < 0:
                    break  # the end of this string has not been read yet
            elif token in _CLOSED_BY:
                opened += _CLOSED_BY[token]
            elif token == b",":
                if not opened:
                    texts.append(buffer[start : match.start()].strip(_WHITE))
                    start = match.end()
            elif (found := opened.rfind(token, max(0, len(opened) - _MAX_DEPTH))) >= 0:
                # With what was opened since and never closed.
                del opened[found:]
            elif token == b"]" and len(opened) <= _MAX_DEPTH:
                last = buffer[start : match.start()].strip(_WHITE)
                self.is_over, self.rest, self._buffer = True, buffer[match.end() :], b""
                return [*texts, last] if last else texts
        self._buffer = buffer[start:]
        self._worth = 2 * len(self._buffer)
        return texts

    def finish(self) -> Chunks:
        """The file has ended, though the array has not."""
        yield from self._take(self._scan())
        rest = self._buffer.strip(_WHITE)
        if rest and not self.is_over:
            yield Chunk(self.first, [rest[:MAX_ROW]], problems={0: "the file ends within this element"})

    def _lost(self) -> Chunk:
        self.is_over = self.is_lost = True
        return Chunk(self.first, [self._buffer[:1000] + b" \xe2\x80\xa6"], problems={0: _LOST})
