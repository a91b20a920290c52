"""The events of a request, out of its bytes: paths, encodings, sizes, JSON and forms.

Reference, sections 2, 12, 13.8 (the first stages), 16 and 17.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
import orjson

from antinode._protocol import exact
from antinode._protocol.limits import DEFAULT_MIN_ID_LENGTH, MAX_DEPTH, MAX_GROUP_PROPERTIES
from antinode._protocol.values import count_properties
from antinode.server.ingest import responses
from antinode.server.ingest.apis import IngestApi
from antinode.server.ingest.decoding import decoded
from antinode.server.ingest.form_events import mapping_problem, no_object, to_event
from antinode.server.ingest.forms import body_fields, query_fields
from antinode.server.ingest.masking import beginning
from antinode.server.ingest.responses import Refusal
from antinode.server.models import Problem
from antinode.server.rules import ApiKey

if TYPE_CHECKING:
    from collections.abc import Container

    from antinode.server.ingest.requests import Received
    from antinode.server.rules import Rules

__all__ = ["IngestApi", "RequestReading", "Unpacked", "read", "read_unpacked", "unpack"]

_MAX_QUERY: Final = 8192
"""Characters of a query; the API names no limit, and common servers have this one."""

_MAX_MEMBERS: Final = 400_000
"""Objects, arrays and keys of one body. Real events hold a hundred for each 5 KB; millions would keep the
server, and everybody else's uploads, busy for half a minute."""

_MAX_NESTING: Final = 250
"""Layers of a body, its own two included. The API warns of more than 40 in an event and names no limit."""

_BY_PATH: Final = {api.value: api for api in IngestApi}


@dataclass(frozen=True, slots=True)
class RequestReading:
    """The events of a request, in the form of the HTTP V2 API, whichever API they came by."""

    api: IngestApi
    api_key: str
    """Empty if a refused request had none."""
    events: list[dict[str, Any]]
    """By position, as they came; not to be changed. An entry that is no object is an empty dict here."""
    texts: list[msgspec.Raw]
    """The JSON of each: of the APIs that take JSON the very bytes that came."""
    min_id_length: int
    client_upload_time: int | None
    """Milliseconds since 1970; None if the request names no time that can be read."""
    body_size: int
    """Bytes of the body after decompression."""
    address: str = ""
    """The IP address that the request came from; empty if that is not known."""


class Unpacked(NamedTuple):
    """A request that may be read: its API, and its body out of its encoding, within all bounds."""

    api: IngestApi
    body: bytes


def read(received: Received, rules: Rules) -> RequestReading | Refusal:
    """The events of a request, or why it cannot be taken. Raises nothing, whatever came.

    The refusal holds a `reading` when events could be read all the same: with a wrong key, with no key, or
    with entries among them that are no objects. Otherwise there is nothing to keep but the request itself.
    """
    found = unpack(received)
    return found if isinstance(found, Refusal) else read_unpacked(found, received, rules)


def unpack(received: Received, apis: Container[IngestApi] = frozenset(IngestApi)) -> Unpacked | Refusal:
    """The first half of `read`, for requests of these `apis` alone."""
    api = _BY_PATH.get(received.path)
    if api is None or api not in apis or received.method not in api.methods:
        return responses.invalid_path()
    if api.speaks_json and not received.body and not received.is_too_large:
        return responses.missing_body()
    if len(received.query) > _MAX_QUERY and not api.speaks_json:
        return responses.uri_too_long()
    if received.is_too_large:
        return responses.too_large(api)
    body = decoded(received.body, received.content_encoding, api.body_limit)
    if body is None:
        shown = beginning(received.body)
        if api.speaks_json:
            return responses.invalid_json(None, shown)
        return responses.missing_event(body_start=shown)
    if len(body) > api.body_limit:
        return responses.too_large(api)
    if _is_sprawling(body):
        return responses.too_large(api, len(body))
    return Unpacked(api, body)


def read_unpacked(unpacked: Unpacked, received: Received, rules: Rules) -> RequestReading | Refusal:
    """The second half of `read`."""
    api, body = unpacked
    if api.speaks_json:
        return _read_json(api, body, received.address, rules)
    return _read_form(api, body, received, rules)


def _is_sprawling(body: bytes) -> bool:
    return len(body) > _MAX_MEMBERS and sum(map(body.count, (b"{", b"[", b'":', b'" :'))) > _MAX_MEMBERS


class _Listed(msgspec.Struct):
    events: list[msgspec.Raw]


_LISTED: Final = msgspec.json.Decoder(_Listed)


def _read_json(api: IngestApi, body: bytes, address: str, rules: Rules) -> RequestReading | Refusal:
    document, text = _loaded(body)
    if not isinstance(document, dict):
        return responses.invalid_json(len(body), beginning(body))
    key = document.get("api_key")
    if not isinstance(key, str):
        key = ""
    entries = document.get("events")
    if not isinstance(entries, list):
        return responses.missing_field("events" if key else "api_key", None, len(body), beginning(body))
    reading = None
    malformed: dict[int, list[Problem]] = {}
    if len(entries) <= api.count_limit:
        texts = _raw_entries(text)
        if texts is None or len(texts) != len(entries):
            return responses.invalid_json(len(body), beginning(body))
        malformed = _malformed(entries)
        if malformed:
            entries = [entry if isinstance(entry, dict) else {} for entry in entries]
        shortest = _min_id_length(document.get("options"))
        uploaded = from_iso(document.get("client_upload_time"))
        reading = RequestReading(api, key, entries, texts, shortest, uploaded, len(body), address)
    if not key:
        return responses.missing_field("api_key", reading, len(body), None)
    if not _is_known(key, rules):
        return responses.invalid_api_key(api, key, reading, len(body))
    if reading is None:
        return responses.too_large(api, len(body))
    if malformed:
        return responses.invalid_event(reading, malformed)
    return reading


def _loaded(body: bytes) -> tuple[Any, bytes]:
    """The body as JSON, and its text, in which lone surrogates are replaced; (None, …) if it is no JSON.

    What is nested deeper than any event is as good as none, so that nothing behind recurses through it.
    """
    try:
        document = exact.loads(body)
    except orjson.JSONDecodeError:
        pass
    else:
        return (None if _is_deep(document) else document), body
    # Half of a surrogate pair is what is left of an emoji that a browser cut in two: no reason to refuse all.
    if not _SURROGATE.search(body):
        return None, body
    mended = _ESCAPES.sub(_mend, body)
    try:
        document = exact.loads(mended)
    except orjson.JSONDecodeError:
        return None, body
    return (None if _is_deep(document) else document), mended


def _is_deep(document: Any) -> bool:
    try:
        orjson.dumps(document)  # refuses what is nested deeper than _MAX_NESTING, and some other values
    except TypeError:
        layer, depth = [document], 0
        while layer and depth <= _MAX_NESTING:
            containers = [each for each in layer if isinstance(each, (dict, list))]
            layer = [
                value for each in containers for value in (each.values() if isinstance(each, dict) else each)
            ]
            depth += bool(containers)
        return depth > _MAX_NESTING
    return False


_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_ESCAPES: Final = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)


def _mend(match: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if match[1] else match[0]


def _raw_entries(text: bytes) -> list[msgspec.Raw] | None:
    """The JSON of each of the body's events; None if it is nested too deep."""
    try:
        return _LISTED.decode(text).events
    except (msgspec.MsgspecError, RecursionError):
        return None


def _malformed(entries: list[Any]) -> dict[int, list[Problem]]:
    return {
        position: [no_object(entry)] for position, entry in enumerate(entries) if not isinstance(entry, dict)
    }


def _min_id_length(options: Any) -> int:
    value = options.get("min_id_length") if isinstance(options, dict) else None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int else DEFAULT_MIN_ID_LENGTH


def from_iso(value: Any) -> int | None:
    """A time as a request has it, in milliseconds since 1970; None for what cannot be read."""
    try:
        moment = msgspec.convert(value, datetime)
    except msgspec.ValidationError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return (moment - _EPOCH) // timedelta(milliseconds=1)


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)


def _is_known(key: str, rules: Rules) -> bool:
    return not rules.api_keys or any(
        key == (known.key if isinstance(known, ApiKey) else known) for known in rules.api_keys
    )


def _read_form(api: IngestApi, body: bytes, received: Received, rules: Rules) -> RequestReading | Refusal:
    fields = query_fields(received.query)
    if received.method == "POST":
        fields |= body_fields(received.content_type, body)
    key_field, list_field = _FORM_FIELDS[api]
    key = fields.get(key_field, "")
    entries, _ = _loaded(fields.get(list_field, "").encode())
    if isinstance(entries, dict) and api is not IngestApi.LEGACY:
        entries = [entries]
    if not isinstance(entries, list):
        return responses.missing_event(body_size=len(body), body_start=beginning(body))
    reading = None
    malformed: dict[int, list[Problem]] = {}
    if len(entries) <= api.count_limit:
        events, texts, malformed = _adapted(api, entries)
        uploaded = _from_digits(fields.get("upload_time", ""))
        if _count_group_properties(api, events) <= MAX_GROUP_PROPERTIES:
            reading = RequestReading(
                api, key, events, texts, DEFAULT_MIN_ID_LENGTH, uploaded, len(body), received.address
            )
    if not key or not _is_known(key, rules):
        return responses.invalid_api_key(api, key, reading, len(body))
    if reading is None:
        return responses.too_large(api, len(body))
    if malformed:
        return responses.missing_event(reading=reading, reasons=malformed)
    return reading


_FORM_FIELDS: Final = {
    IngestApi.IDENTIFY: ("api_key", "identification"),
    IngestApi.GROUP_IDENTIFY: ("api_key", "identification"),
    IngestApi.USER_MAP: ("api_key", "mapping"),
    IngestApi.LEGACY: ("client", "e"),
}
"""Where a form has its key, and where its list."""


def _count_group_properties(api: IngestApi, events: list[dict[str, Any]]) -> int:
    if api is not IngestApi.GROUP_IDENTIFY:
        return 0
    described = (event.get("group_properties") for event in events)
    return sum(count_properties(each) for each in described if isinstance(each, dict))


def _adapted(
    api: IngestApi, entries: list[Any]
) -> tuple[list[dict[str, Any]], list[msgspec.Raw], dict[int, list[Problem]]]:
    events: list[dict[str, Any]] = []
    texts: list[msgspec.Raw] = []
    malformed: dict[int, list[Problem]] = {}
    if api is IngestApi.USER_MAP:  # a mapping holds no events; it is checked, and not carried out
        found = {position: mapping_problem(entry) for position, entry in enumerate(entries)}
        return [], [], {position: [problem] for position, problem in found.items() if problem}
    for position, entry in enumerate(entries):
        event = to_event(api, entry)
        if isinstance(event, Problem):
            malformed[position] = [event]
            event = {}
        try:
            text = exact.dumps(event or entry)
        except TypeError:  # nested some hundred layers deep
            malformed[position] = [_TOO_DEEP]
            event, text = {}, b"{}"
        events.append(event)
        texts.append(msgspec.Raw(text))
    return events, texts, malformed


_TOO_DEEP: Final = Problem(
    "invalid_event", "error", "event", f"the event is nested more than {MAX_DEPTH} layers deep: flatten it"
)


def _from_digits(value: str) -> int | None:
    return int(value) if value.isascii() and value.isdecimal() and len(value) <= 15 else None
