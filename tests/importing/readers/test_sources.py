"""What directories and archives hold: which files are read, and which are passed over and named."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import random
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from antinode._importing.errors import NotReadable
from antinode._importing.readers.detect import SourceReading
from antinode._importing.sources import find_sources
from tests.importing.runs import look, song

LINE = json.dumps(song(1)).encode() + b"\n"


def filled(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def names(folder: Path) -> list[str]:
    return [os.path.relpath(source.name, folder) for source in find_sources([str(folder)]).sources]


FILES = {
    "a.jsonl": LINE,
    "b.txt": LINE,
    "d.json.bz2": bz2.compress(LINE),
    "d.json.xz": lzma.compress(LINE),
    "day=1/000000_0": LINE,
    "events-000000000000": gzip.compress(LINE),
    "part-00000": LINE,
    "part-00001-ab.c000": b"event\tuser\nA\tuser-1\n",
    "table.txt": b"event,user\nA,user-1\n",
}
OTHERS = {
    "_SUCCESS": b"",
    "_delta_log/0.json": b"{}",
    "._a.jsonl": b"\0\5\x16\7Mac OS X",
    ".part-00000.crc": b"crc\0",
    ".git/a.json": b"{}",
    "__MACOSX/._a.jsonl": b"\0\5\x16\7",
    "README.txt": b"Events, of last year.\nAsk us.\n",
    "c.log": LINE,
    "report.xlsx": b"PK\3\4",
    "x.avro": b"Obj\1",
}


def test_files_that_hold_events_are_read_and_others_named(tmp_path: Path) -> None:
    """Hidden files are passed over, like those of other kinds; where names say nothing, bytes do."""
    folder = filled(tmp_path / "in", FILES | OTHERS)
    assert names(folder) == list(FILES)
    (remark,) = find_sources([str(folder)]).remarks
    assert remark.startswith(
        f"{folder}: passed over 10 files, hidden or not called as events are: README.txt, c.log,"
    )
    for each in ("report.xlsx (an Excel workbook)", "x.avro (an Avro file)", "_SUCCESS"):
        assert each in remark
    filled(tmp_path / "one", {"a.jsonl": LINE, "c.log": LINE})
    assert find_sources([str(tmp_path / "one")]).remarks[0].endswith("c.log. Name a file to have it read.")
    assert find_sources([str(tmp_path / "one" / "c.log")]).remarks == ()


def test_archives_are_read_by_the_same_rules(tmp_path: Path) -> None:
    """Their members are files of a directory."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, data in (FILES | OTHERS).items():
            archive.writestr(name, data)
    found = find_sources([str(tmp_path / "a.zip")])
    assert sorted(str(each.member) for each in found.sources) == sorted(FILES)
    assert "passed over 9 files" in found.remarks[0]


def test_nothing_to_read_is_told_with_what_there_is(tmp_path: Path) -> None:
    """And not with a wrong format."""
    folder = filled(tmp_path / "in", {"x.orc": b"ORC", ".hidden.json": b"{}"})
    with pytest.raises(NotReadable, match=r"holds no file.*x\.orc \(an ORC file\), \.hidden\.json"):
        find_sources([str(folder)])
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.pdf", b"%PDF-")
    with pytest.raises(NotReadable, match=r"a\.pdf \(a PDF document\)"):
        find_sources([str(tmp_path / "a.zip")])


def made_tar(path: Path) -> None:
    inner = path.with_name("inner.jsonl")
    inner.write_bytes(LINE)
    with tarfile.open(path, "w") as archive:
        archive.add(inner, "inner.jsonl")


@pytest.mark.parametrize(
    ("start", "what"),
    [
        (b"Obj\x01\x04\x14avro.codec", "an Avro file: convert it"),
        (b"ORC\x08\x03", "an ORC file: convert it"),
        (b"ARROW1\0\0", "an Arrow file"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0", "an Excel workbook: save it as CSV"),
        (b"SQLite format 3\0\1", "an SQLite database"),
        (b"PARE\0\0", "an encrypted Parquet file"),
        (b"7z\xbc\xaf\x27\x1c\0", "a 7-Zip archive: unpack it"),
        (b"\xff\x06\x00\x00sNaPpY", "compressed with Snappy"),
        (b"<!DOCTYPE html><title>Sign in</title>", "a web page"),
    ],
)
def test_what_cannot_be_read_is_called_what_it_is(tmp_path: Path, start: bytes, what: str) -> None:
    """Whatever its name says, packed or not."""
    for name, data in (("a.csv", start), ("b.jsonl.gz", gzip.compress(start))):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(NotReadable, match=f"{name} is {what}"):
            look([tmp_path / name], tmp_path)


def test_archives_of_other_kinds_are_called_what_they_are(tmp_path: Path) -> None:
    """A workbook is a ZIP archive, and a tar archive is often packed with gzip."""
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as archive:
        archive.writestr("[Content_Types].xml", b"<x/>")
        archive.writestr("xl/workbook.xml", b"<x/>")
    with pytest.raises(NotReadable, match=r"a\.xlsx is an Excel workbook: save it as CSV"):
        find_sources([str(tmp_path / "a.xlsx")])
    made_tar(tmp_path / "b.tar")
    (tmp_path / "b.tgz").write_bytes(gzip.compress((tmp_path / "b.tar").read_bytes()))
    for name in ("b.tar", "b.tgz"):
        with pytest.raises(NotReadable, match="is a tar archive: unpack it"):
            look([tmp_path / name], tmp_path)


PACK: dict[str, Callable[[bytes], bytes]] = {"bzip2": bz2.compress, "xz": lzma.compress}


@pytest.mark.parametrize("kind", PACK)
def test_bzip2_and_xz(kind: str, tmp_path: Path) -> None:
    """One stream or several, as parallel packers write; what is cut off or damaged is told."""
    pack = PACK[kind]
    noise = random.Random(1)
    rows = [b'{"n": %d, "x": "%b"}\n' % (n, noise.randbytes(30).hex().encode()) for n in range(30_000)]
    packed = pack(b"".join(rows[:20_000])) + pack(b"".join(rows[20_000:]))
    path = tmp_path / "a"

    def read(data: bytes) -> list[bytes]:
        path.write_bytes(data)
        (source,) = find_sources([str(path)]).sources
        return [text for chunk in SourceReading(source).chunks() for text in chunk.texts if text]

    assert read(packed) == [each.strip() for each in rows]
    assert read(gzip.compress(packed)) == [each.strip() for each in rows]
    with pytest.raises(NotReadable, match=f"in the middle of its {kind}"):
        read(packed[:-1000])
    with pytest.raises(NotReadable, match=f"its {kind} compression is damaged"):
        read(packed[:5000] + b"\xff" * 100 + packed[5100:])
