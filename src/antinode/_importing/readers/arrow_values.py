"""Values of Arrow as JSON has them: each of them, also those that Python's own types do not hold."""

from __future__ import annotations

import base64
import datetime
import warnings
from decimal import Decimal
from typing import Any, Final

import orjson

from antinode._protocol import exact

_EPOCH: Final = datetime.datetime(1970, 1, 1)
_A_SECOND: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_ONE_DAY: Final = 86_400
# The period after which the proleptic Gregorian calendar repeats itself.
_YEARS, _SECONDS = 400, 146_097 * _ONE_DAY
_EXACT_FLOATS: Final = 2**53


def rows_of(batch: Any) -> list[bytes]:
    """Each row of a record batch as a JSON object."""
    names = batch.schema.names
    columns = [_values(column) for column in batch.columns]
    return [_text(dict(zip(names, values, strict=True))) for values in zip(*columns, strict=True)]


def _text(row: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(row, default=_plain)
    except TypeError:
        # A whole number beyond 64 bits, or a map whose keys are no text.
        return exact.dumps(_converted(row))


def _converted(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _converted(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_converted(each) for each in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return _plain(value)


def _values(column: Any) -> list[Any]:
    """The values of a column; maps are dicts, and of nanoseconds the last three digits are cut off."""
    plain = _without_nanoseconds(column)
    try:
        with warnings.catch_warnings():
            # Of a key that a map holds twice, the last one counts.
            warnings.simplefilter("ignore", UserWarning)
            found: list[Any] = plain.to_pylist(maps_as_pydicts="lossy")
    except (ValueError, OverflowError, ArithmeticError, TypeError, KeyError):
        # A moment that Python has no value for, a zone that this machine does not know.
        return [_value(each) for each in plain]
    return found


def _without_nanoseconds(column: Any) -> Any:
    import pyarrow  # type: ignore[import-untyped]  # noqa: PLC0415 - large, and an extra

    wanted = _in_microseconds(column.type)
    if wanted == column.type:
        return column
    try:
        return column.cast(wanted, safe=False)
    except (pyarrow.ArrowException, ValueError):
        return column


def _in_microseconds(kind: Any) -> Any:
    """The type without nanoseconds anywhere in it."""
    import pyarrow  # noqa: PLC0415 - as above

    types = pyarrow.types
    if types.is_timestamp(kind) and kind.unit == "ns":
        return pyarrow.timestamp("us", kind.tz)
    if types.is_time64(kind) and kind.unit == "ns":
        return pyarrow.time64("us")
    if types.is_duration(kind) and kind.unit == "ns":
        return pyarrow.duration("us")
    if types.is_dictionary(kind):
        inner = _in_microseconds(kind.value_type)
        return kind if inner == kind.value_type else inner
    if types.is_struct(kind):
        return pyarrow.struct([each.with_type(_in_microseconds(each.type)) for each in kind])
    if types.is_map(kind):
        return pyarrow.map_(_in_microseconds(kind.key_type), _in_microseconds(kind.item_type))
    if types.is_list(kind):
        return pyarrow.list_(kind.value_field.with_type(_in_microseconds(kind.value_type)))
    if types.is_large_list(kind):
        return pyarrow.large_list(kind.value_field.with_type(_in_microseconds(kind.value_type)))
    return kind


def _value(scalar: Any) -> Any:
    """One value in JSON's terms, where pyarrow cannot convert the column."""
    import pyarrow  # noqa: PLC0415 - as above

    types, kind = pyarrow.types, scalar.type
    if not scalar.is_valid:
        return None
    if types.is_struct(kind):
        return {name: _value(each) for name, each in scalar.items()}
    if types.is_map(kind):
        keys, values = scalar.values.field(0), scalar.values.field(1)
        return {str(_value(keys[at])): _value(values[at]) for at in range(len(keys))}
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return [_value(each) for each in scalar.values]
    if types.is_timestamp(kind):
        return _moment(scalar.value, _A_SECOND[kind.unit], is_aware=kind.tz is not None)
    if types.is_date32(kind):
        return _moment(scalar.value * _ONE_DAY, 1, is_aware=False)[:-9]
    if types.is_date64(kind):
        return _moment(scalar.value, 1_000, is_aware=False)
    try:
        return scalar.as_py()
    except (ValueError, OverflowError, ArithmeticError, TypeError):
        return str(getattr(scalar, "value", scalar))


def _moment(ticks: int, a_second: int, *, is_aware: bool) -> str:
    """A moment of any year in ISO 8601, where years beyond 9999 have a sign and more digits."""
    seconds, rest = divmod(ticks, a_second)
    cycles, seconds = divmod(seconds, _SECONDS)
    moment = _EPOCH + datetime.timedelta(seconds=seconds, microseconds=rest * 1_000_000 // a_second)
    year = moment.year + cycles * _YEARS
    if 1 <= year <= 9999:
        written = moment.replace(year=year).isoformat()
    else:
        written = f"{year:+06}{moment.isoformat()[4:]}"
    return f"{written}+00:00" if is_aware else written


def _plain(value: Any) -> Any:
    """`value` as JSON can hold it."""
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return base64.b64encode(value).decode()
    return str(value)


def _number(value: Decimal) -> int | float | str | None:
    """A decimal with all of its digits: as text where neither a whole number nor a float has them."""
    if not value.is_finite():
        return None
    near = float(value)
    if abs(near) < _EXACT_FLOATS and Decimal(repr(near)) == value:
        return near
    if value == value.to_integral_value():
        return int(value)
    return str(value)
