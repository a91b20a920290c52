"""Formats that cannot be imported, recognised by a file's first bytes or its name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath
from typing import Final

_SAVE: Final = "save it as CSV, and import that"
_CONVERT: Final = "convert it to Parquet or JSON lines (DuckDB and pandas do), and import that"
_UNPACK: Final = "unpack it, and import what is in it"

_EXCEL: Final = ("an Excel workbook", _SAVE)
_SHEET: Final = ("a spreadsheet", _SAVE)
_AVRO: Final = ("an Avro file", _CONVERT)
_ORC: Final = ("an ORC file", _CONVERT)
_ARROW: Final = ("an Arrow file", _CONVERT)
_SQLITE: Final = ("an SQLite database", "export the table as CSV, and import that")
_TAR: Final = ("a tar archive", _UNPACK)
_SEVEN: Final = ("a 7-Zip archive", _UNPACK)
_RAR: Final = ("a RAR archive", _UNPACK)
_LZ4: Final = ("compressed with LZ4", _UNPACK)
_SNAPPY: Final = ("compressed with Snappy", _UNPACK)
_PDF: Final = ("a PDF document", "export the data as CSV, and import that")
_PAGE: Final = ("a web page, not the file that was to be downloaded", "download it once more")

_BY_START: Final = (
    (b"Obj\x01", _AVRO),
    (b"ORC", _ORC),
    (b"ARROW1", _ARROW),
    (b"FEA1", _ARROW),
    (b"PARE", ("an encrypted Parquet file", "decrypt it, and import that")),
    (b"SQLite format 3\0", _SQLITE),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", _EXCEL),
    (b"7z\xbc\xaf\x27\x1c", _SEVEN),
    (b"Rar!\x1a\x07", _RAR),
    (b"\x04\x22\x4d\x18", _LZ4),
    (b"\xff\x06\x00\x00sNaPpY", _SNAPPY),
    (b"\x1f\x9d", ("compressed with compress (.Z)", _UNPACK)),
    (b"%PDF-", _PDF),
    (b"\x89HDF\r\n\x1a\n", ("an HDF5 file", _CONVERT)),
    (b"\x80\x04\x95", ("a Python pickle", _CONVERT)),
    (b"\x80\x05\x95", ("a Python pickle", _CONVERT)),
)
_BY_SUFFIX: Final = {
    **dict.fromkeys((".xlsx", ".xls", ".xlsm", ".xlsb"), _EXCEL),
    **dict.fromkeys((".ods", ".numbers"), _SHEET),
    ".avro": _AVRO,
    ".orc": _ORC,
    **dict.fromkeys((".arrow", ".feather"), _ARROW),
    **dict.fromkeys((".sqlite", ".sqlite3", ".db"), _SQLITE),
    **dict.fromkeys((".tar", ".tgz"), _TAR),
    ".7z": _SEVEN,
    ".rar": _RAR,
    ".lz4": _LZ4,
    **dict.fromkeys((".snappy", ".sz"), _SNAPPY),
    ".pdf": _PDF,
}
_TAR_AT: Final = 257
_PAGES: Final = (b"<!doctype html", b"<html", b"<?xml")


def foreign(start: bytes) -> str | None:
    """What a file is that begins like that, and what to do with it; None if it may be readable."""
    for magic, what in _BY_START:
        if start.startswith(magic):
            return _told(what)
    if start[_TAR_AT : _TAR_AT + 5] == b"ustar":
        return _told(_TAR)
    if start.lstrip()[:20].lower().startswith(_PAGES):
        return _told(_PAGE)
    return None


def foreign_archive(names: Iterable[str]) -> str | None:
    """What `foreign` says, of a ZIP archive that holds these files: spreadsheets are archives, too."""
    held = set(names)
    if "[Content_Types].xml" in held and any(each.startswith("xl/") for each in held):
        return _told(_EXCEL)
    if "content.xml" in held or any(each.endswith(".iwa") for each in held):
        return _told(_SHEET)
    return None


def called(name: str) -> str | None:
    """What a file of that name is, in a few words."""
    what = _BY_SUFFIX.get(PurePath(name).suffix.lower())
    return None if what is None else what[0]


def _told(what: tuple[str, str]) -> str:
    return f"{what[0]}: {what[1]}"
