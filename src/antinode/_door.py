"""The door: an event is checked and encoded to its final bytes here, once, on the caller's thread."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import orjson

from antinode._insert_ids import InsertIds, from_business_key
from antinode._version import __version__
from antinode.protocol.fields import FIELDS, GROUP_IDENTIFY, RESERVED_EVENT_TYPES, Kind
from antinode.protocol.ids import INVALID_IDS
from antinode.protocol.limits import DEFAULT_MIN_ID_LENGTH, MAX_DEPTH, MAX_PROPERTIES, MAX_STRING
from antinode.protocol.status import Status

LIBRARY: Final = f"antinode/{__version__}"

# Below this, a whole number cannot be milliseconds of any event that a back end logs (it is March 1973):
# it is seconds, and must be converted.
EARLIEST_MS: Final = 100_000_000_000

# The smallest that 1024 properties can be: `"a":1,` each. Only a larger event can have too many.
_MANY_PROPERTIES_BYTES: Final = MAX_PROPERTIES * 6
# Events that share their keys and value types are checked once. A program has few such shapes; a program
# that makes up keys must not fill memory with them.
_MAX_SHAPES: Final = 2048
_MAX_EVENT_TYPES: Final = 4096

_PLAIN_TYPES: Final[Mapping[Kind, tuple[type, ...]]] = {
    Kind.STRING: (str,),
    Kind.INTEGER: (int,),
    Kind.NUMBER: (int, float),
    Kind.BOOLEAN: (bool,),
    Kind.OBJECT: (dict,),
    Kind.ANY: (str, int, float, bool, dict),
}
_NO_FIELD: Final = object()


class Refused(Exception):
    """The event cannot be sent as it is; the message says why and what to write instead."""

    def __init__(self, status: Status, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message


class _Shape:
    """What is known of all events with the same keys and value types."""

    __slots__ = ("is_plain", "needs_insert_id", "needs_time", "tail")

    def __init__(self, *, is_plain: bool, needs_time: bool, needs_insert_id: bool, tail: bytes) -> None:
        self.is_plain = is_plain
        """Whether every field has its plain JSON type, so that only values need a look."""
        self.needs_time = needs_time
        self.needs_insert_id = needs_insert_id
        self.tail = tail
        """What replaces the closing brace: the keys that the event lacks."""


class Door:
    """Checks and encodes events for one client: its defaults, its id length, its largest event in bytes."""

    def __init__(
        self,
        *,
        min_id_length: int | None = None,
        plan: Mapping[str, Any] | None = None,
        ingestion_metadata: Mapping[str, Any] | None = None,
        max_event_bytes: int,
    ) -> None:
        self._min_id_length = DEFAULT_MIN_ID_LENGTH if min_id_length is None else min_id_length
        self._max_event_bytes = max_event_bytes
        self._merged: dict[str, dict[str, Any]] = {}
        if plan:
            self._merged["plan"] = dict(plan)
        if ingestion_metadata:
            self._merged["ingestion_metadata"] = dict(ingestion_metadata)
        self._constants: dict[str, Any] = {"library": LIBRARY, **self._merged}
        self._shapes: dict[tuple[Any, ...], _Shape] = {}
        self._event_types: set[str] = set()
        self.insert_ids = InsertIds()

    def encode(self, event: dict[str, Any]) -> tuple[bytes, int, tuple[str, ...]]:
        """The event's final bytes, its stream, and notes for its author. Raises `Refused`; changes nothing."""
        shape_key = (*event, *map(type, event.values()))
        shape = self._shapes.get(shape_key)
        if shape is None:
            shape = self._learn(shape_key, event)
        if not shape.is_plain:
            return self._encode_slowly(event)
        event_type = event["event_type"]
        if event_type not in self._event_types and not self._is_good_type(event_type):
            return self._encode_slowly(event)
        get = event.get
        user_id, device_id = get("user_id"), get("device_id")
        shortest = self._min_id_length
        if user_id is None:
            if device_id is None and event_type != GROUP_IDENTIFY:
                return self._encode_slowly(event)
        elif len(user_id) < shortest or user_id.strip().lower() in INVALID_IDS:
            return self._encode_slowly(event)
        if device_id is not None and (len(device_id) < shortest or device_id.strip().lower() in INVALID_IDS):
            return self._encode_slowly(event)
        tail = shape.tail
        if shape.needs_time:
            milliseconds = time.time_ns() // 1_000_000
            tail = (
                tail % (milliseconds, next(self.insert_ids.counter))
                if shape.needs_insert_id
                else tail % milliseconds
            )
        else:
            if event["time"] < EARLIEST_MS:
                return self._encode_slowly(event)
            if shape.needs_insert_id:
                tail = tail % next(self.insert_ids.counter)
        try:
            body = orjson.dumps(event)
        except (TypeError, ValueError, RecursionError):
            return self._encode_slowly(event)
        # Each rule below is looked into only if the encoded text shows that it could apply.
        if body.count(b"{") + body.count(b"[") > MAX_DEPTH or (len(body) > MAX_STRING and _may_exceed(body)):
            return self._encode_slowly(event)
        body = body[:-1] + tail
        if len(body) > self._max_event_bytes:
            raise self._too_large(len(body))
        return body, hash((user_id, device_id)), ()

    def business_key(self, event: Mapping[str, Any], once: str) -> str:
        """The insert_id of a fact known by a business key."""
        return from_business_key(str(event.get("event_type")), once)

    def with_defaults(self, event: dict[str, Any]) -> dict[str, Any]:
        """A new dict: the event with everything that `encode` would add, for a middleware to see."""
        merged = {key: value for key, value in event.items() if value is not None}
        merged.setdefault("time", time.time_ns() // 1_000_000)
        merged.setdefault("insert_id", next(self.insert_ids))
        merged.setdefault("library", LIBRARY)
        for key, default in self._merged.items():
            own = merged.get(key)
            if own is None:
                merged[key] = dict(default)
            elif isinstance(own, Mapping):
                merged[key] = {**default, **own}
        return merged

    def _learn(self, shape_key: tuple[Any, ...], event: dict[str, Any]) -> _Shape:
        is_plain = "event_type" in event and not any(key in event for key in self._merged)
        for key, value in event.items():
            if type(key) is not str:
                is_plain = False
                break
            kind = FIELDS.get(key, _NO_FIELD)
            if value is None or (kind is not _NO_FIELD and type(value) not in _PLAIN_TYPES[kind]):  # type: ignore[index]
                is_plain = False
                break
        needs_time, needs_insert_id = "time" not in event, "insert_id" not in event
        tail = b""
        if needs_time:
            tail += b',"time":%d'
        if needs_insert_id:
            tail += b',"insert_id":"' + self.insert_ids.prefix + b'%012x"'
        for key, value in self._constants.items():
            if key not in event:
                encoded = b"," + orjson.dumps({key: value})[1:-1]
                tail += encoded.replace(b"%", b"%%") if needs_time or needs_insert_id else encoded
        shape = _Shape(
            is_plain=is_plain, needs_time=needs_time, needs_insert_id=needs_insert_id, tail=tail + b"}"
        )
        if len(self._shapes) >= _MAX_SHAPES:
            self._shapes.clear()
        self._shapes[shape_key] = shape
        return shape

    def _is_good_type(self, event_type: str) -> bool:
        if not event_type.strip() or event_type in RESERVED_EVENT_TYPES or len(event_type) > MAX_STRING:
            return False
        if len(self._event_types) >= _MAX_EVENT_TYPES:
            self._event_types.clear()
        self._event_types.add(event_type)
        return True

    def _encode_slowly(self, event: dict[str, Any]) -> tuple[bytes, int, tuple[str, ...]]:
        """For everything unusual: mend what has one meaning, refuse the rest with an explanation."""
        moment = event.get("time")
        if type(moment) is datetime or type(moment) is float:
            # Common enough to be worth a short cut: only the time is not yet in milliseconds.
            converted = _milliseconds(moment)
            if converted is not None and converted >= EARLIEST_MS:
                return self.encode({**event, "time": converted})
        return self._examine(event)

    def _examine(self, event: dict[str, Any]) -> tuple[bytes, int, tuple[str, ...]]:
        from antinode.protocol.validation import examine  # noqa: PLC0415 - its imports cost more than the rest

        examined = examine(event, min_id_length=self._min_id_length, now_ms=time.time_ns() // 1_000_000)
        if examined.problems:
            message = "; ".join(str(problem) for problem in examined.problems)
            raise Refused(Status.INVALID, "invalid_event", message)
        complete = self.with_defaults(examined.event)
        body = orjson.dumps(complete)
        if len(body) > self._max_event_bytes:
            raise self._too_large(len(body))
        return body, hash((complete.get("user_id"), complete.get("device_id"))), examined.notes

    def _too_large(self, size: int) -> Refused:
        return Refused(
            Status.PAYLOAD_TOO_LARGE,
            "too_large",
            f"the event is {size:,} bytes long and one request takes {self._max_event_bytes:,}: "
            "send a part of it, or a reference to it",
        )


def _milliseconds(moment: datetime | float) -> int | None:
    try:
        seconds = moment.timestamp() if isinstance(moment, datetime) else moment
        if isinstance(moment, float) and (seconds >= EARLIEST_MS or not seconds > 0):
            # Already milliseconds, or nonsense: both are the slow path's business.
            return None
        return round(seconds * 1000)
    except (ValueError, OverflowError, OSError):
        return None


def _may_exceed(body: bytes) -> bool:
    """Whether an encoded event could hold a string over the limit, or too many properties."""
    # An escaped quote cuts a string for `split`, so its pieces do not show its length.
    if b'\\"' in body or max(map(len, body.split(b'"'))) > MAX_STRING:
        return True
    return len(body) > _MANY_PROPERTIES_BYTES and body.count(b":") > MAX_PROPERTIES
