"""Parquet, read with pyarrow a few rows at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from antinode._importing.chunks import CHUNK_ROWS, Chunk, Chunks
from antinode._importing.errors import Damaged, NotInstalled, NotReadable
from antinode._importing.readers.arrow_values import rows_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from antinode._importing.sources import Source


class Parquet:
    """A Parquet file. Its values become JSON's: a timestamp is written in ISO 8601, a decimal is a number
    (text where a number would lose digits), a map is an object."""

    def __init__(self, source: Source, used: Collection[str] | None = None) -> None:
        """Only the columns in `used` are read, or else all."""
        self.position = 0
        self._source = source
        self._used = used

    def chunks(self) -> Chunks:
        """All rows, numbered from 1. Raises `NotInstalled` without pyarrow and `NotReadable` for damage."""
        try:
            import pyarrow  # type: ignore[import-untyped]  # noqa: PLC0415 - large, and an extra
            import pyarrow.parquet  # type: ignore[import-untyped]  # noqa: PLC0415
        except ImportError:
            raise NotInstalled("Parquet", "pyarrow") from None
        source = self._source
        if source.path is None or source.member is not None:
            raise NotReadable(f"{source.name}: Parquet can be read from a file only: save it as one")
        first = 1
        try:
            with pyarrow.parquet.ParquetFile(source.path, coerce_int96_timestamp_unit="us") as file:
                total = max(1, file.metadata.num_rows)
                for batch in file.iter_batches(batch_size=CHUNK_ROWS, columns=self._chosen(file)):
                    texts = rows_of(batch)
                    yield Chunk(first, texts)
                    first += len(texts)
                    self.position = source.size * (first - 1) // total
        except (pyarrow.ArrowException, OSError) as error:
            raise Damaged(f"{source.name} is no Parquet file that can be read: {error}") from None

    def _chosen(self, file: Any) -> list[str] | None:
        names: list[str] = file.schema_arrow.names
        if self._used is None or any("." in name for name in names):
            return None  # a dotted name would be taken for a part of a column
        return [name for name in names if name in self._used] or None
