"""Times as files write them, in milliseconds since 1970."""

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
TIME_FORMATS: Final = ("auto", "iso", *_UNITS)

_NUMBER: Final = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?")
# What Python before 3.11 does not take apart by itself.
_ISO: Final = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)(?:[T ](\d\d):?(\d\d)(?::?(\d\d)(?:[.,](\d+))?)?)?"
    r"\s?(Z|UTC|[-+]\d\d(?::?\d\d)?)?",
    re.IGNORECASE,
)


def time_reader(format: str = "auto", zone: str = "UTC") -> Convert:
    """How a time is read: epoch `s`, `ms`, `us` or `ns`, `iso`, a pattern as `strptime` has it, or `auto`.

    `auto` takes numbers by their size (no two units give a date of our times for the same number) and text
    as ISO 8601. `zone` holds for times that name none. Raises `BadMapping` for what is no format or zone.
    """
    place = _zone(zone)
    if format in _UNITS:
        factor = _UNITS[format]
        return lambda value: _scaled(value, factor)
    if format == "iso":
        return lambda value: _from_text(value, place)
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
        return _by_size(value)

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


def _by_size(value: Any) -> int:
    number = _numeric(value)
    size = abs(number)
    unit = "s" if size < 1e11 else "ms" if size < 1e14 else "us" if size < 1e17 else "ns"
    return _scaled(number, _UNITS[unit])


def _from_text(value: Any, zone: tzinfo) -> int:
    try:
        moment = datetime.fromisoformat(value)
    except (ValueError, TypeError):
        moment = _taken_apart(value)
    return _milliseconds(moment, zone)


def _taken_apart(value: Any) -> datetime:
    match = _ISO.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{value!r:.60} is no ISO 8601 time, such as 2026-11-04T18:46:10Z")
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
        raise ValueError(f"{moment} is no time of this world: {error}") from None
