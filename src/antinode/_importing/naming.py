"""Which files of a directory, or of an archive, hold events: by their names, and where these say nothing, by
how the files begin."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import Final

from antinode._importing.foreign import called

_PACKED: Final = frozenset({".gz", ".gzip", ".zst", ".zstd", ".bz2", ".xz"})
_KNOWN: Final = frozenset(
    {".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".tab", ".parquet", ".pq", ".zip", *_PACKED}
)
"""A file that is named itself may be called anything."""
# Names as Hadoop, Spark and Hive give them, and exports that number their files.
_PART: Final = re.compile(r"part-[a-z0-9]|[0-9]{6}_[0-9]", re.IGNORECASE)
_STARTS: Final = (b"{", b"[", b"PAR1", b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ\0", b"PK\x03\x04")
_DELIMITERS: Final = (b"\t", b",", b";", b"|")
BEGINNING: Final = 4096
"""Bytes that show what a file is."""
_MOST_NAMED: Final = 10


def is_hidden(name: str) -> bool:
    """Whether a file, or a directory that it is in, is one that systems keep for themselves."""
    return any(part.startswith((".", "__MACOSX", "_")) for part in PurePath(name).parts)


def holds_events(name: str, begin: Callable[[], bytes]) -> bool:
    """Whether a file is read though nobody has named it; `begin` gives its first bytes."""
    path = PurePath(name)
    suffix = path.suffix.lower()
    if suffix in _KNOWN:
        return True
    if suffix not in ("", ".txt") and not _PART.match(path.name):
        return False
    start = begin().removeprefix(b"\xef\xbb\xbf").lstrip()
    return start.startswith(_STARTS) or _is_table(start)


def _is_table(start: bytes) -> bool:
    """Whether the first two lines have the same number of cells."""
    first, _, rest = start.partition(b"\n")
    second = rest.partition(b"\n")[0]
    return any(first.count(each) == second.count(each) > 0 for each in _DELIMITERS)


def passed_over(place: str, names: Sequence[str]) -> str:
    """What to tell of the files that were not read."""
    hidden = [each for each in names if is_hidden(each)]
    told = [each for each in names if not is_hidden(each)]
    shown = [f"{each} ({what})" if (what := called(each)) else each for each in (*told, *hidden)]
    more = f" and {len(shown) - _MOST_NAMED:,} more" if len(shown) > _MOST_NAMED else ""
    noun = "1 file" if len(names) == 1 else f"{len(names):,} files"
    which = "which is hidden or not called" if len(names) == 1 else "hidden or not called"
    return (
        f"{place}: passed over {noun}, {which} as events are: {', '.join(shown[:_MOST_NAMED])}{more}. "
        "Name a file to have it read."
    )
