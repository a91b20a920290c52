"""Times as files write them, in milliseconds since 1970.

A number says by its size which unit it has, since no two units give a date of our times for the same number;
one of 8, 12, 14 or 17 digits that spells a date is that date.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any, Final

from antinode._importing.errors import BadMapping

Convert = Callable[[Any], int]
"""Raises ValueError with the reason for what is no time."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MILLISECOND: Final = timedelta(milliseconds=1)
_UNITS: Final = {"s": 1000.0, "ms": 1.0, "us": 1e-3, "ns": 1e-6}
_EXCEL: Final = "excel"
TIME_FORMATS: Final = ("auto", "iso", *_UNITS, _EXCEL)

_LATEST_MS: Final = 100_000_000_000_000
"""The year 5138. What lies behind it, or as far before 1970, stands for no time, as 9999-12-31 does."""
_DIGITS: Final = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S", 17: "%Y%m%d%H%M%S%f"}
"""How a date is written in so many digits. In ten, it could be seconds."""
_OLDEST_YEAR, _NEWEST_YEAR = 1900, 2199
# Days since 1899-12-30, from 1927 to 2173. As seconds they would be some hours of the first days of 1970.
_SERIALS: Final = range(10_000, 100_000)
_FIRST_DAY_OF_EXCEL: Final = datetime(1899, 12, 30)

_NUMBER: Final = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?")
# ISO 8601 in the forms that Python before 3.11 does not parse.
_ISO: Final = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)(?:[T ](\d\d):?(\d\d)(?::?(\d\d)(?:[.,](\d+))?)?)?"
    r"\s?(Z|UTC|[-+]\d\d(?::?\d\d)?)?",
    re.IGNORECASE,
)


def time_reader(format: str = "auto", zone: str = "UTC") -> Convert:
    """How a time is read: epoch `s`, `ms`, `us` or `ns`, `iso`, `excel`, a pattern of `strptime`, or `auto`.

    `auto` takes numbers by their size and their digits, and text as ISO 8601; `excel` counts days as
    spreadsheets do. `zone` holds for times that name none. Raises `BadMapping` for what is no format or zone.
    """
    read = _reader(format, _zone(zone))

    def convert(value: Any) -> int:
        milliseconds = read(value)
        if -_LATEST_MS < milliseconds < _LATEST_MS:
            return milliseconds
        raise ValueError(f"{value!r:.60} is too far from today to be when something happened")

    return convert


def _reader(format: str, place: tzinfo) -> Convert:
    if format in _UNITS:
        factor = _UNITS[format]
        return lambda value: _scaled(value, factor)
    if format == "iso":
        return lambda value: _from_text(value, place)
    if format == _EXCEL:
        return lambda value: _from_serial(value, place)
    if "%" in format:
        return lambda value: _by_pattern(value, format, place)
    if format != "auto":
        raise BadMapping(
            f"there is no time format {format!r:.60}: write {', '.join(TIME_FORMATS)}, "
            "or a pattern such as %d/%m/%Y %H:%M"
        )

    def convert(value: Any) -> int:
        if type(value) is str and not _NUMBER.fullmatch(value):
            return _from_text(value, place)
        return _by_size(value, place)

    return convert


def _zone(name: str) -> tzinfo:
    if name.upper() in {"UTC", "Z"}:
        return timezone.utc
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - only for times without a zone

    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        raise BadMapping(
            f"there is no time zone {name!r:.60}: write a name such as Europe/Berlin, or UTC"
        ) from None


def _numeric(value: Any) -> float:
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return float(value) if "." in value else int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r:.60} is no number")
    return value


def _scaled(value: Any, factor: float) -> int:
    number = _numeric(value)
    if isinstance(number, int) and factor < 1:
        return number // round(1 / factor)
    return round(number * factor)


def _by_size(value: Any, zone: tzinfo) -> int:
    number = _numeric(value)
    size = abs(number)
    if number == (whole := int(number)):
        number = whole
        moment = _spelt(str(whole))
        if moment is not None:
            return _milliseconds(moment, zone)
    if _SERIALS.start <= size < _SERIALS.stop:
        raise ValueError(
            f"{value!r:.60} is taken for a date of a spreadsheet: write --time-format excel, or s for seconds"
        )
    unit = "s" if size < 1e11 else "ms" if size < 1e14 else "us" if size < 1e17 else "ns"
    return _scaled(number, _UNITS[unit])


def _spelt(digits: str) -> datetime | None:
    pattern = _DIGITS.get(len(digits))
    if pattern is None:
        return None
    try:
        moment = datetime.strptime(digits, pattern)
    except ValueError:
        return None
    return moment if _OLDEST_YEAR <= moment.year <= _NEWEST_YEAR else None


def _from_serial(value: Any, zone: tzinfo) -> int:
    days = _numeric(value)
    try:
        moment = _FIRST_DAY_OF_EXCEL + timedelta(milliseconds=round(days * 86_400_000))
    except OverflowError:
        raise ValueError(f"day {value!r:.60} is no date of a spreadsheet") from None
    return _milliseconds(moment, zone)


def _from_text(value: Any, zone: tzinfo) -> int:
    try:
        moment = datetime.fromisoformat(value)
    except (ValueError, TypeError):
        moment = _taken_apart(value)
    return _milliseconds(moment, zone)


def _taken_apart(value: Any) -> datetime:
    match = _ISO.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(
            f"{value!r:.60} is no ISO 8601 time, such as 2026-11-04T18:46:10Z: "
            "write --time-format with a pattern, such as '%d/%m/%Y %H:%M'"
        )
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    try:
        moment = datetime(
            int(year),
            int(month),
            int(day),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            int((fraction or "0")[:6].ljust(6, "0")),
        )
        return moment if offset is None else moment.replace(tzinfo=_offset(offset))
    except ValueError as error:
        raise ValueError(f"{value!r:.60} is no time: {error}") from None


def _offset(text: str) -> timezone:
    if text.upper() in {"Z", "UTC"}:
        return timezone.utc
    digits = text[1:].replace(":", "")
    minutes = int(digits[:2]) * 60 + int(digits[2:] or 0)
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


def _by_pattern(value: Any, pattern: str, zone: tzinfo) -> int:
    try:
        moment = datetime.strptime(str(value), pattern)
    except ValueError:
        raise ValueError(f"{value!r:.60} is not written as {pattern}") from None
    return _milliseconds(moment, zone)


def _milliseconds(moment: datetime, zone: tzinfo) -> int:
    try:
        aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)
        return (aware - _EPOCH) // _MILLISECOND
    except OverflowError as error:
        raise ValueError(f"{moment} is no time: {error}") from None
