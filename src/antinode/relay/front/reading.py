"""Requests become events to be kept: read and checked as by the local Amplitude, with their bytes as sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from antinode._protocol import exact
from antinode._protocol.fields import REMOTE
from antinode._protocol.limits import DEFAULT_MIN_ID_LENGTH, HTTP_V2_BODY_LIMIT_BYTES
from antinode.relay.front.stamping import Stamp
from antinode.relay.intake import KeptEvent
from antinode.relay.projects import Project, Projects
from antinode.relay.streams import stream_of
from antinode.server.ingest import responses
from antinode.server.ingest.apis import IngestApi
from antinode.server.ingest.fast_schemas import Shape, plain_text
from antinode.server.ingest.parsing import Unpacked, from_iso, read_unpacked, unpack
from antinode.server.ingest.requests import IngestResponse, Received
from antinode.server.ingest.responses import Refusal
from antinode.server.ingest.validation import Checked, check, is_clear
from antinode.server.rules import Rules

APIS: Final = frozenset(IngestApi) - {IngestApi.USER_MAP}
"""What the relay takes. Mappings of users are no events: they go to Amplitude itself."""

LARGEST_EVENT: Final = HTTP_V2_BODY_LIMIT_BYTES - 1_000
"""Bytes of an event that delivery can have in a request of either API."""


class TakenEvents(NamedTuple):
    """What a request brought."""

    api: IngestApi
    project: Project
    events: list[KeptEvent]


class Reader:
    """Reads the requests for some projects."""

    def __init__(self, projects: Projects) -> None:
        self._projects = projects
        self._rules = Rules(api_keys=tuple(each.api_key for each in projects))

    def read(self, received: Received, now_ms: int) -> TakenEvents | IngestResponse:
        """The events of a request that came at `now_ms`, or why it is refused. Raises nothing."""
        unpacked = unpack(received, APIS)
        if isinstance(unpacked, Refusal):
            return unpacked.answer()
        stamp = Stamp(received, unpacked.body, now_ms)
        found = self._quickly(unpacked, stamp) or self._closely(unpacked, received, stamp)
        if isinstance(found, TakenEvents) and any(len(event.body) > LARGEST_EVENT for event in found.events):
            return responses.too_large(found.api).answer()
        return found

    def _quickly(self, unpacked: Unpacked, stamp: Stamp) -> TakenEvents | None:
        """What a request without any peculiarity brought; None for any other."""
        api, body = unpacked
        if not api.speaks_json:
            return None
        try:
            request = _REQUEST.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        project = self._projects.of_key(request.api_key)
        if project is None or len(request.events) > api.count_limit:
            return None
        uploaded = from_iso(request.client_upload_time)
        if stamp.is_skewed(uploaded):
            return None
        options = request.options
        shortest = DEFAULT_MIN_ID_LENGTH if isinstance(options, UnsetType) else options.min_id_length
        events = []
        for index, text in enumerate(request.events):
            shape = plain_text(text)
            if shape is None or not is_clear(shape, shortest) or shape.ip == REMOTE:
                return None
            events.append(_of_shape(shape, bytes(text), index, stamp, uploaded))
        return TakenEvents(api, project, events)

    def _closely(self, unpacked: Unpacked, received: Received, stamp: Stamp) -> TakenEvents | IngestResponse:
        reading = read_unpacked(unpacked, received, self._rules)
        if isinstance(reading, Refusal):
            return reading.answer()
        checked = check(reading, self._rules)
        if isinstance(checked, Refusal):
            return checked.answer()
        project = self._projects.of_key(reading.api_key)
        assert project is not None  # noqa: S101 - a request whose key is not known was refused
        return TakenEvents(reading.api, project, list(_of_checked(checked, stamp)))


class _Options(msgspec.Struct, forbid_unknown_fields=True):
    min_id_length: int = DEFAULT_MIN_ID_LENGTH


class _Request(msgspec.Struct, forbid_unknown_fields=True):
    """A request as the SDKs of today make it."""

    api_key: str
    events: list[msgspec.Raw]
    options: _Options | UnsetType = UNSET
    client_upload_time: str | None = None


_REQUEST: Final = msgspec.json.Decoder(_Request)


def _of_shape(shape: Shape, text: bytes, index: int, stamp: Stamp, uploaded: int | None) -> KeptEvent:
    user_id = None if shape.user_id is UNSET else shape.user_id
    device_id = None if shape.device_id is UNSET else shape.device_id
    if shape.insert_id is UNSET or shape.time is UNSET:
        time = stamp.happened_at(None, uploaded) if shape.time is UNSET else None
        text = stamp.stamped(text, index, has_insert_id=shape.insert_id is not UNSET, time=time)
    return KeptEvent(text, user_id, device_id, stream_of(user_id, device_id))


def _of_checked(checked: Checked, stamp: Stamp) -> Iterator[KeptEvent]:
    reading = checked.reading
    uploaded = reading.client_upload_time
    is_skewed = stamp.is_skewed(uploaded)
    for index, kept in enumerate(checked.kept):
        event = kept
        is_as_sent = event is reading.events[index]
        if is_skewed and "time" in event:
            event = {**event, "time": stamp.happened_at(event["time"], uploaded)}
            is_as_sent = False
        text = bytes(reading.texts[index]) if is_as_sent else exact.dumps(event)
        time = None if "time" in event else stamp.happened_at(None, uploaded)
        body = stamp.stamped(text, index, has_insert_id="insert_id" in event, time=time)
        user_id, device_id = _id(event.get("user_id")), _id(event.get("device_id"))
        yield KeptEvent(body, user_id, device_id, stream_of(user_id, device_id))


def _id(value: Any) -> str | None:
    return value if isinstance(value, str) else None
