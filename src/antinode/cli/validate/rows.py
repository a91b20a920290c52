"""The rows of files: JSON lines, plain or gzipped, a piece at a time."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Iterator
from typing import IO

import orjson

from antinode.cli.errors import NotSetUp
from antinode.cli.validate.judging import Row


def rows_of(path: str) -> Iterator[Row]:
    """Each line that is not blank. Raises NotSetUp when the file cannot be read."""
    try:
        with _opened(path) as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield _row(number, line)
    except OSError as error:
        raise NotSetUp(f"{path} cannot be read: {error.strerror or error}") from None


def _opened(path: str) -> IO[bytes]:
    file = sys.stdin.buffer if path == "-" else open(path, "rb")
    return gzip.open(file) if path.endswith(".gz") else file


def _row(number: int, line: bytes) -> Row:
    try:
        return Row(number, orjson.loads(line))
    except orjson.JSONDecodeError as error:
        return Row(number, None, f"this is no JSON: {error}")
