"""Which format a source has: by what it holds, and where that leaves a doubt, by its name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Final, Literal, get_args

from antinode._importing.chunks import Chunks, divided
from antinode._importing.errors import NotReadable
from antinode._importing.foreign import foreign
from antinode._importing.readers.decompression import Stream
from antinode._importing.readers.delimited import read_table
from antinode._importing.readers.json_array import read_array
from antinode._importing.readers.json_stream import is_body, is_spread_out, read_objects
from antinode._importing.readers.jsonl import read_lines

if TYPE_CHECKING:
    from antinode._importing.sources import Source

Format = Literal["jsonl", "json", "csv", "tsv", "parquet"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)

_PARQUET: Final = b"PAR1"
_MAX_BLANK: Final = 1024 * 1024
# Bytes that are enough to tell a format.
_SURE: Final = 4096
_BY_SUFFIX: Final[dict[str, Format]] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}


class SourceReading:
    """One source being read: its rows, and how far it is through the source's bytes."""

    def __init__(
        self,
        source: Source,
        format: Format | None = None,
        columns: Sequence[str] | None = None,
        encoding: str | None = None,
        used: Collection[str] | None = None,
    ) -> None:
        """Where a format has its columns apart, only those in `used` are read."""
        self._source = source
        self._format = format
        self._columns = columns
        self._encoding = encoding
        self._used = used
        self._stream: Stream | None = None
        self._position: Callable[[], int] = lambda: 0
        self.rows = 0
        """The number of the last row that was read."""

    @property
    def position(self) -> int:
        """Bytes of the source that were read."""
        return self._position()

    def chunks(self) -> Chunks:
        """All rows. Raises `NotReadable` and `NotInstalled`."""
        for read in self._chunks():
            for chunk in divided(read):
                if chunk.texts:
                    self.rows = chunk.last
                yield chunk

    def _chunks(self) -> Chunks:
        if self._format == "parquet" or (self._format is None and _is_parquet(self._source)):
            from antinode._importing.readers.parquet import Parquet  # noqa: PLC0415 - its library is large

            parquet = Parquet(self._source, self._used)
            self._position = lambda: parquet.position
            yield from parquet.chunks()
            return
        stream = self._stream = Stream(self._source, self._encoding)
        self._position = lambda: stream.taken
        try:
            yield from self._rows(iter(stream))
        finally:
            stream.close()

    def _rows(self, blocks: Iterator[bytes]) -> Chunks:
        start = b""
        for block in blocks:
            start += block
            # White space alone tells nothing, and there is an end to looking behind it.
            text = start.lstrip()
            if text and (b"\n" in text or len(text) > _SURE or text[:1] == b"["):
                break
            if len(start) > _MAX_BLANK:
                break
        else:
            if not start.strip():
                return

        def whole() -> Iterator[bytes]:
            yield start
            yield from blocks

        format = self._format or detect(self._source.name, start)
        if format in ("jsonl", "json") and (is_body(start) or is_spread_out(start)):
            yield from read_objects(whole())
        elif format == "jsonl":
            yield from read_lines(whole())
        elif format == "json":
            yield from read_array(whole())
        else:
            delimiter = "\t" if format == "tsv" else None
            try:
                yield from read_table(whole(), delimiter=delimiter, columns=self._columns)
            except NotReadable as error:
                raise NotReadable(f"{self._source.name}: {error}") from None


def detect(name: str, start: bytes) -> Format:
    """The format of text that begins with `start`. Raises `NotReadable` if nothing tells it."""
    text = start.lstrip()
    if text.startswith(b"[") and (text[1:2] in b"{] \r\n\t" or not text[1:]):
        return "json"
    if text.startswith(b"{"):
        return "jsonl"
    if text.startswith(_PARQUET):
        raise NotReadable(f"{name}: Parquet can be read from a file only: save it as one")
    what = foreign(start)
    if what is not None:
        raise NotReadable(f"{name} is {what}")
    if b"\0" in text[:1000]:
        raise NotReadable(f"{name} is not text: name its --format, if it is one of {', '.join(FORMATS)}")
    named = _by_name(name)
    if named is not None:
        return named
    header = text.partition(b"\n")[0]
    if b"\t" in header:
        return "tsv"
    if b"," in header or b";" in header:
        return "csv"
    raise NotReadable(f"the format of {name} cannot be told: write --format {'|'.join(FORMATS)}")


def _by_name(name: str) -> Format | None:
    for suffix in reversed(PurePath(name).suffixes):
        found = _BY_SUFFIX.get(suffix.lower())
        if found is not None:
            return found
    return None


def _is_parquet(source: Source) -> bool:
    if source.path is None or source.member is not None:
        return False
    with open(source.path, "rb") as file:
        return file.read(4) == _PARQUET
