"""What the pages of a Parquet file unpack to, by their headers: known before any of them is unpacked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import BinaryIO, Final, NamedTuple

from antinode._importing.errors import Damaged

# Statistics in a header hold the least and the greatest value, which may be long texts.
_MAX_HEADER_BYTES: Final = 1024 * 1024
_FIRST_READ: Final = 256
_MAX_PAGES: Final = 100_000
_DICTIONARY: Final = 2
_BY_DICTIONARY: Final = (2, 8)
# Thrift's compact protocol: the kinds of values that are read or passed over.
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
_MAX_NESTING: Final = 10


class Page(NamedTuple):
    """One page of a column."""

    size: int
    """Bytes when unpacked."""
    values: int
    is_dictionary: bool
    refers: bool = False
    """Whether its values are places in the dictionary."""


def read_pages(file: BinaryIO, start: int, end: int) -> Iterator[Page]:
    """The pages between two places of a file. Raises `Damaged` for what are no headers of pages."""
    for _ in range(_MAX_PAGES):
        if start >= end:
            return
        fields, length = _header(file, start, end)
        values = next((fields[kind, 1] for kind in (5, 7, 8) if (kind, 1) in fields), 0)
        size, packed = fields.get((0, 2), -1), fields.get((0, 3), -1)
        if size < 0 or packed < 0 or values < 0:
            raise Damaged("a page of it has no size")
        encoding = fields.get((5, 2), fields.get((8, 4)))
        yield Page(size, values, fields.get((0, 1)) == _DICTIONARY, encoding in _BY_DICTIONARY)
        start += length + packed
    raise Damaged(f"a column of it has more than {_MAX_PAGES:,} pages")


def heaviest(pages: Sequence[Page], values: int) -> int:
    """The largest total size of the pages in which this many consecutive values can lie."""
    most = size = between = first = 0
    for last, page in enumerate(pages):
        size += page.size
        if last - first > 1:
            between += pages[last - 1].values
        # One value at least is in each of the outer pages.
        while first < last and between + 2 > values:
            size -= pages[first].size
            first += 1
            between -= pages[first].values if first < last else 0
        most = max(most, size)
    return most


def _header(file: BinaryIO, start: int, end: int) -> tuple[dict[tuple[int, int], int], int]:
    wanted = _FIRST_READ
    while True:
        file.seek(start)
        data = file.read(min(wanted, end - start))
        try:
            fields: dict[tuple[int, int], int] = {}
            return fields, _struct(data, 0, fields, 0, 0)
        except IndexError:
            if len(data) < wanted or wanted >= _MAX_HEADER_BYTES:
                raise Damaged("the header of a page of it cannot be read") from None
            wanted *= 16


def _struct(data: bytes, at: int, found: dict[tuple[int, int], int], of: int, nesting: int) -> int:
    """Put a struct's integers into `found`, by the struct's field and their own; return where it ends."""
    if nesting > _MAX_NESTING:
        raise Damaged("the header of a page of it is nested too deep")
    number = 0
    while (head := data[at]) != 0:
        at += 1
        kind = head & 15
        if head >> 4:
            number += head >> 4
        else:
            number, at = _integer(data, at)
        if kind in (_I16, _I32, _I64):
            value, at = _integer(data, at)
            if nesting < 2:
                found[of, number] = value
        elif kind == _STRUCT:
            at = _struct(data, at, found if nesting == 0 else {}, number, nesting + 1)
        else:
            at = _passed(data, at, kind)
    return at + 1


def _passed(data: bytes, at: int, kind: int) -> int:
    """Where a value ends that is passed over, since its field does not matter."""
    if kind in (_TRUE, _FALSE):
        return at
    if kind == _BYTE:
        return at + 1
    if kind == _DOUBLE:
        return at + 8
    if kind == _BINARY:
        length, at = _varint(data, at)
        if at + length > len(data):
            raise IndexError
        return at + length
    raise Damaged("the header of a page of it holds what none has")


def _integer(data: bytes, at: int) -> tuple[int, int]:
    value, at = _varint(data, at)
    return (value >> 1) ^ -(value & 1), at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
    raise Damaged("a number in the header of a page of it never ends")
