"""How a Parquet file is read in bounded memory: which columns together, and how many rows at a time."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from antinode._importing.chunks import CHUNK_ROWS
from antinode._importing.errors import Damaged, NotReadable
from antinode._importing.readers.parquet_pages import Page, heaviest, read_pages

MAX_PASS: Final = 20 * 1024 * 1024
"""Bytes of the pages and dictionaries of columns that are read together; what is more is read in turn."""
MAX_COLUMN: Final = 24 * 1024 * 1024
"""Bytes of one column's pages and dictionary that are unpacked at a time."""
MAX_BATCH: Final = 4 * 1024 * 1024
"""Bytes of rows that are unpacked together, but for those that lie in the same pages."""
MAX_PASSES: Final = 128
"""Each has a file that is open."""
_REPEATING: Final = "DELTA_BYTE_ARRAY"
"""The encoding of texts that begin as the one before does."""
_MAX_FIXED: Final = 1024
_STEPS: Final = (CHUNK_ROWS, 250, 60, 15, 4, 1)
"""So many rows are unpacked together: the first of these that stays within the bound."""
_COLUMN: Final = 4 * 1024
_VALUE: Final = 8


@dataclass(frozen=True)
class Pass:
    """Columns of a row group that are read together."""

    columns: list[str]
    """Their dotted paths."""
    rows: int
    """How many rows of them are unpacked together."""


class RowGroupLayout:
    """The memory that reading a row group takes, by the sizes of pages that the file states."""

    def __init__(self, metadata: Any, chosen: Collection[str] | None = None) -> None:
        """The layout of all columns, or of those whose names are in `chosen`."""
        self._metadata = metadata
        columns = [(number, metadata.schema.column(number)) for number in range(metadata.num_columns)]
        self._columns = [
            (at, each) for at, each in columns if chosen is None or each.path.partition(".")[0] in chosen
        ]
        groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
        texts = [
            each
            for at, each in self._columns
            if each.physical_type == "BYTE_ARRAY"
            and not any(_REPEATING in group.column(at).encodings for group in groups)
        ]
        self.texts = [each.path for each in texts]
        """Columns whose dictionary can be had."""
        self.nested_texts = [each.path for each in texts if each.max_repetition_level > 0]
        """Kept as their dictionary, for one long text in it may stand in a row any number of times."""
        if any(each.length > _MAX_FIXED for _, each in self._columns):
            raise NotReadable(
                f"a column has values of more than {_MAX_FIXED:,} bytes each: write them as binary"
            )

    def passes(self, number: int, file: BinaryIO, probe: Any) -> list[Pass]:
        """How a row group is read. Raises `NotReadable` if one column takes too much.

        `probe` is the file with all texts as dictionaries; its first row is read for them.
        """
        group = self._metadata.row_group(number)
        weights: dict[str, list[_Weight]] = {}
        for at, each in self._columns:
            weight = _Weight.read(group.column(at), file, is_nested=each.max_repetition_level > 0)
            # What is in one struct stays together; so do columns whose dotted names look as if they were.
            weights.setdefault(each.path.partition(".")[0], []).append(weight)
        made: list[Pass] = []
        together: dict[str, list[_Weight]] = {}
        size = 0
        for name, own in weights.items():
            wanted = sum(each.of(1) for each in own)
            if wanted > MAX_COLUMN:
                raise NotReadable(
                    f"unpacking the column {name!r:.60} of row group {number + 1} takes {wanted:,} bytes "
                    f"of memory, and {MAX_COLUMN:,} is the most: write smaller pages or row groups"
                )
            if together and size + wanted > MAX_PASS:
                made.append(self._pass(number, probe, together))
                together, size = {}, 0
            together[name] = own
            size += wanted
        if together:
            made.append(self._pass(number, probe, together))
        if len(made) > MAX_PASSES:
            raise NotReadable(
                f"row group {number + 1} takes more than {MAX_PASSES} readings of {MAX_PASS >> 20} MiB: "
                "write smaller row groups or fewer columns"
            )
        return made

    def _pass(self, number: int, probe: Any, columns: dict[str, list[_Weight]]) -> Pass:
        weights = [each for own in columns.values() for each in own]
        self._probe(number, probe, {each.path: each for each in weights})
        # Where pages end is chance, so the memory of a second page does not reduce the rows read at a time.
        least = sum(each.of(2) for each in weights)
        rows = next(
            rows
            for rows in _STEPS
            if rows == 1 or sum(each.of(rows) for each in weights) <= least + MAX_BATCH
        )
        return Pass([each.path for each in weights], rows)

    def _probe(self, number: int, probe: Any, weights: dict[str, _Weight]) -> None:
        """Look up the longest texts of the dictionaries that a group's first row refers to."""
        wanted = [path for path in self.texts if path in weights and weights[path].is_probed]
        if not wanted:
            return
        for path in wanted:
            # One at a time: together, their dictionaries would take what reading takes.
            for batch in probe.iter_batches(1, row_groups=[number], columns=[path], use_threads=False):
                weights[path].longest = _longest(batch.column(0))
                break


@dataclass
class _Weight:
    """Bytes that a column of a row group takes."""

    path: str
    fixed: int
    pages: list[Page]
    longest: int
    """Bytes of a text that may stand in every row, though it is in the file once."""
    is_probed: bool
    """Whether `longest` can be looked up in the dictionary that the first row refers to."""

    @classmethod
    def read(cls, column: Any, file: BinaryIO, *, is_nested: bool) -> _Weight:
        start, path = column.data_page_offset, column.path_in_schema
        if column.dictionary_page_offset:
            start = min(start, column.dictionary_page_offset)
        if start < 0 or column.total_compressed_size < 0:
            raise Damaged("a column of it has no place")
        found = list(read_pages(file, start, start + column.total_compressed_size))
        dictionary = sum(page.size for page in found if page.is_dictionary)
        pages = [page for page in found if not page.is_dictionary]
        if is_nested:
            # Where a row ends is told within the pages: one may be as long as all of them.
            repeated = max((page.size for page in pages), default=0) if _REPEATING in column.encodings else 0
            whole = sum(page.size + (_VALUE + repeated) * page.values for page in pages)
            return cls(path, _COLUMN + dictionary + whole, [], 0, is_probed=False)
        is_probed = "." not in path and bool(pages) and pages[0].refers
        longest = dictionary if column.physical_type == "BYTE_ARRAY" else 0
        if _REPEATING in column.encodings:
            # A text repeats what the one before begins with, up to all of a page.
            longest, is_probed = max(longest, *(page.size for page in pages), 0), False
        return cls(path, _COLUMN + dictionary, pages, longest, is_probed)

    def of(self, rows: int) -> int:
        """The bytes that the column takes when so many rows are read at a time."""
        return self.fixed + heaviest(self.pages, rows) + rows * self.longest


def _longest(array: Any) -> int:
    import pyarrow.compute  # type: ignore[import-untyped, unused-ignore]  # noqa: PLC0415 - large, and an extra

    return int(pyarrow.compute.max(pyarrow.compute.binary_length(array.dictionary)).as_py() or 0)
