"""Files made to be unpleasant: memory stays bounded, time grows with the size, and the place is told."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from antinode._importing.chunks import MAX_ROW, MAX_VALUES, Chunk, divided, is_sprawling, string_end
from antinode._importing.columns import Columns, read_mapping
from antinode._importing.errors import BadMapping, NotReadable
from antinode._importing.importer import WINDOW_EVENTS, WINDOW_LONG_BYTES, window_bytes
from antinode._importing.readers import delimited, detect
from antinode._importing.readers.decompression import unpacked
from antinode._importing.readers.delimited import read_table
from antinode._importing.readers.detect import SourceReading
from antinode._importing.readers.json_array import read_array
from antinode._importing.sources import find_sources
from tests.importing.runs import look

HEADER = b"event_type,user_id,time\n"
MIB = b"x" * (1 << 20)
TABLE = ("--event-type", "event_type", "--user-id", "user_id", "--time", "time")

BOMBS: dict[str, tuple[list[bytes], int, tuple[str, ...]]] = {
    "blank.jsonl.gz": ([b" " * (1 << 20)], 200, ()),
    "line.jsonl.gz": ([b'{"event_type":"', *[MIB] * 199], 1, ()),
    "cell.csv.gz": ([HEADER, b'"', *[MIB] * 199], 1, TABLE),
    "open.csv.gz": ([HEADER, b'"', *[b"x,y,z\n" * 10_000] * 10], 1, TABLE),
    "cells.csv.gz": ([HEADER, *[b"xx," * 300_000] * 100], 1, TABLE),
    "header.csv.gz": ([b"c," * 500_000] * 100, 1, TABLE),
    "value.json.gz": ([b'[{"event_type":"', *[MIB] * 199], 1, ()),
    "brackets.json.gz": ([b"[", *[b"[" * (1 << 20)] * 99], 1, ()),
    "sprawling.jsonl.gz": ([b'{"a":[', b"[]," * 2_000_000, b"1]}\n"], 1, ()),
}

_CHILD = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
sys.argv = ["antinode", *sys.argv[1:]]
from antinode.cli import main
try:
    main()
finally:
    try:  # getrusage tells the peak of the process that started this one, if that was higher
        with open("/proc/self/status") as file:
            peak = next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) // 1024
    except FileNotFoundError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 20
    print("PEAK", peak, file=sys.stderr)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process are POSIX's")
@pytest.mark.parametrize("name", BOMBS)
def test_a_file_that_unpacks_without_end_takes_150_mb_at_most(name: str, tmp_path: Path) -> None:
    """`antinode validate` ends with an objection, and its process never takes more."""
    pieces, times, options = BOMBS[name]
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    path = tmp_path / name
    with path.open("wb") as file:
        for piece in pieces * times:
            file.write(packer.compress(piece))
        file.write(packer.flush())
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, "validate", *options, str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (1, 2), done.stderr
    assert "Traceback" not in done.stderr
    assert int(done.stderr.rpartition("PEAK ")[2]) < 150


def problems(chunks: Iterable[Chunk]) -> list[int]:
    return [chunk.first + at for chunk in chunks for at in chunk.problems]


def rows(chunks: Iterable[Chunk]) -> list[object]:
    return [
        json.loads(text)
        for chunk in chunks
        for at, text in enumerate(chunk.texts)
        if text and at not in chunk.problems
    ]


def test_a_line_of_a_table_that_is_too_long_is_rejected_with_its_place() -> None:
    """The rows before and behind it are read."""
    blocks = [b"a,b\n1,2\n", *[b"x," * (1 << 19)] * 4, b"\n3,4\n"]
    made = list(read_table(iter(blocks), delimiter=","))
    assert rows(made) == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]
    assert problems(made) == [2]
    assert sum(len(text) for chunk in made for text in chunk.texts) < 2000


def test_a_row_of_ever_more_lines_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """It costs the line that it begins with, as any quote that is not closed."""
    monkeypatch.setattr(delimited, "MAX_TABLE_ROW", 1000)
    blocks = [b"a,b\n", *[b'"x\n","x\n'] * 500, b"3,4\n"]
    assert {"a": "3", "b": "4"} in rows(read_table(iter(blocks), delimiter=","))


@pytest.mark.parametrize(
    "header", [b"c," * (2 << 20), b",".join(b"c%d" % n for n in range(20_000)), b"x" * 2000 + b",y"]
)
def test_a_header_has_its_bounds(header: bytes) -> None:
    """Columns beyond any spreadsheet's, or a name as long as a row, are told instead of read."""
    with pytest.raises(NotReadable, match="header"):
        list(read_table(iter([header, b"\n1,2\n"]), delimiter=","))


def test_blanks_before_the_first_row_are_looked_through_once(tmp_path: Path) -> None:
    """What cannot be told behind a mebibyte of them is not looked for."""
    path = tmp_path / "blank"
    path.write_bytes(b" " * (5 << 20))
    with pytest.raises(NotReadable, match="--format"):
        list(SourceReading(find_sources([str(path)]).sources[0]).chunks())
    assert detect._MAX_BLANK < 5 << 20


def test_brackets_that_are_never_closed_are_no_end_of_the_array() -> None:
    """Nor is looking for their partners quadratic."""
    element = b"[" * 50_000 + b"}" * 50_000 + b"]" * 50_000
    (texts,) = (chunk.texts for chunk in read_array(iter([b"[1," + element + b',{"a":"\\\\"},2]'])))
    assert texts[0] == b"1"
    assert texts[1].startswith(element)
    assert problems(read_array(iter([b"[1," + b"[" * (MAX_ROW + 1)]))) == [2]


@pytest.mark.parametrize(
    ("text", "end"), [(b'a"b', 2), (b'a\\"b"', 5), (b'a\\\\"b"', 4), (b'\\\\\\"', -1), (b"", -1), (b'"', 1)]
)
def test_a_string_ends_at_its_quote(text: bytes, end: int) -> None:
    """An escaped quote is none, one behind an escaped backslash is."""
    assert string_end(text, 0) == end


def test_values_are_counted_outside_strings() -> None:
    """A long text full of commas is one value."""
    assert not is_sprawling(json.dumps({"a": ",[{" * MAX_VALUES}).encode())
    assert is_sprawling(json.dumps({"a": [1] * (MAX_VALUES + 1)}).encode())


def test_a_chunk_of_many_rows_is_divided() -> None:
    """Its rows and problems keep their places."""
    parts = list(divided(Chunk(5, [b"%d" % n for n in range(25_000)], {3: "x", 24_000: "y"})))
    assert [part.first for part in parts] == [5, 10_005, 20_005]
    assert problems(parts) == [8, 24_005]
    assert b"".join(text for part in parts for text in part.texts) == b"".join(
        b"%d" % n for n in range(25_000)
    )


def test_tiny_members_of_gzip_are_joined_to_blocks() -> None:
    """Thousands of them come as few blocks, so that what reads them does not look at each."""
    data = gzip.compress(b"ab\n") * 20_000
    blocks = list(unpacked(iter([data])))
    assert b"".join(blocks) == b"ab\n" * 20_000
    assert len(blocks) < 10


def test_an_archive_is_opened_once_for_all_of_its_members(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SourceReading its directory for each would be quadratic."""
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for n in range(100):
            archive.writestr(f"{n}.json", b'{"n":%d}\n' % n)
    sources = find_sources([str(path)]).sources
    opened: list[object] = []
    original = zipfile.ZipFile

    def counted(*args: object) -> zipfile.ZipFile:
        opened.append(args)
        return original(*args)  # type: ignore[arg-type, call-overload, no-any-return]

    monkeypatch.setattr("antinode._importing.sources.zipfile.ZipFile", counted)
    found: Iterator[object] = (row for source in sources for row in rows(SourceReading(source).chunks()))
    assert list(found) == [{"n": n} for n in range(100)]
    assert len(opened) == 1


def test_members_whose_names_are_odd_numbers_are_put_in_order(tmp_path: Path) -> None:
    """Digits beyond what an int takes, and those of other scripts, are names like any."""
    path = tmp_path / "odd.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("9" * 6000, "\N{SUPERSCRIPT TWO}", "10", "9"):
            archive.writestr(name, b"{}\n")
    names = [source.member for source in find_sources([str(path)]).sources]
    assert names.index("9") < names.index("10") < names.index("9" * 6000)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_packings_that_unpack_without_bounds_are_refused(tmp_path: Path, method: int) -> None:
    """They give any amount at once."""
    path = tmp_path / "odd.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("a.jsonl", b"{}\n")
    with pytest.raises(NotReadable, match="packed"):
        find_sources([str(path)])


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.json", "[" * 200_000), ("a.toml", "a=" + "[" * 100_000), ("a.json", " " * (2 << 20))],
)
def test_a_mapping_is_bounded(tmp_path: Path, name: str, text: str) -> None:
    """Too deep, or too long to be one, is said so."""
    if name.endswith("toml") and sys.version_info < (3, 11):
        pytest.importorskip("tomli")
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(BadMapping):
        read_mapping(path)


def test_an_archive_in_an_archive_is_refused(tmp_path: Path) -> None:
    """It is told instead of unpacked, however it is called and compressed."""
    inner = tmp_path / "inner.zip"
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("a.jsonl", b"{}\n")
    path = tmp_path / "outer.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.jsonl", gzip.compress(inner.read_bytes()))
    with pytest.raises(NotReadable, match="zip archive"):
        list(SourceReading(find_sources([str(path)]).sources[0]).chunks())


def test_a_name_of_thousands_of_parts_is_no_name_in_a_mapping(tmp_path: Path) -> None:
    """Taking it apart would be quadratic; the line is told."""
    if sys.version_info < (3, 11):
        pytest.importorskip("tomli")
    path = tmp_path / "a.toml"
    path.write_text("[fields]\n" + "a." * 10_000 + "a = 1\n")
    with pytest.raises(BadMapping, match="line 2 has more than"):
        read_mapping(path)


def test_an_event_too_long_to_be_looked_at_is_no_sample(tmp_path: Path) -> None:
    """A dry run counts it, and shows the next ones."""
    path = tmp_path / "rows.jsonl"
    long = {
        "event_type": "Long",
        "user_id": "user-1",
        "time": 1793817970000,
        "event_properties": {"a": ["x" * 1000] * 100},
    }
    short = {"event_type": "Short", "user_id": "user-1", "time": 1793817970000}
    path.write_text("".join(json.dumps(each) + "\n" for each in (long, short, long, short)))
    survey = look([path], tmp_path, columns=Columns())
    assert survey.good == 4
    assert [event["event_type"] for _, _, event in survey.samples] == ["Short", "Short"]


def test_long_events_may_take_fewer_bytes_on_their_way_than_short_ones() -> None:
    """Those of a usual size are bounded by their number first: 50,000 of 350 bytes."""
    assert window_bytes(WINDOW_EVENTS, WINDOW_EVENTS * 350) > WINDOW_EVENTS * 350
    assert window_bytes(3, 3 << 22) == WINDOW_LONG_BYTES < window_bytes(300, 300 << 10)
