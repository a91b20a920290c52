"""One event against the API's rules: what Amplitude would object to, and what can be mended before it does.

`problems` judges an event as the server would; `repair` mends what has one obvious meaning; `examine` does
both. None of them changes the event it is given.
"""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Mapping
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Final, Literal

import msgspec

from antinode._interruptions import is_interruption
from antinode._protocol.fields import (
    FIELDS,
    GROUP_IDENTIFY,
    ID_FIELDS,
    PROPERTY_FIELDS,
    RESERVED_EVENT_TYPES,
    FieldKind,
)
from antinode._protocol.foreign import fields_of
from antinode._protocol.groups import mend_groups, with_types_as_text
from antinode._protocol.ids import as_text, has_lost_digits, is_good_id, is_invalid_id
from antinode._protocol.limits import (
    DEFAULT_MIN_ID_LENGTH,
    MAX_DEPTH,
    MAX_GROUP_TYPES,
    MAX_GROUP_VALUES,
    MAX_PROPERTIES,
    MAX_STRING,
)
from antinode._protocol.remarks import Remark
from antinode._protocol.unknown_keys import meant_key, note_on
from antinode._protocol.values import Unencodable, count_properties, depth, describe, make_safe, truncate
from antinode._protocol.words import counted

ProblemKind = Literal["missing", "invalid", "id_length"]
"""Which of the server's maps would name the event: missing fields, invalid fields, or id lengths."""


class Problem(msgspec.Struct, frozen=True):
    """Why Amplitude would refuse an event, or why it cannot be sent. `str()` gives the message."""

    field: str
    """The event's key; `event` if the event as a whole is at fault."""
    kind: ProblemKind
    message: str
    """What is wrong, with which value, and what to write instead."""

    def __str__(self) -> str:
        return self.message


class Repaired(msgspec.Struct, frozen=True):
    """An event after `repair`. What could not be encoded is not in `event`, and `problems` says so."""

    event: dict[str, Any]
    """A new dict of plain JSON values, which shares nothing that could change with the event given."""
    notes: tuple[Remark, ...]
    """What was changed in a way its author should know, one sentence each."""
    problems: tuple[Problem, ...]


class Examined(msgspec.Struct, frozen=True):
    """An event after `repair` and `problems`. It may be sent if `problems` is empty."""

    event: dict[str, Any]
    """As in `Repaired`. It is encodable in any case, so that a refused event can be kept and shown."""
    notes: tuple[Remark, ...]
    """As in `Repaired`."""
    problems: tuple[Problem, ...]
    """In the order of the server's checks: missing, invalid, id lengths."""


def examine(
    event: Any,
    *,
    min_id_length: int = DEFAULT_MIN_ID_LENGTH,
    now_ms: int,
    leaves_out: bool = False,
) -> Examined:
    """Mends `event` and finds what is still wrong with it.

    `min_id_length` is that of the request, `now_ms` the time in milliseconds since 1970. With `leaves_out`,
    a bad field costs only itself, with a note; only ids, the event type and what is no event are problems.
    Raises nothing but MemoryError, whatever the event holds.
    """
    repaired = repair(event, min_id_length, now_ms)
    reported = {problem.field for problem in repaired.problems}
    if not reported.isdisjoint(ID_FIELDS):
        reported.update(ID_FIELDS)  # an id that cannot be encoded is not also a missing one
    if "event" in reported:
        return Examined(repaired.event, repaired.notes, repaired.problems)
    remaining = [each for each in problems(repaired.event, min_id_length) if each.field not in reported]
    found = sorted((*repaired.problems, *remaining), key=lambda problem: _ORDER[problem.kind])
    examined = Examined(repaired.event, repaired.notes, tuple(found))
    return _without_bad_fields(examined) if leaves_out and found else examined


def _without_bad_fields(examined: Examined) -> Examined:
    bad = [each for each in examined.problems if each.field not in _ESSENTIAL]
    event = {key: value for key, value in examined.event.items() if key not in {each.field for each in bad}}
    notes = [
        Remark(f"{each.message} (the event goes without it)", subject=each.field, objection=each.message)
        for each in bad
    ]
    remaining = tuple(each for each in examined.problems if each.field in _ESSENTIAL)
    return Examined(event, (*examined.notes, *notes), remaining)


_ESSENTIAL: Final = frozenset({"event", "event_type", *ID_FIELDS})
"""Without these, or with a wrong one, an event cannot be sent."""


_ORDER: Final[Mapping[ProblemKind, int]] = {"missing": 0, "invalid": 1, "id_length": 2}


def problems(event: Mapping[str, Any], min_id_length: int = DEFAULT_MIN_ID_LENGTH) -> list[Problem]:
    """What Amplitude would object to in `event`, a mapping of JSON values, in the order of its checks.

    None counts as absent, and so does an empty string, except as `event_type` (reference, sections 3, 13.8).
    """
    return [*_missing(event), *_invalid(event, min_id_length), *_id_lengths(event, min_id_length)]


def _missing(event: Mapping[str, Any]) -> list[Problem]:
    found = []
    if event.get("event_type") is None:
        message = f"`event_type` is missing: {_meant(event, 'event_type') or 'write what happened, in words'}"
        found.append(Problem("event_type", "missing", message))
    has_id = any(event.get(field) not in (None, "") for field in ID_FIELDS)
    if not has_id and event.get("event_type") != GROUP_IDENTIFY:
        remedy = _meant(event, *ID_FIELDS) or "write at least one of them"
        message = f"there is neither a `user_id` nor a `device_id`: {remedy}"
        found.append(Problem("device_id", "missing", message))
    return found


def _meant(event: Mapping[str, Any], *fields: str) -> str:
    """Which key of the event was probably meant to be one of `fields`, if any was."""
    for key in event:
        if key not in FIELDS and (field := meant_key(key)) in fields:
            return f"write `{field}` in the place of `{_label(key)}`"
    return ""


def _invalid(event: Mapping[str, Any], min_id_length: int) -> list[Problem]:
    found = []
    for field, kind in FIELDS.items():
        value = event.get(field)
        if value is None:
            continue
        message = _objection(field, kind, value, min_id_length)
        if message:
            found.append(Problem(field, "invalid", message))
    return found


def _objection(field: str, kind: FieldKind, value: Any, min_id_length: int) -> str | None:
    if not _fits(kind, value):
        return f"`{field}` must be {kind.value}, not {describe(value)}: {_remedy(field, kind)}"
    if field == "event_type":
        if isinstance(value, str) and not value.strip():
            return "`event_type` is blank: write what happened, in words"
        if value in RESERVED_EVENT_TYPES:
            return f"`event_type` {value!r} is reserved by Amplitude: choose another name"
    if field in _IDENTIFYING and has_lost_digits(value):
        return (
            f"`{field}` holds a number that has lost digits, so that different ones become one: "
            "write it as text where it comes from"
        )
    if field in ID_FIELDS:
        text = as_text(value)
        # For a placeholder that is too short as well, the server's complaint is the length.
        if text and len(text) >= min_id_length and is_invalid_id(text):
            return (
                f"`{field}` {text[:60]!r} is a placeholder that Amplitude refuses: "
                "write a real id, or leave it out and write the other one"
            )
    if field in PROPERTY_FIELDS and depth(value) > MAX_DEPTH:
        return f"`{field}` is nested more than {MAX_DEPTH} layers deep: flatten it"
    return None


def _id_lengths(event: Mapping[str, Any], min_id_length: int) -> list[Problem]:
    found = []
    for field in ID_FIELDS:
        value = event.get(field)
        if value in (None, "") or not _fits(FieldKind.STRING, value):
            continue
        text = as_text(value)
        if len(text) < min_id_length:
            message = (
                f"`{field}` {text!r:.60} is shorter than {counted(min_id_length, 'character')}: "
                "write a longer id, or lower min_id_length"
            )
            found.append(Problem(field, "id_length", message))
    return found


def _fits(kind: FieldKind, value: Any) -> bool:
    if kind is FieldKind.ANY:
        return True
    if kind is FieldKind.BOOLEAN:
        return isinstance(value, bool)
    if kind is FieldKind.OBJECT:
        return isinstance(value, Mapping)
    if isinstance(value, bool):
        return False
    if kind is FieldKind.INTEGER:
        if isinstance(value, float):
            value = int(value) if value.is_integer() else None
        return isinstance(value, int) and _fits_64_bits(value)
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return True
    return kind is FieldKind.STRING and isinstance(value, str)


def _fits_64_bits(value: int) -> bool:
    return -(2**63) <= value < 2**63


_IDENTIFYING: Final = (*ID_FIELDS, "insert_id", "groups")
"""Fields whose values tell one thing from another."""


def _remedy(field: str, kind: FieldKind) -> str:
    if field == "time":
        return "write milliseconds since 1970, such as int(time.time() * 1000)"
    if field == "session_id":
        return "write the start of the session in milliseconds since 1970"
    return _REMEDIES[kind]


_REMEDIES: Final[Mapping[FieldKind, str]] = {
    FieldKind.STRING: "write text",
    FieldKind.INTEGER: "write an int",
    FieldKind.NUMBER: "write an int or a float, without quotes",
    FieldKind.BOOLEAN: "write one of the two",
    FieldKind.OBJECT: "write keys and values, such as {'title': 'Blue in Green'}",
}


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


_TOO_FINE: Final = re.compile(r"(\.\d{6})\d+")
"""Digits of a fraction beyond the microseconds that a datetime has."""


def _milliseconds_of_numpy(text: str) -> Any:
    """Of a datetime64's text, which is in UTC and may know nanoseconds; of another text, the text."""
    try:
        moment = datetime.fromisoformat(_TOO_FINE.sub(r"\1", text)).replace(tzinfo=timezone.utc)
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
            except Exception as error:  # so may the methods of a value
                if is_interruption(error):
                    raise
                self.fail(
                    field,
                    f"`{_label(field)}` raised {type(error).__name__} while it was read: write a plain value",
                )

    def _take(self, field: str, value: Any) -> None:
        if field in self.event:
            raise Unencodable(_label(field), "is there twice, once as text", "rename one of the two keys")
        kind = FIELDS.get(field)
        label = field if kind else _label(field)
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
            if not (field in _IDENTIFYING and has_lost_digits(safe)):
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
        return make_safe(value, path=label, notes=None if field in _ESSENTIAL else self.notes)

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
            if number is not None and _fits(kind, number):
                self.note(field, f"`{field}` was text and was sent as a number: {_remedy(field, kind)}")
                safe = number
        if kind is FieldKind.INTEGER and isinstance(safe, float) and _fits(kind, safe):
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
            return milliseconds if _fits_64_bits(milliseconds) else safe
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
            # Cut short, two ids that differ at the end would be one, and the second event a duplicate.
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
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{1,18})?")


def _spelt_number(text: str) -> int | float | None:
    if not _NUMBER.fullmatch(text):
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


def _label(field: str) -> str:
    return field if len(field) <= 60 else field[:59] + "…"
