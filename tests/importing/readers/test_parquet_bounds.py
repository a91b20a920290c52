"""Parquet files that unpack to much more than they are: told by their pages' headers, or read in parts."""

from __future__ import annotations

import io
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antinode._importing.chunks import CHUNK_ROWS, MAX_ROW, Chunk
from antinode._importing.errors import Damaged, NotReadable
from antinode._importing.readers import parquet as parquet_reader
from antinode._importing.readers import parquet_layout
from antinode._importing.readers.arrow_values import rows_of
from antinode._importing.readers.detect import SourceReading
from antinode._importing.readers.parquet_pages import Page, heaviest, read_pages
from antinode._importing.sources import find_sources

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

MIB = 1 << 20
_POOL = "ARROW_DEFAULT_MEMORY_POOL"


def chunks(path: Path, columns: dict[str, Any], **options: Any) -> list[Chunk]:
    parquet.write_table(pyarrow.table(columns), path, compression="zstd", **options)
    (source,) = find_sources([str(path)]).sources
    return list(SourceReading(source).chunks())


def rows(made: list[Chunk]) -> list[Any]:
    return [json.loads(text) for chunk in made for text in chunk.texts]


@pytest.mark.parametrize(
    ("values", "options"),
    [
        pytest.param(["x" * (30 * MIB), "y"], {"use_dictionary": False}, id="cell"),
        pytest.param(["x" * (30 * MIB), "y"], {"dictionary_pagesize_limit": 1 << 30}, id="dictionary"),
        pytest.param(["x" * MIB] * 1100, {}, id="page"),
        pytest.param([[None] * 5_000_000, []], {}, id="values"),
    ],
)
def test_what_unpacks_to_too_much_is_told_before_it_is_unpacked(
    tmp_path: Path, values: list[Any], options: dict[str, Any]
) -> None:
    """Arrow allocates nothing but for the file's own metadata."""
    array = pyarrow.array(values, pyarrow.list_(pyarrow.int64())) if values[-1] == [] else values
    path = tmp_path / "rows.parquet"
    parquet.write_table(pyarrow.table({"x": array}), path, compression="zstd", **options)
    del array
    before = pyarrow.total_allocated_bytes()
    (source,) = find_sources([str(path)]).sources
    with pytest.raises(NotReadable, match=r"rows\.parquet: unpacking the column 'x' of row group 1 takes"):
        list(SourceReading(source).chunks())
    assert pyarrow.total_allocated_bytes() - before < MIB


def test_a_long_text_that_stands_in_every_row_is_read_a_few_rows_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in the file once; the rows hold it each."""
    steps: list[int] = []
    original = parquet_layout.RowGroupLayout.passes

    def noted(*arguments: Any) -> int:
        (made,) = original(*arguments)
        steps.append(made.rows)
        return [made]

    monkeypatch.setattr(parquet_layout.RowGroupLayout, "passes", noted)
    made = chunks(tmp_path / "rows", {"x": ["y" * 300_000] * 40, "n": range(40)})
    assert [row["n"] for row in rows(made)] == list(range(40))
    assert max(sum(map(len, chunk.texts)) for chunk in made) < MIB
    assert (steps[0] - 2) * 300_000 <= parquet_layout.MAX_BATCH  # two are for pages that end anywhere
    chunks(tmp_path / "short", {"x": ["y"] * 40 + list(map(str, range(3000)))})
    assert steps[1] == CHUNK_ROWS


def test_a_row_that_refers_to_a_text_many_times_is_rejected_with_its_place(tmp_path: Path) -> None:
    """A list of it would be as long as its elements together; the rows beside it are read."""
    values = pyarrow.array([["a"], ["q" * 100_000] * 1000, ["b"]], pyarrow.list_(pyarrow.string()))
    made = chunks(tmp_path / "rows", {"x": values})
    assert [chunk.first + at for chunk in made for at in chunk.problems] == [2]
    assert [row for row in rows(made) if row] == [{"x": ["a"]}, {"x": ["b"]}]
    assert sum(len(text) for chunk in made for text in chunk.texts) < MAX_ROW


def test_texts_that_begin_as_the_one_before_are_read_a_few_rows_at_a_time(tmp_path: Path) -> None:
    """A page of them unpacks to as many times its size as it has rows."""
    texts = ["y" * 30_000 + str(n) for n in range(3000)]
    made = chunks(
        tmp_path / "rows", {"x": texts}, use_dictionary=False, column_encoding={"x": "DELTA_BYTE_ARRAY"}
    )
    assert [row["x"][30_000:] for row in rows(made)] == [str(n) for n in range(3000)]
    assert max(sum(map(len, chunk.texts)) for chunk in made) < MIB


def test_maps_and_structs_are_weighed_as_they_are_read(tmp_path: Path) -> None:
    """Parts of a batch begin anywhere in them."""
    kind = pyarrow.map_(pyarrow.string(), pyarrow.string())
    maps = pyarrow.array([[("k", str(n) + "v" * 2000)] for n in range(1000)], kind)
    made = chunks(tmp_path / "rows", {"m": maps, "s": [{"a": n} for n in range(1000)]})
    assert [row["s"]["a"] for row in rows(made)] == list(range(1000))
    assert [row["m"]["k"].rstrip("v") for row in rows(made)] == list(map(str, range(1000)))


def test_a_value_that_cannot_be_had_costs_its_row(tmp_path: Path) -> None:
    """Text that is not UTF-8, where the file says that it is."""
    bad = pyarrow.array([b"a", b"\xff", b"c"]).view(pyarrow.string())
    made = chunks(tmp_path / "rows", {"x": bad})
    assert [chunk.first + at for chunk in made for at in chunk.problems] == [2]
    assert [row["x"] for row in rows(made) if row] == ["a", "c"]


@given(
    st.lists(st.builds(Page, st.integers(0, 9), st.integers(0, 5), st.just(False)), max_size=8),
    st.integers(1, 9),
)
def test_no_window_of_values_lies_in_more_than_the_heaviest_pages(pages: list[Page], values: int) -> None:
    """As found by looking at every window."""
    owners = [at for at, page in enumerate(pages) for _ in range(page.values)]
    windows = (owners[start : start + values] for start in range(len(owners)))
    touched = (sum(page.size for page in pages[window[0] : window[-1] + 1]) for window in windows)
    assert heaviest(pages, values) >= max(touched, default=0)
    if pages and all(page.values for page in pages):
        most = max(
            sum(page.size for page in pages[start:end])
            for start, end in itertools.combinations(range(len(pages) + 1), 2)
            if end - start == 1 or sum(page.values for page in pages[start + 1 : end - 1]) + 2 <= values
        )
        assert heaviest(pages, values) == most


@given(st.binary(max_size=300))
def test_any_bytes_are_pages_or_damaged(data: bytes) -> None:
    """Nothing else is raised, and there is an end."""
    try:
        for page in read_pages(io.BytesIO(data), 0, len(data)):
            assert page.size >= 0
    except Damaged:
        pass


def test_columns_that_are_too_much_together_are_read_in_turn(tmp_path: Path) -> None:
    """Sixty pages of a mebibyte make rows like any others, in their order and with their places."""
    noise = [f"{n:06}" * 60 for n in range(3000)]
    wide: dict[str, Any] = {f"c{at}": noise for at in range(60)} | {"n": list(range(3000)), "s.t": noise}
    made = chunks(tmp_path / "rows", wide, use_dictionary=False)
    assert next(chunk.first for chunk in made if chunk.texts) == 1
    read = rows(made)
    assert [row["n"] for row in read] == list(range(3000))
    assert all(
        len(row) == 62 and row["c0"] == row["c59"] == row["s.t"] == text
        for row, text in zip(read, noise, strict=True)
    )
    assert [chunk.first for chunk in made if chunk.texts] == list(
        itertools.accumulate([len(chunk.texts) for chunk in made if chunk.texts][:-1], initial=1)
    )


def test_a_row_that_is_too_long_only_by_columns_read_in_turn_is_rejected_with_its_place(
    tmp_path: Path,
) -> None:
    """Its parts are each short enough."""
    columns = {f"c{at}": ["a", "x" * (MIB // 2), "b"] for at in range(60)}
    made = chunks(tmp_path / "rows", columns, use_dictionary=False)
    assert [(chunk.first + at, why) for chunk in made for at, why in chunk.problems.items()] == [
        (2, f"the row is longer than {MAX_ROW >> 20} MiB")
    ]
    assert [row["c59"] for row in rows(made) if row] == ["a", "b"]


def test_the_first_rows_of_a_wide_file_do_not_wait_for_all_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ever more rows are read in turn; for the first ones, a chunk's worth is made of each column."""
    noise = [f"{n:06}" * 60 for n in range(3 * CHUNK_ROWS)]
    columns = {f"c{at}": noise for at in range(60)}
    path = tmp_path / "rows"
    parquet.write_table(pyarrow.table(columns), path, compression="zstd", use_dictionary=False)
    cells = 0

    def counted(batch: Any) -> list[bytes]:
        nonlocal cells
        cells += batch.num_rows * batch.num_columns
        return rows_of(batch)

    monkeypatch.setattr(parquet_reader, "rows_of", counted)
    (source,) = find_sources([str(path)]).sources
    read = SourceReading(source).chunks()
    first = next(chunk for chunk in read if chunk.texts)
    assert first.first == 1
    assert cells == CHUNK_ROWS * len(columns)
    assert sum(len(chunk.texts) for chunk in read) == len(noise) - len(first.texts)
    assert cells == len(noise) * len(columns)


_READ = """
import sys
from antinode._importing.readers import parquet, parquet_layout
from antinode._importing.sources import find_sources

passes = parquet_layout.RowGroupLayout.passes

def noted(*arguments):
    made = passes(*arguments)
    import pyarrow
    pool = pyarrow.default_memory_pool()
    print(pool.backend_name, pool.max_memory())
    return made

parquet_layout.RowGroupLayout.passes = noted
for _ in parquet.Parquet(find_sources(sys.argv[1:]).sources[0]).chunks():
    pass
"""


@pytest.mark.parametrize(("chosen", "used"), [({}, "system"), ({_POOL: "mimalloc"}, "mimalloc")])
def test_memory_that_arrow_frees_goes_back_to_the_system(
    tmp_path: Path, chosen: dict[str, str], used: str
) -> None:
    """Unless another allocator was chosen; and dictionaries are looked up one column at a time."""
    if used not in pyarrow.supported_memory_backends():
        pytest.skip(f"pyarrow was built without {used}")
    path = tmp_path / "rows"
    texts = [f"{n:08}" * 10 for n in range(8_000)]
    parquet.write_table(pyarrow.table({f"c{at}": texts for at in range(12)}), path)
    environment = {key: value for key, value in os.environ.items() if key != _POOL} | chosen
    told = subprocess.run(
        [sys.executable, "-c", _READ, path], env=environment, capture_output=True, text=True, check=True
    ).stdout.split()
    assert told[0] == used
    assert int(told[1]) < 6 * MIB
