"""Readers: the same rows however the bytes are cut, and each broken row costs only itself."""

from __future__ import annotations

import csv
import datetime
import decimal
import gzip
import io
import itertools
import json
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antinode._importing import chunks
from antinode._importing.chunks import Chunk
from antinode._importing.errors import NotInstalled, NotReadable
from antinode._importing.readers import decompression
from antinode._importing.readers.delimited import read_table
from antinode._importing.readers.detect import SourceReading, detect
from antinode._importing.readers.json_array import read_array
from antinode._importing.readers.jsonl import read_lines
from antinode._importing.sources import Source, find_sources

Read = Callable[[Iterator[bytes]], Iterator[Chunk]]
Row = tuple[int, Any, bool]

names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\x1e\x1f"), max_size=8)
values = st.one_of(names, st.integers(-(10**9), 10**9), st.booleans(), st.none())
rows = st.dictionaries(names, st.one_of(values, st.lists(values, max_size=3)), max_size=4)


def cut(data: bytes, places: list[int]) -> Iterator[bytes]:
    """`data` in blocks that end at `places`; equal places make empty blocks, as a slow pipe does."""
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    for start, end in itertools.pairwise(edges):
        yield data[start:end]


def found(read: Read, blocks: Iterator[bytes]) -> list[Row]:
    """Number, decoded row or text, and whether it is a problem."""
    all_rows: list[Row] = []
    for chunk in read(blocks):
        for position, text in enumerate(chunk.texts):
            is_bad = position in chunk.problems
            try:
                row = json.loads(text)
            except ValueError:
                row = text
            if text:
                all_rows.append((chunk.first + position, row, is_bad))
    return all_rows


def table(blocks: Iterator[bytes]) -> Iterator[Chunk]:
    return read_table(blocks, delimiter=",")


@given(
    st.lists(rows, max_size=8), st.lists(st.integers(0, 5000), max_size=12), st.sampled_from(["\n", "\r\n"])
)
def test_lines_are_the_same_however_they_are_cut(
    wanted: list[dict[str, Any]], places: list[int], end: str
) -> None:
    """JSON lines give their rows by line number, wherever blocks end and whichever line ends there are."""
    data = end.join(json.dumps(row, ensure_ascii=False) for row in wanted).encode()
    assert found(read_lines, cut(data, places)) == [(i, row, False) for i, row in enumerate(wanted, 1)]


@given(st.lists(rows, max_size=8), st.lists(st.integers(0, 5000), max_size=12), st.sampled_from([None, 1]))
def test_arrays_are_the_same_however_they_are_cut(
    wanted: list[dict[str, Any]], places: list[int], indent: int | None
) -> None:
    """A JSON array gives its elements, wherever blocks end and however it is laid out."""
    data = json.dumps(wanted, ensure_ascii=False, indent=indent).encode()
    assert found(read_array, cut(data, places)) == [(i, row, False) for i, row in enumerate(wanted, 1)]


@given(
    st.lists(st.lists(names.filter(lambda text: "\r" not in text), min_size=3, max_size=3), max_size=8),
    st.lists(st.integers(0, 5000), max_size=12),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_tables_are_the_same_however_they_are_cut(
    wanted: list[list[str]], places: list[int], quoting: Any
) -> None:
    """A CSV gives its rows, with line breaks and quotes within cells, wherever blocks end."""
    text = io.StringIO(newline="")
    csv.writer(text, quoting=quoting, lineterminator="\n").writerows([["a", "b", "c"], *wanted])
    data = text.getvalue().encode()
    expected = [(i, dict(zip("abc", row, strict=True)), False) for i, row in enumerate(wanted, 1)]
    assert found(table, cut(data, places)) == expected


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=6))
@pytest.mark.parametrize("read", [read_lines, read_array, table], ids=["lines", "array", "table"])
def test_garbage_is_read_alike_however_it_is_cut(read: Read, data: bytes, places: list[int]) -> None:
    """Whatever the bytes are, no reader fails on them, and where blocks end makes no difference."""

    def outcome(blocks: Iterator[bytes]) -> object:
        try:
            return found(read, blocks)
        except NotReadable as error:
            return str(error)

    prefix = {read_array: b"["}.get(read, b"")
    assert outcome(cut(prefix + data, places)) == outcome(iter([prefix + data]))


@pytest.mark.parametrize(
    "broken",
    [b'{"a": }', b'{"a": 1', b'{"a": "x}', b"nonsense", b'{"a": 1}}', b'\xff\xfe{"a": 1}', b"[[[[", b'"'],
)
def test_a_broken_line_costs_only_itself(broken: bytes) -> None:
    """The rows before and behind a line that is no JSON are what they are."""
    texts = [
        text for chunk in read_lines(iter([b'{"n": 1}\n' + broken + b'\n{"n": 3}\n'])) for text in chunk.texts
    ]
    assert [text for text in texts if text] == [b'{"n": 1}', broken, b'{"n": 3}']


@pytest.mark.parametrize("broken", [b'{"a": }', b"nonsense", b'{"a": [1}', b'{"a" 1}', b'{"a": 1}}'])
def test_a_broken_element_costs_only_itself(broken: bytes) -> None:
    """The elements before and behind one that is no JSON are what they are."""
    texts = [
        text for chunk in read_array(iter([b'[{"n": 1},' + broken + b',{"n": 3}]'])) for text in chunk.texts
    ]
    assert texts == [b'{"n": 1}', broken, b'{"n": 3}']


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (b"1", "1 cell and the header 2"),
        (b"1,2,3", "3 cells and the header 2"),
        (b'1,"2', "quote"),
        (b'"1,2', "quote"),
        (b"1,\xff", "UTF-8"),
    ],
)
def test_a_broken_table_row_costs_only_itself(broken: bytes, reason: str) -> None:
    """A row with the wrong cells, an open quote or no text in it is told, and the others are whole."""
    chunks = list(read_table(iter([b"a,b\nx,y\n" + broken + b'\nv,w\n"p","q"\n']), delimiter=","))
    good, bad = [], []
    for chunk in chunks:
        for position, text in enumerate(chunk.texts):
            if position in chunk.problems:
                bad.append((chunk.first + position, chunk.problems[position]))
            else:
                good.append(json.loads(text))
    assert good == [{"a": "x", "b": "y"}, {"a": "v", "b": "w"}, {"a": "p", "b": "q"}]
    assert [number for number, _ in bad] == [2]
    assert reason in bad[0][1]


def test_a_row_that_never_ends_does_not_fill_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line beyond the limit is one problem, its text cut, and the line behind it is read."""
    monkeypatch.setattr("antinode._importing.readers.jsonl.MAX_ROW", 1000)
    monkeypatch.setattr("antinode._importing.readers.json_array.MAX_ROW", 1000)
    blocks = [b"x" * 400] * 10
    (first, second) = found(read_lines, iter([*blocks, b'\n{"n": 2}\n']))
    assert first[2]
    assert len(first[1]) < 1100
    assert second == (2, {"n": 2}, False)
    (only,) = found(read_array, iter([b'[{"a": "', *blocks]))
    assert only[2]
    assert chunks.MAX_ROW > 1_000_000


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda data: data,
    "gzip": gzip.compress,
    "two gzip members": lambda data: gzip.compress(data[:7]) + gzip.compress(data[7:]),
    "gzip twice": lambda data: gzip.compress(gzip.compress(data)),
    "utf-8 with a mark": lambda data: b"\xef\xbb\xbf" + data,
    "utf-16": lambda data: data.decode().encode("utf-16"),
}


@pytest.mark.parametrize("packed", PACKED)
def test_compression_is_told_by_content(packed: str, tmp_path: Path) -> None:
    """A file is unpacked by what it holds, whatever it is called."""
    path = tmp_path / "anything"
    path.write_bytes(PACKED[packed]('{"n": 1}\n{"n": "ü"}\n'.encode()))
    (source,) = find_sources([str(path)]).sources
    reading = SourceReading(source)
    assert found(lambda _: reading.chunks(), iter([])) == [(1, {"n": 1}, False), (2, {"n": "ü"}, False)]
    assert reading.position == path.stat().st_size


def test_zstandard(tmp_path: Path) -> None:
    """zstd is unpacked too, several frames of it."""
    zstd = pytest.importorskip("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
    path = tmp_path / "rows.jsonl.zst"
    path.write_bytes(zstd.compress(b'{"n": 1}\n') + zstd.compress(b'{"n": 2}\n'))
    (source,) = find_sources([str(path)]).sources
    assert found(lambda _: SourceReading(source).chunks(), iter([])) == [
        (1, {"n": 1}, False),
        (2, {"n": 2}, False),
    ]
    path.write_bytes(zstd.compress(b'{"n": 1}\n')[:-3])
    with pytest.raises(NotReadable, match="in the middle of its zstd"):
        list(SourceReading(source).chunks())


def test_without_its_package_a_format_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """zstd and Parquet say which extra brings what they need."""
    for name in ("compression.zstd", "backports.zstd", "pyarrow"):
        monkeypatch.setitem(sys.modules, name, None)
    for start in (b"\x28\xb5\x2f\xfd....", b"PAR1...."):
        path = tmp_path / "rows"
        path.write_bytes(start)
        (source,) = find_sources([str(path)]).sources
        with pytest.raises(NotInstalled, match=r'pip install "antinode\[import\]"'):
            list(SourceReading(source).chunks())


def test_damage_is_told_behind_the_rows_before_it(tmp_path: Path) -> None:
    """A file that was not copied to its end gives the rows that are there, then says so."""
    path = tmp_path / "rows.gz"
    lines = b"".join(b'{"n": %d, "%d": "filler"}\n' % (n, n * 7919) for n in range(40_000))
    path.write_bytes(gzip.compress(lines)[:-20_000])
    (source,) = find_sources([str(path)]).sources
    seen: list[Chunk] = []
    with pytest.raises(NotReadable, match=r"rows\.gz: it ends in the middle of its gzip"):
        seen.extend(SourceReading(source).chunks())
    assert sum(len(chunk.texts) for chunk in seen) > 10_000


def test_parquet(tmp_path: Path) -> None:
    """Parquet's values become JSON's: times in ISO 8601, decimals as numbers, structs as they are."""
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "rows"
    moment = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)
    given = [
        {"at": moment, "price": decimal.Decimal("1.25"), "tags": ["a"], "more": {"x": 1}, "none": None},
        {"at": None, "price": None, "tags": [], "more": {"x": None}, "none": None},
    ]
    parquet.write_table(pyarrow.Table.from_pylist(given), path)
    (source,) = find_sources([str(path)]).sources
    first, second = found(lambda _: SourceReading(source).chunks(), iter([]))
    assert first == (
        1,
        {"at": "2026-01-02T03:04:05+00:00", "price": 1.25, "tags": ["a"], "more": {"x": 1}, "none": None},
        False,
    )
    assert second[1]["at"] is None
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(NotReadable, match="no Parquet"):
        list(SourceReading(source).chunks())


def test_directories_archives_and_patterns_are_in_order(tmp_path: Path) -> None:
    """Hour 9 comes before hour 10, in a directory, in an archive, by a pattern; other files are left out."""
    folder = tmp_path / "archive"
    folder.mkdir()
    for hour in (10, 9, 100):
        (folder / f"1_{hour}#1.json.gz").write_bytes(gzip.compress(b"{}\n"))
    (folder / "notes.txt").write_text("not events")
    with zipfile.ZipFile(tmp_path / "export.json.gz", "w") as archive:
        for hour in (10, 9, 100):
            archive.writestr(f"1/1_{hour}#1.json.gz", gzip.compress(b"{}\n"))
        archive.writestr("1/", b"")
        archive.writestr("__MACOSX/1", b"x")
    wanted = ["9#", "10#", "100"]
    for argument in (folder, tmp_path / "export.json.gz", folder / "*.gz"):
        sources = find_sources([str(argument)]).sources
        assert [each.name.rpartition("_")[2][:3].rstrip("1") for each in sources] == [
            each.rstrip("1") for each in wanted
        ]
    for each in find_sources([str(folder)]).sources:
        assert list(SourceReading(each).chunks())


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    """A file that is missing, a pattern without a match and a file given twice are told."""
    with pytest.raises(NotReadable, match="no file missing"):
        find_sources(["missing"])
    with pytest.raises(NotReadable, match="no file matches"):
        find_sources([str(tmp_path / "*.json")])
    with pytest.raises(NotReadable, match="holds no file"):
        find_sources([str(tmp_path)])
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(NotReadable, match="more than once"):
        find_sources([str(tmp_path / "a.json"), str(tmp_path)])


@pytest.mark.parametrize(
    ("name", "start", "format"),
    [
        ("a", b'{"a": 1}', "jsonl"),
        ("a.csv", b'{"a": 1}', "jsonl"),
        ("a", b' [ {"a": 1}]', "json"),
        ("a", b"[]", "json"),
        ("a.csv.gz", b"word\n1\n", "csv"),
        ("a", b"x,y\n1,2\n", "csv"),
        ("a", b"x\ty\n1\t2\n", "tsv"),
        ("a.tsv", b"x\n1\n", "tsv"),
    ],
)
def test_formats_are_told_by_content_then_name(name: str, start: bytes, format: str) -> None:
    """What a file holds decides, and where that leaves a doubt, what it is called."""
    assert detect(name, start) == format


def test_what_cannot_be_told_asks_for_the_format() -> None:
    """Neither text of one word nor binary data is guessed at."""
    for start in (b"word\n", b"\0\1\2\3"):
        with pytest.raises(NotReadable, match="--format"):
            detect("a", start)


@pytest.mark.parametrize("delimiter", [",", ";", "|", "\t"])
def test_delimiters_are_told_by_the_header(delimiter: str) -> None:
    """Semicolons and the like need no option."""
    data = f"a{delimiter}b{delimiter}c\n1{delimiter}2{delimiter}3\n".encode()
    rows = found(lambda blocks: read_table(blocks, delimiter=None), iter([data]))
    assert rows == [(1, {"a": "1", "b": "2", "c": "3"}, False)]


def test_header_twice_is_refused() -> None:
    """Two columns of one name cannot be told apart."""
    with pytest.raises(NotReadable, match="'a' twice"):
        list(read_table(iter([b"a,a\n1,2\n"]), delimiter=","))


def test_columns_may_be_given() -> None:
    """A table without a header takes the names that are given, and its first row is a row."""
    rows = found(lambda blocks: read_table(blocks, delimiter=",", columns=["a", "b"]), iter([b"1,2\n"]))
    assert rows == [(1, {"a": "1", "b": "2"}, False)]


def test_a_stream_that_is_given_up_ends_its_thread(tmp_path: Path) -> None:
    """Closing a stream in the middle lets its thread end."""
    path = tmp_path / "rows"
    path.write_bytes(b"x" * decompression.BLOCK * 40)
    stream = decompression.Stream(Source("rows", path))
    next(iter(stream))
    stream.close()
    import threading

    for thread in threading.enumerate():
        if thread.name == "antinode-import-read":
            thread.join(120)
            assert not thread.is_alive()
