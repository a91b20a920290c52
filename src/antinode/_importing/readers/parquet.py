"""Parquet, read with pyarrow a few rows at a time, and of wide files some columns after the others."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from antinode._importing.chunks import CHUNK_ROWS, MAX_ROW, Chunk, Chunks, nothing_yet
from antinode._importing.errors import Damaged, NotInstalled, NotReadable
from antinode._importing.readers.arrow_values import rows_of
from antinode._importing.readers.parquet_layout import Pass, RowGroupLayout
from antinode._importing.readers.row_parts import TOO_LONG, RowParts

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from antinode._importing.sources import Source

_MAX_FOOTER_BYTES: Final = 4 * 1024 * 1024
_BUFFER: Final = 64 * 1024
_VALUE: Final = 8
_PART: Final = 256 * 1024
_SPANS: Final = 10
"""Times as many rows are read in turn as before, so that a tenth of them is unpacked twice."""


class Parquet:
    """A Parquet file. Its values become JSON's: a timestamp is written in ISO 8601, a decimal is a number
    (text where a number would lose digits), a map is an object."""

    def __init__(self, source: Source, used: Collection[str] | None = None) -> None:
        """Only the columns in `used` are read; without it, all."""
        self.position = 0
        self._source = source
        self._used = used

    def chunks(self) -> Chunks:
        """All rows, numbered from 1. Raises `NotInstalled` without pyarrow and `NotReadable` for damage."""
        # Arrow's own allocator keeps tens of megabytes that it has freed. It is chosen at the first import.
        os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
        try:
            import pyarrow  # type: ignore[import-untyped]  # noqa: PLC0415 - large, and an extra
            import pyarrow.parquet  # type: ignore[import-untyped]  # noqa: PLC0415
        except ImportError:
            raise NotInstalled("Parquet", "pyarrow") from None
        source = self._source
        if source.path is None or source.member is not None:
            raise NotReadable(f"{source.name}: Parquet can be read from a file only: save it as one")
        try:
            _check_footer(source.path)
            metadata = pyarrow.parquet.read_metadata(source.path)
            layout = RowGroupLayout(metadata, self._chosen(metadata))
            with ExitStack() as stack:
                pages = stack.enter_context(open(source.path, "rb"))
                file, probe = (
                    stack.enter_context(
                        pyarrow.parquet.ParquetFile(
                            source.path,
                            metadata=metadata,
                            read_dictionary=texts,
                            buffer_size=_BUFFER,
                            pre_buffer=False,
                            coerce_int96_timestamp_unit="us",
                        )
                    )
                    for texts in (layout.nested_texts, layout.texts)
                )
                yield from self._rows(file, probe, layout, pages)
        except NotReadable as error:
            raise type(error)(f"{source.name}: {error}") from None
        except (pyarrow.ArrowException, OSError) as error:
            raise Damaged(f"{source.name} is no Parquet file that can be read: {error}") from None

    def _chosen(self, metadata: Any) -> list[str] | None:
        names: list[str] = metadata.schema.to_arrow_schema().names
        if self._used is None or any("." in name for name in names):
            return None  # a dotted name would be taken for a part of a column
        return [name for name in names if name in self._used] or None

    def _rows(self, file: Any, probe: Any, layout: RowGroupLayout, pages: BinaryIO) -> Chunks:
        first, total = 1, max(1, file.metadata.num_rows)
        for group in range(file.num_row_groups):
            passes = layout.passes(group, pages, probe)
            read = _in_turn(file, group, passes, first) if len(passes) > 1 else None
            for chunk in read or _read(file, group, passes, first):
                yield chunk
                first += len(chunk.texts)
                self.position = self._source.size * (first - 1) // total


def _check_footer(path: Path) -> None:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 8))
        length = int.from_bytes(file.read(4), "little")
    if _MAX_FOOTER_BYTES < length < size:
        raise NotReadable(
            f"its list of row groups is longer than {_MAX_FOOTER_BYTES >> 20} MiB: write larger groups"
        )


def _in_turn(file: Any, group: int, passes: list[Pass], first: int) -> Chunks:
    """The rows of a group whose columns together take too much memory.

    Whoever wants only the first rows does not wait for all of them: ever more are read together, and those
    before are unpacked once more for it.
    """
    start, end, total = 0, CHUNK_ROWS, file.metadata.row_group(group).num_rows
    while start < total:
        with ExitStack() as stack:
            parts = RowParts(stack)
            for each in passes:
                for _ in parts.write(_read(file, group, [each], first, start, end)):
                    yield nothing_yet(first + start)
            yield from parts.rows(first + start)
        start, end = end, end * _SPANS


def _read(
    file: Any, group: int, passes: list[Pass], first: int, start: int = 0, end: int | None = None
) -> Chunks:
    """The rows of a group from `start` up to `end`, of which the group's first is number `first`."""
    for each in passes:
        at = 0
        for batch in file.iter_batches(
            batch_size=each.rows, row_groups=[group], columns=each.columns, use_threads=False
        ):
            skipped = max(0, start - at)
            at += batch.num_rows
            left = batch.num_rows if end is None else batch.num_rows - max(0, at - end)
            if skipped < left:
                row = first + at - batch.num_rows + skipped
                for part in _parts(batch.slice(skipped, left - skipped)):
                    chunk = _chunk(part, row)
                    yield chunk
                    row += len(chunk.texts)
            if end is not None and at >= end:
                break


def _parts(batch: Any) -> Iterator[Any]:
    """A batch in parts of about a mebibyte of JSON each, or of one row."""
    if batch.num_rows <= 1 or sum(map(_weight, batch.columns)) <= _PART:
        yield batch
        return
    half = batch.num_rows // 2
    yield from _parts(batch.slice(0, half))
    yield from _parts(batch.slice(half))


def _weight(array: Any) -> int:
    """Bytes of an array's values, as often as they occur."""
    import pyarrow  # type: ignore[import-untyped, unused-ignore]  # noqa: PLC0415 - large, and an extra
    import pyarrow.compute  # type: ignore[import-untyped, unused-ignore]  # noqa: PLC0415

    types, kind = pyarrow.types, array.type
    own = _VALUE * len(array)
    if types.is_dictionary(kind):
        lengths = pyarrow.compute.binary_length(array.dictionary)
        return own + int(pyarrow.compute.sum(lengths.take(array.indices)).as_py() or 0)
    if types.is_struct(kind):
        return own + sum(map(_weight, array.flatten()))
    if types.is_map(kind):
        start, end = array.offsets[0].as_py(), array.offsets[-1].as_py()
        return own + sum(_weight(each.slice(start, end - start)) for each in (array.keys, array.items))
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return own + _weight(array.flatten())
    return own + int(array.nbytes)


def _chunk(batch: Any, first: int) -> Chunk:
    """The rows of a part; those of which a value cannot be had are problems."""
    if batch.num_rows == 1 and sum(map(_weight, batch.columns)) > MAX_ROW:
        return Chunk(first, [b"{}"], {0: TOO_LONG})
    try:
        return Chunk(first, rows_of(batch))
    except (ValueError, OverflowError, TypeError, RecursionError) as error:
        if batch.num_rows == 1:
            return Chunk(first, [b"{}"], {0: f"a value of the row cannot be read: {error}"})
    texts: list[bytes] = []
    problems: dict[int, str] = {}
    for at in range(batch.num_rows):
        row = _chunk(batch.slice(at, 1), first + at)
        texts += row.texts
        if row.problems:
            problems[at] = row.problems[0]
    return Chunk(first, texts, problems)
