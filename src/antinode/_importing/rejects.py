"""Rejected rows, as JSON lines that can be mended and imported."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from antinode._importing.mapper import BYTES, NOTE, TEXT
from antinode._importing.sources import Source
from antinode._protocol import exact


def default_rejects(sources: Sequence[Source]) -> Path:
    """A file in the current directory that is not there yet, called after the first source.

    Not one that is there: it may hold the rows of another import, or be what is imported.
    """
    path = sources[0].path
    name = "stdin" if path is None else path.name.partition(".")[0] or path.name
    numbers = ("", *(f"-{number}" for number in range(2, 10_000)))
    return next(free for number in numbers if not (free := Path(f"{name}{number}.rejected")).exists())


class Rejects:
    """The file of rejected rows: each as it was, and under `_rejected` why. Made with the first of them.

    It can be read by its owner alone, for events hold what users did.
    """

    def __init__(self, path: Path, *, size: int | None = None) -> None:
        """`size` is what it had at the checkpoint that is gone on from: what an ended process wrote after
        that is dropped, since those rows are tried again. None keeps what there is, and adds to it."""
        self.path = path
        self._size = (path.stat().st_size if path.exists() else 0) if size is None else size
        self._file: BinaryIO | None = None

    def add(self, text: bytes, reason: str, source: str, row: int, *, has_cells: bool) -> None:
        """Write a rejected row with its reason. Raises OSError when it cannot be written."""
        if self._file is None:
            self._file = self._open()
        note: dict[str, Any] = {"reason": reason, "source": source, "row": row}
        if has_cells:
            note["cells"] = True
        self._file.write(_line(text, note))

    def sync(self) -> int:
        """Have everything on the disk; the size of the file, 0 if there is none."""
        if self._file is None:
            return self._size
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._file.tell()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _open(self) -> BinaryIO:
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
        descriptor = os.open(self.path, flags, 0o600)
        os.ftruncate(descriptor, min(self._size, os.fstat(descriptor).st_size))
        file = open(descriptor, "r+b")  # noqa: SIM115 - closed in `close`
        file.seek(0, os.SEEK_END)
        return file


def _line(text: bytes, note: dict[str, Any]) -> bytes:
    try:
        shown = text
        text.decode()
    except UnicodeDecodeError:
        # The row is shown with a mark for each byte that is not UTF-8, and kept as the bytes that it was.
        shown = text.decode("utf-8", "replace").encode()
        note = {**note, BYTES: base64.b64encode(text).decode()}
    noted = orjson.dumps({NOTE: note})
    try:
        row = exact.loads(shown)
    except (ValueError, RecursionError):
        row = None
    if type(row) is not dict:
        return orjson.dumps({NOTE: note, TEXT: shown.decode()}) + b"\n"
    row.pop(NOTE, None)
    return noted[:-1] + (b"," if row else b"") + exact.dumps(row)[1:] + b"\n"
