"""Rows of which some columns are read after the others: their parts wait in files, and are joined."""

from __future__ import annotations

import gzip
import io
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Final

from antinode._importing.chunks import CHUNK_ROWS, MAX_ROW, Chunk, Chunks
from antinode._importing.errors import Damaged, NotReadable

MAX_DISK: Final = 4 * 1024 * 1024 * 1024
"""Bytes of all files, compressed."""
TOO_LONG: Final = f"the row is longer than {MAX_ROW >> 20} MiB"
_MAX_BYTES: Final = 1024 * 1024
_BUFFER: Final = 32 * 1024
_PROBLEM: Final = b"!"


class RowParts:
    """Files without names, which the system removes when they are closed, however the process ends."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._files: list[io.BufferedReader] = []
        self._disk = 0

    def write(self, chunks: Iterator[Chunk]) -> Iterator[None]:
        """Put the parts of all rows into a file of their own; yields now and then. Raises `NotReadable`."""
        raw = self._stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack closes it
        with gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=1, mtime=0) as file:
            for chunk in chunks:
                # A call for each line would cost as much as compressing it.
                file.write(b"\n".join([*_lines(chunk), b""]))
                if self._disk + raw.tell() > MAX_DISK:
                    raise NotReadable(
                        f"a row group of it takes more than {MAX_DISK >> 30} GiB of disk: write smaller ones"
                    )
                yield
        self._disk += raw.tell()
        raw.seek(0)
        unpacked: Any = self._stack.enter_context(gzip.GzipFile(fileobj=raw, mode="rb"))
        self._files.append(io.BufferedReader(unpacked, _BUFFER))

    def rows(self, first: int) -> Chunks:
        """The rows, each joined from its parts. Raises `Damaged` if columns differ in their length."""
        texts: list[bytes] = []
        problems: dict[int, str] = {}
        size = 0
        while row := self._row():
            text, problem = row
            if problem:
                problems[len(texts)] = problem
            texts.append(text)
            size += len(text)
            if len(texts) >= CHUNK_ROWS or size > _MAX_BYTES:
                yield Chunk(first, texts, problems)
                first += len(texts)
                texts, problems, size = [], {}, 0
        if texts:
            yield Chunk(first, texts, problems)

    def _row(self) -> tuple[bytes, str] | None:
        parts: list[bytes] = []
        problem, size, ended = "", 0, 0
        for file in self._files:
            line = file.readline()
            ended += not line
            if line[:1] == _PROBLEM:
                problem = problem or line[1:-1].decode()
                continue
            size += len(line)
            if size <= MAX_ROW and not problem:
                parts.append(line[1:-2])
            else:
                parts.clear()
        if ended:
            if ended < len(self._files):
                raise Damaged("its columns are not of the same length")
            return None
        if size > MAX_ROW:
            problem = problem or TOO_LONG
        return (b"{}", problem) if problem else (b"{%b}" % b",".join(parts), "")


def _lines(chunk: Chunk) -> Iterator[bytes]:
    for at, text in enumerate(chunk.texts):
        problem = chunk.problems.get(at)
        yield text if problem is None else _PROBLEM + " ".join(problem.split()).encode()
