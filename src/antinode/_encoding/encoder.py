"""The encoder: an event is checked and encoded to its final bytes here, once, on the caller's thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, Final
from uuid import UUID

from antinode import _json
from antinode._encoding.defaults import Defaults
from antinode._encoding.inert import inert_copy, is_inert, reserve
from antinode._encoding.refusal import Refused, invalid
from antinode._events import Event, IngestionMetadata, Plan, event_slots
from antinode._interruptions import is_interruption
from antinode._protocol.fields import FIELDS, GROUP_IDENTIFY, RESERVED_EVENT_TYPES, FieldKind
from antinode._protocol.ids import INVALID_IDS, is_good_id, stream_of
from antinode._protocol.limits import (
    DEFAULT_MIN_ID_LENGTH,
    MAX_DEPTH,
    MAX_GROUP_TYPES,
    MAX_GROUP_VALUES,
    MAX_PROPERTIES,
    MAX_STRING,
)
from antinode._protocol.remarks import Remark
from antinode._protocol.status import Status
from antinode._protocol.unknown_keys import note_on
from antinode._protocol.validation import examine
from antinode._speedups import slot

# A whole number below EARLIEST_MS (March 1973) cannot be an event's time in milliseconds: it is in seconds
# and must be converted. A number from _LATEST_MS on is in microseconds.
EARLIEST_MS: Final = 100_000_000_000
_LATEST_MS: Final = 100_000_000_000_000
_DAY_MS: Final = 86_400_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_INT64: Final = 2**63

# Event types, ids and keys that were found good are remembered, so that each is checked once. Their number
# and their length are bounded, so that they cannot fill memory.
_MAX_REMEMBERED: Final = 4096

# What the encoded text of 41 layers of dicts takes at least: `{"":` and `}` for each but the innermost.
_DEEP_BYTES: Final = 2 + 5 * MAX_DEPTH
_BRACE: Final = ord("{")
_BRACKET: Final = ord("[")

_ONE_TYPE: Final = {FieldKind.STRING: str, FieldKind.OBJECT: dict, FieldKind.BOOLEAN: bool}
_OWN_CHECK: Final = frozenset({"groups", "library", "plan", "ingestion_metadata"})
_PLAIN: Final[dict[str, type]] = {
    **{key: _ONE_TYPE[kind] for key, kind in FIELDS.items() if kind in _ONE_TYPE and key not in _OWN_CHECK},
    "time": int,
}
"""Fields that are right if their value has this very type; `time` and the ids are looked at apart."""
_COMPLETE: Final[dict[str, type]] = {**_PLAIN, "library": str, "plan": dict, "ingestion_metadata": dict}
"""The same for an event that has everything that `Defaults` fills in."""
_plain_type: Final = _PLAIN.get
_complete_type: Final = _COMPLETE.get
_ANY_TYPES: Final = (str, int, float, bool, dict)

_AS_BRACES: Final = bytes.maketrans(b"[]", b"{}")
_NO_BRACKETS: Final = bytes(set(range(256)).difference(b"[]{}"))


class EventEncoder:
    """Checks and encodes events for one client: its defaults, its id length, its largest event in bytes.

    What is bad in an event is left out of it. Without `leaves_out`, the event is refused for it, and with
    `is_strict` for whatever there is to object to.

    An event takes one of two paths. The fast one is for events that need no more than encoding; every other
    event goes to `antinode._protocol.validation`, which mends it or says what is wrong. Both send
    the same JSON for the same event.
    """

    # `_tomorrow_ms` has a slot because the compiled code reads it by its offset.
    __slots__ = ("__dict__", "_tomorrow_ms")

    def __init__(
        self,
        *,
        min_id_length: int | None = None,
        plan: Mapping[str, Any] | None = None,
        ingestion_metadata: Mapping[str, Any] | None = None,
        max_event_bytes: int,
        max_remembered_ids: int = _MAX_REMEMBERED,
        leaves_out: bool = True,
        is_strict: bool = False,
    ) -> None:
        self._min_id_length = DEFAULT_MIN_ID_LENGTH if min_id_length is None else min_id_length
        self._max_event_bytes = max_event_bytes
        self._max_remembered_ids = max_remembered_ids
        self.defaults = Defaults(plan=plan, ingestion_metadata=ingestion_metadata)
        self._constants = self.defaults.constants
        self._event_types: set[str] = set()
        self._ids: set[str] = set()
        self._leaves_out = leaves_out and not is_strict
        self._is_strict = is_strict
        self._unknown_keys: dict[str, Remark] = {}
        self._tomorrow_ms = 0
        """No `time` up to here is worth a question; moves on with the clock, when one lies beyond it."""
        self._insert_ids = self.defaults.insert_ids
        self._tail = (
            b"".join(b"," + _json.dumps({key: value})[1:-1] for key, value in self._constants.items()) + b"}"
        )
        """What takes the place of the closing brace of an event that has none of the client's constants."""
        self._tail_with_id: bytes | None = None

    def layout(self) -> dict[str, Any]:
        """What the compiled path uses of this encoder."""
        plain = {**_PLAIN, "plan": dict, "ingestion_metadata": dict}
        return {
            "plain": {key: value for key, value in plain.items() if key not in self._constants},
            "integers": dict.fromkeys(_fields_of(FieldKind.INTEGER) - {"time"}),
            "numbers": dict.fromkeys(_fields_of(FieldKind.NUMBER)),
            "groups": {"groups": None},
            "max_group_types": MAX_GROUP_TYPES,
            "max_group_values": MAX_GROUP_VALUES,
            "event_class": Event,
            "event_slots": event_slots(),
            "constants": self._constants,
            "is_plain": self._is_plain,
            "event_types": self._event_types,
            "is_good_type": self._is_good_type,
            "min_id_length": self._min_id_length,
            "invalid_ids": INVALID_IDS,
            "ids": self._ids,
            "is_good_id": self._is_good_id,
            "is_near": self._is_near,
            "encoder": self,
            "tomorrow": slot(EventEncoder, "_tomorrow_ms"),
            "group_identify": GROUP_IDENTIFY,
            "earliest": EARLIEST_MS,
            "max_depth": MAX_DEPTH,
            "max_string": MAX_STRING,
            "max_properties": MAX_PROPERTIES,
            "max_event_bytes": self._max_event_bytes,
            "dumps": _json.dumps,
            "inert_copy": inert_copy,
            "uuid_type": UUID,
            "counter": self._insert_ids.counter,
            "make_prefix": lambda: self._insert_ids.prefix,
            "tail": self._tail,
        }

    def encode(
        self,
        event: dict[str, Any],
        plain_type: Callable[[str], type | None] = _plain_type,
        tail: bytes | None = None,
    ) -> tuple[bytes, int, tuple[Remark, ...]]:
        """The event's final bytes, its stream, notes for its author. Changes nothing.

        Raises `Refused`, or MemoryError, which is not about the event.

        `plain_type` and `tail` are for an event that is complete already.
        """
        # A copy, since other threads may change the event: what is judged is what is encoded.
        event = dict(event)
        return self._encode_plain(event, plain_type, tail) or self._encode_slowly(event, plain_type, tail)

    def _encode_plain(
        self,
        event: dict[str, Any],
        plain_type: Callable[[str], type | None],
        tail: bytes | None,
        *,
        takes_unknown: bool = False,
    ) -> tuple[bytes, int, tuple[Remark, ...]] | None:
        """Encode an event that needs no more than encoding, as `encode` does; None for any other event."""
        for key, value in event.items():
            if plain_type(key) is not type(value) and not self._is_plain(key, value, takes_unknown):
                return None
        event_type = event.get("event_type")
        if event_type not in self._event_types and not self._is_good_type(event_type):
            return None
        user_id = device_id = None
        if "user_id" in event:
            user_id = event["user_id"]
            if user_id not in self._ids and not self._is_good_id(user_id):
                return None
        if "device_id" in event:
            device_id = event["device_id"]
            if device_id not in self._ids and not self._is_good_id(device_id):
                return None
        elif user_id is None and event_type != GROUP_IDENTIFY:
            return None
        if "insert_id" not in event:
            tail = (self._tail_with_id or self._make_tail()) % next(self._insert_ids.counter)
        elif not event["insert_id"]:
            return None
        elif tail is None:
            tail = self._tail
        if "time" not in event:
            tail = b',"time":%d%b' % (time.time_ns() // 1_000_000, tail)
        elif not EARLIEST_MS <= event["time"] <= self._tomorrow_ms and not self._is_near(event["time"]):
            return None
        reserve(event)
        try:
            body = _json.dumps(event if is_inert(event) else inert_copy(event))
        except MemoryError:
            raise
        except Exception as error:
            if is_interruption(error):
                raise
            return None
        # The limits are looked into only where the encoded text shows that one could be exceeded.
        if len(body) > _DEEP_BYTES or _BRACKET in body:
            brackets = body.count(_BRACE)
            if _BRACKET in body:
                brackets += body.count(_BRACKET)
            if (brackets > MAX_DEPTH or len(body) > MAX_STRING) and _may_exceed(body):
                return None
        body = body[:-1] + tail
        if len(body) > self._max_event_bytes:
            raise self._too_large(len(body))
        return body, stream_of(user_id, device_id), ()

    def _is_plain(self, key: Any, value: Any, takes_unknown: bool = False) -> bool:
        """Whether a value that `_PLAIN` does not vouch for is one that needs no more than encoding."""
        if value is None or type(key) is not str:
            return False
        if key in self._constants or (type(value) in (int, float) and not -_INT64 <= value < _INT64):
            # NaN is in no range, so it is caught too.
            return False
        kind = FIELDS.get(key)
        if kind is None:
            return takes_unknown
        if key == "groups":
            return type(value) is dict and _has_plain_groups(value)
        if kind is FieldKind.INTEGER:
            return type(value) is int
        if kind is FieldKind.NUMBER:
            return type(value) is int or type(value) is float
        if kind is FieldKind.ANY:
            return type(value) in _ANY_TYPES
        return type(value) is _ONE_TYPE[kind]

    def _make_tail(self) -> bytes:
        tail = self._tail_with_id = b',"insert_id":"%b%%d"%b' % (
            self._insert_ids.prefix,
            self._tail.replace(b"%", b"%%"),
        )
        return tail

    def _is_good_type(self, event_type: str | None) -> bool:
        if event_type is None or not event_type.strip() or len(event_type) > MAX_STRING:
            return False
        if event_type in RESERVED_EVENT_TYPES:
            return False
        _remember(self._event_types, event_type, _MAX_REMEMBERED)
        return True

    def _is_good_id(self, value: str) -> bool:
        if not is_good_id(value, self._min_id_length):
            return False
        _remember(self._ids, value, self._max_remembered_ids)
        return True

    def _is_near(self, milliseconds: int) -> bool:
        """Whether a `time` is in milliseconds and not more than a day ahead of the clock."""
        self._tomorrow_ms = min(time.time_ns() // 1_000_000 + _DAY_MS, _LATEST_MS - 1)
        return EARLIEST_MS <= milliseconds <= self._tomorrow_ms

    def _encode_slowly(
        self, event: dict[str, Any], plain_type: Callable[[str], type | None], tail: bytes | None
    ) -> tuple[bytes, int, tuple[Remark, ...]]:
        """Encode an event that is not plain: common deviations are mended here, others go to `examine`."""
        unknown = [key for key in event if type(key) is str and key not in FIELDS]
        if unknown and not self._is_strict:
            encoded = self._encode_plain(event, plain_type, tail, takes_unknown=True)
            if encoded is not None:
                return *encoded[:2], tuple(map(self._note_on, unknown))
        if plain_type is _complete_type:
            return self._examine(event)
        given = list(event.items())
        plain = {key: _plain(key, value) for key, value in given if not _is_absent(key, value)}
        if len(plain) < len(given) or any(plain[key] is not value for key, value in given):
            return self.encode(plain)
        if not self._constants.keys().isdisjoint(event):
            return self.encode(self.defaults.fill_in(event), _complete_type, b"}")
        return self._examine(event)

    def _note_on(self, key: str) -> Remark:
        note = self._unknown_keys.get(key)
        if note is None:
            note = note_on(key)
            if len(self._unknown_keys) >= _MAX_REMEMBERED:
                self._unknown_keys.clear()
            if len(key) <= MAX_STRING:
                self._unknown_keys[key] = note
        return note

    def _examine(self, event: dict[str, Any]) -> tuple[bytes, int, tuple[Remark, ...]]:
        examined = examine(
            event,
            min_id_length=self._min_id_length,
            now_ms=time.time_ns() // 1_000_000,
            leaves_out=self._leaves_out,
        )
        objections = [str(problem) for problem in examined.problems]
        if not self._leaves_out:
            told = (note for note in examined.notes if self._is_strict or note.is_change)
            objections += [note.objection for note in told if note.objection]
        if objections:
            raise invalid("; ".join(objections))
        complete = self.defaults.fill_in(examined.event)
        reserve(complete)
        body = _json.dumps(complete)
        if len(body) > self._max_event_bytes:
            raise self._too_large(len(body))
        return body, stream_of(complete.get("user_id"), complete.get("device_id")), examined.notes

    def _too_large(self, size: int) -> Refused:
        return Refused(
            Status.PAYLOAD_TOO_LARGE,
            "too_large",
            f"the event is {size:,} bytes long and one request takes {self._max_event_bytes:,}: "
            "send a part of it, or a reference to it",
        )


def _remember(known: set[str], text: str, most: int) -> None:
    if len(known) >= most:
        known.clear()
    if len(text) <= MAX_STRING:
        try:
            known.add(text)
        except MemoryError:
            # CPython has added it all the same; a set that goes on so, and cannot grow, gets full, and then
            # looking for anything in it never ends.
            known.clear()


def _is_absent(key: object, value: object) -> bool:
    # An insert_id of "" would make duplicates of all events that have it.
    return value is None or (value == "" if type(value) is str and key == "insert_id" else False)


def _plain(key: object, value: Any) -> Any:
    """`value`, if it is a point in time or our own metadata object in JSON's terms."""
    if type(value) is datetime and key == "time" and value.tzinfo is not None:
        try:
            milliseconds = (value - _EPOCH) // timedelta(milliseconds=1)
        except Exception as error:
            if is_interruption(error):
                raise
            return value
        # What would be taken for another unit is converted where no unit is guessed.
        return milliseconds if EARLIEST_MS <= milliseconds < _LATEST_MS else value
    if type(value) in (Plan, IngestionMetadata) and key in ("plan", "ingestion_metadata"):
        return value.to_dict()
    return value


def _has_plain_groups(groups: dict[Any, Any]) -> bool:
    """Whether the names are text, and neither they nor their types more than Amplitude tracks."""
    count = 0
    for names in groups.values():
        if type(names) is str:
            count += 1
        elif type(names) is list or type(names) is tuple:
            # An empty list is left out, as it names no group.
            if not names or not all(type(name) is str for name in names):
                return False
            count += len(names)
        else:
            return False
    return count <= MAX_GROUP_VALUES and len(groups) <= MAX_GROUP_TYPES


def _fields_of(kind: FieldKind) -> set[str]:
    return {key for key, each in FIELDS.items() if each is kind}


def _may_exceed(body: bytes) -> bool:
    """Whether an encoded event may hold a string over the limit, too many properties, or too many layers.

    Strings are measured in bytes of JSON, which are never fewer than their characters.
    """
    if b"\\" in body:
        # So that each quote that is left begins or ends a string.
        body = body.replace(rb"\\", b"..").replace(rb"\"", b"..")
    pieces = body.split(b'"')
    if max(map(len, pieces[1::2])) > MAX_STRING:
        return True
    outside = b"".join(pieces[::2])
    if outside.count(b":") > MAX_PROPERTIES:
        return True
    brackets = outside.translate(_AS_BRACES, _NO_BRACKETS)
    # Each round takes away the innermost layers; the event itself is one more.
    for _ in range(MAX_DEPTH + 1):
        brackets = brackets.replace(b"{}", b"")
    return brackets != b""
