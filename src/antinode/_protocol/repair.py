"""Mending what has one obvious meaning in an event, before the server would object to it."""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Final

import msgspec

from antinode._interruptions import is_interruption
from antinode._patterns import pattern
from antinode._protocol.fields import FIELDS, GROUP_IDENTIFY, ID_FIELDS, PROPERTY_FIELDS, FieldKind
from antinode._protocol.foreign import fields_of
from antinode._protocol.groups import mend_groups, with_types_as_text
from antinode._protocol.ids import as_text, has_lost_digits, is_good_id, is_invalid_id
from antinode._protocol.limits import MAX_GROUP_TYPES, MAX_GROUP_VALUES, MAX_PROPERTIES, MAX_STRING
from antinode._protocol.objections import (
    ESSENTIAL,
    IDENTIFYING,
    Problem,
    fits_64_bits,
    fits_kind,
    label_of,
    remedy_for,
)
from antinode._protocol.remarks import Remark
from antinode._protocol.unknown_keys import note_on
from antinode._protocol.values import Unencodable, count_properties, describe, make_safe, truncate
from antinode._protocol.words import counted


class Repaired(msgspec.Struct, frozen=True):
    """An event after `repair`. What could not be encoded is not in `event`, and `problems` says so."""

    event: dict[str, Any]
    """A new dict of plain JSON values, which shares nothing that could change with the event given."""
    notes: tuple[Remark, ...]
    """What was changed in a way its author should know, one sentence each."""
    problems: tuple[Problem, ...]


def repair(event: Any, min_id_length: int, now_ms: int) -> Repaired:
    """`event` in plain JSON values, with mended what the server would refuse though its meaning is plain.

    Left out: None, NaN, an empty or unusable id when another one is good, what in a field cannot be encoded.
    Converted: numbers to strings where a string belongs and back, `time` to whole milliseconds, values as in
    `make_safe`. Cut: strings over the limit. Arguments as in `examine`. Only a field of which nothing can be
    encoded is a problem here.
    """
    work = _Repair(now_ms)
    try:
        if not isinstance(event, Mapping) and (fields := fields_of(event)) is not None:
            event = dict(fields.items)
        work.read(event)
    except MemoryError:
        raise
    except Exception as error:  # a mapping of the application's own making may raise anything
        if is_interruption(error):
            raise
        work.fail("event", f"the event could not be read ({type(error).__name__}): write a dict")
    work.mend_ids(min_id_length)
    return Repaired(work.event, tuple(work.notes), tuple(work.problems))


_TOO_FINE: Final = pattern(r"(\.\d{6})\d+")
"""Digits of a fraction beyond the microseconds that a datetime has."""


def _milliseconds_of_numpy(text: str) -> Any:
    """The milliseconds of a datetime64's text, in UTC and perhaps with nanoseconds; other text as it is."""
    try:
        moment = datetime.fromisoformat(_TOO_FINE().sub(r"\1", text)).replace(tzinfo=timezone.utc)
    except ValueError:
        return text
    return (moment - _EPOCH) // timedelta(milliseconds=1)


class _Repair:
    """One run of `repair`."""

    def __init__(self, now_ms: int) -> None:
        self.event: dict[str, Any] = {}
        self.notes: list[Remark] = []
        self.problems: list[Problem] = []
        self._now_ms = now_ms

    def fail(self, field: str, message: str) -> None:
        self.problems.append(Problem(field, "invalid", message))

    def note(self, subject: str, text: str) -> None:
        self.notes.append(Remark(text, subject=subject))

    def read(self, event: Any) -> None:
        if not isinstance(event, Mapping):
            self.fail("event", f"an event must be a dict, not {describe(event)}: write {{'event_type': …}}")
            return
        for key, value in list(event.items()):
            if value is None:
                continue
            try:
                field = _name(key)
            except Exception as error:
                if is_interruption(error):
                    raise
                what = f"the event has {describe(key)} as a key"
                remedy = "write strings as keys"
                text, objection = f"{what}, which was left out: {remedy}", f"{what}: {remedy}"
                self.notes.append(Remark(text, subject="event", objection=objection))
                continue
            try:
                self._take(field, value)
            except Unencodable as error:
                self.fail(field, str(error))
            except MemoryError:
                raise
            except Exception as error:  # the methods of a value may raise anything, too
                if is_interruption(error):
                    raise
                self.fail(
                    field,
                    f"`{label_of(field)}` raised {type(error).__name__} while it was read: "
                    "write a plain value",
                )

    def _take(self, field: str, value: Any) -> None:
        if field in self.event:
            raise Unencodable(label_of(field), "is there twice, once as text", "rename one of the two keys")
        kind = FIELDS.get(field)
        label = field if kind else label_of(field)
        if kind is None:
            self.notes.append(note_on(field))
        safe = self._safe(field, kind, label, value)
        if safe is None:
            self.note(label, f"`{label}` was left out: it holds no value (NaN, an infinity, NaT)")
            return
        if field in ID_FIELDS and safe == "":
            return
        if kind is FieldKind.STRING and isinstance(safe, int | float) and not isinstance(safe, bool):
            # As text, an id that has lost digits would look like one that has them all.
            if not (field in IDENTIFYING and has_lost_digits(safe)):
                safe = as_text(safe)
        elif kind in (FieldKind.INTEGER, FieldKind.NUMBER):
            safe = self._as_number(field, kind, safe)
        elif kind is FieldKind.OBJECT and isinstance(safe, str):
            safe = self._decoded(field, safe)
        if kind is FieldKind.OBJECT and isinstance(safe, dict):
            if field == "groups":
                safe = mend_groups(safe, self.notes)
            self._count(field, safe)
        self.event[field] = self._cut(label, safe)

    def _safe(self, field: str, kind: FieldKind | None, label: str, value: Any) -> Any:
        if field == "time":
            safe = self._milliseconds(value)
            self._compare_with_clock(safe)
            return safe
        if kind is FieldKind.NUMBER:
            return _number(field, value)
        if field == "groups" and isinstance(value, Mapping):
            value = with_types_as_text(value, self.notes)
        return make_safe(value, path=label, notes=None if field in ESSENTIAL else self.notes)

    def _decoded(self, field: str, text: str) -> Any:
        """The object that a text holds as JSON, if it holds one."""
        try:
            found = msgspec.json.decode(text) if text.lstrip()[:1] == "{" else None
        except (msgspec.MsgspecError, RecursionError):
            return text
        if not isinstance(found, dict):
            return text
        self.note(field, f"`{field}` was JSON text and was sent as the object in it: write a dict")
        return make_safe(found, path=field, notes=self.notes)

    def _as_number(self, field: str, kind: FieldKind, safe: Any) -> Any:
        if isinstance(safe, str) and field != "time":
            number = _spelt_number(safe)
            if number is not None and fits_kind(kind, number):
                self.note(field, f"`{field}` was text and was sent as a number: {remedy_for(field, kind)}")
                safe = number
        if kind is FieldKind.INTEGER and isinstance(safe, float) and fits_kind(kind, safe):
            return int(safe)
        return safe

    def _milliseconds(self, value: Any) -> Any:
        if isinstance(value, str):
            value = self._spelt_time(value)
        if isinstance(value, datetime):
            if value != value:  # noqa: PLR0124 - pandas.NaT, the missing datetime, differs from itself
                return None
            if value.tzinfo is None:
                self.note(
                    "time",
                    "`time` is a datetime without a time zone and was taken as local time: "
                    "write datetime.now(timezone.utc)",
                )
                value = value.astimezone()
            return int((value - _EPOCH) // timedelta(milliseconds=1))
        if isinstance(value, date):
            return self._milliseconds(self._dated(value))
        safe = make_safe(value, path="time")
        if isinstance(safe, str) and not isinstance(value, str):
            return _milliseconds_of_numpy(safe)
        if isinstance(safe, bool) or not isinstance(safe, int | float):
            return safe
        # Milliseconds of the years 1973 to 5138 lie between 1e11 and 1e14; no other unit of our times does.
        if 0 < safe < 1e11:
            return self._rescaled(safe, round(safe * 1000), "seconds", "int(time.time() * 1000)")
        if 1e14 <= safe < 1e17:
            return self._rescaled(safe, int(safe) // 1000, "microseconds", "microseconds // 1000")
        if 1e17 <= safe < 1e20:
            return self._rescaled(safe, int(safe) // 1_000_000, "nanoseconds", "time.time_ns() // 1_000_000")
        if isinstance(safe, float):
            milliseconds = math.floor(safe)
            if milliseconds != safe:
                self.note("time", f"`time` {safe} was cut to {milliseconds}: write int(time.time() * 1000)")
            return milliseconds if fits_64_bits(milliseconds) else safe
        return safe

    def _spelt_time(self, text: str) -> Any:
        """The number or the moment that a text spells, if it spells one."""
        if text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS:
            moment: Any = int(text)
        elif 10 <= len(text) <= _LONGEST_TIME:
            try:
                # Before 3.11 Python does not know Z.
                moment = datetime.fromisoformat(text[:-1] + "+00:00" if text[-1] in "Zz" else text)
            except ValueError:
                return text
        else:
            return text
        self.note("time", "`time` is text and was sent as a number: write int(time.time() * 1000)")
        return moment

    def _dated(self, day: date) -> datetime:
        self.note("time", "`time` is a date, which was taken as its start: write a datetime with a time zone")
        return datetime(day.year, day.month, day.day).astimezone()

    def _rescaled(self, value: float, milliseconds: int, unit: str, remedy: str) -> int:
        self.note("time", f"`time` {value} was taken as {unit}, {milliseconds} ms: write {remedy}")
        return milliseconds

    def _compare_with_clock(self, milliseconds: Any) -> None:
        ahead = milliseconds - self._now_ms if isinstance(milliseconds, int) else 0
        if ahead > _DAY_MS:
            days = counted(ahead // _DAY_MS, "day")
            self.note("time", f"`time` is {days} ahead of this machine's clock: check it")

    def _count(self, field: str, properties: dict[str, Any]) -> None:
        if field == "groups":
            values = sum(len(names) if isinstance(names, list) else 1 for names in properties.values())
            if len(properties) > MAX_GROUP_TYPES or values > MAX_GROUP_VALUES:
                self.note(
                    "groups",
                    f"`groups` has {counted(len(properties), 'type')} and {counted(values, 'value')}: "
                    f"Amplitude tracks {MAX_GROUP_TYPES} and {MAX_GROUP_VALUES}, and ignores the others",
                )
        elif field in PROPERTY_FIELDS and (count := count_properties(properties)) > MAX_PROPERTIES:
            text = (
                f"`{field}` has {count:,} properties, more than the {MAX_PROPERTIES:,} of Amplitude's SDKs: "
                "write fewer, or several events"
            )
            self.notes.append(Remark(text, subject=field, objection=text, is_change=False))

    def _cut(self, label: str, safe: Any) -> Any:
        kept, cut = truncate(safe, path=label)
        if not cut:
            return kept
        if label == "insert_id" and isinstance(safe, str):
            # Two insert_ids that differ at the end would be equal when cut, and the second event a duplicate.
            self.note(
                "insert_id",
                f"`insert_id` is longer than {MAX_STRING} characters and was replaced by its hash",
            )
            return str(uuid.uuid5(uuid.NAMESPACE_OID, safe))
        more = f" and {len(cut) - 3} more" if len(cut) > 3 else ""
        names = ", ".join(f"`{path}`" for path in cut[:3])
        self.note(label, f"{names}{more} cut to {MAX_STRING} characters, as Amplitude would")
        return kept

    def mend_ids(self, min_id_length: int) -> None:
        ids = {field: self.event[field] for field in ID_FIELDS if isinstance(self.event.get(field), str)}
        bad = [field for field, value in ids.items() if not is_good_id(value, min_id_length)]
        if len(bad) == len(ids) and self.event.get("event_type") != GROUP_IDENTIFY:
            return
        for field in bad:
            value = self.event.pop(field)
            why = (
                "is a placeholder"
                if is_invalid_id(value)
                else f"is shorter than {counted(min_id_length, 'character')}"
            )
            text = f"`{field}` {value!r:.60} {why} and was left out: Amplitude would refuse the event"
            self.note(field, text)


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_DAY_MS: Final = 86_400_000


_MAX_DIGITS: Final = 19
_LONGEST_TIME: Final = 40
_NUMBER: Final = pattern(r"[+-]?[0-9]{1,18}(\.[0-9]{1,18})?")


def _spelt_number(text: str) -> int | float | None:
    if not _NUMBER().fullmatch(text):
        return None
    return float(text) if "." in text else int(text)


def _number(field: str, value: Any) -> Any:
    """A Decimal becomes the nearest float here: an amount of money as a string would be refused."""
    if isinstance(value, Decimal) and Decimal.is_finite(value):
        value = float(value)
    return make_safe(value, path=field)


def _name(key: Any) -> str:
    if type(key) is str and key.isascii():
        return key
    (name,) = make_safe({key: None}, path="event")
    return str(name)
