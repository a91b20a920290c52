"""An accepted event as the Export API shows it (reference, 3.1, 7, 10 and 18.3). Pure."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from antinode.server.ingest.times import happened_at
from antinode.server.storage.apply import DEFAULT_LIBRARY
from antinode.server.storage.groups import named_groups
from antinode.server.storage.profiles import DEVICE_FIELDS, LOCATION_FIELDS, Profile, revenue

AMPLITUDE_IDS: Final = 1_000_000_000_000
"""Added to a user's number, for an id of the size that Amplitude's have."""

_EVENT_IDS: Final = 100_000_000
"""Added to `seq`, for the event_id of an event that came without one."""

"""From this on, a difference of the client's clock moves its events (section 7)."""

_NAMESPACE: Final = uuid.UUID("d2c7a4a0-4f0a-5b6c-8a35-5f7a0d9e4c21")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_EARLIEST: Final = datetime(1, 1, 1, tzinfo=timezone.utc)
_LATEST: Final = datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=timezone.utc)
_EARLIEST_MS: Final = (_EARLIEST - _EPOCH) // timedelta(milliseconds=1)
_LATEST_MS: Final = (_LATEST - _EPOCH) // timedelta(milliseconds=1)

_OWN: Final = (
    "adid",
    "idfa",
    "language",
    "location_lat",
    "location_lng",
    "partner_id",
)
"""Keys of a row that are the event's own, under the same name."""

_EMPTY: Final = (
    "$insert_key",
    "$schema",
    "amplitude_attribution_ids",
    "amplitude_event_type",
    "device_family",
    "device_type",
    "global_user_properties",
    "is_attribution_event",
    "sample_rate",
    "source_id",
    "user_creation_time",
)
"""Keys of a row that are always null here."""

_REVENUE_KEYS: Final = {
    "price": "$price",
    "quantity": "$quantity",
    "productId": "$productId",
    "revenueType": "$revenueType",
    "currency": "$currency",
}

_LANGUAGES: Final = {
    "aa": "Afar",
    "ar": "Arabic",
    "bg": "Bulgarian",
    "ca": "Catalan",
    "cs": "Czech",
    "da": "Danish",
    "de": "German",
    "el": "Greek",
    "en": "English",
    "es": "Spanish",
    "et": "Estonian",
    "fi": "Finnish",
    "fr": "French",
    "he": "Hebrew",
    "hi": "Hindi",
    "hr": "Croatian",
    "hu": "Hungarian",
    "id": "Indonesian",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "lt": "Lithuanian",
    "lv": "Latvian",
    "nb": "Norwegian Bokmål",
    "nl": "Dutch",
    "no": "Norwegian",
    "pl": "Polish",
    "pt": "Portuguese",
    "ro": "Romanian",
    "ru": "Russian",
    "sk": "Slovak",
    "sl": "Slovenian",
    "sv": "Swedish",
    "th": "Thai",
    "tr": "Turkish",
    "uk": "Ukrainian",
    "vi": "Vietnamese",
    "zh": "Chinese",
}
"""A short list of what the document lists by the hundred; other values are kept as they are."""


def language_name(value: str) -> str:
    """The English name of a language tag such as `en` or `pt-BR`; any other value itself."""
    tag, _, region = value.lower().replace("_", "-").partition("-")
    is_tag = tag in _LANGUAGES and (not region or (region.isalnum() and 2 <= len(region) <= 4))
    return _LANGUAGES[tag] if is_tag else value


def timestamp(at_ms: int) -> str:
    """A time as export rows write it, in UTC; outside of the years 1 to 9999, their first or last moment."""
    moment = _EPOCH + timedelta(milliseconds=min(max(at_ms, _EARLIEST_MS), _LATEST_MS))
    return moment.replace(tzinfo=None).isoformat(" ", "microseconds")


def event_time(event: Mapping[str, Any], received_at: int, client_upload_time: int | None) -> int:
    """When the event happened by the server's clock, in milliseconds (section 7)."""
    return int(happened_at(event.get("time"), received_at, client_upload_time))


def event_properties(event: Mapping[str, Any]) -> dict[str, Any]:
    """The event's own properties, with the keys for revenue in the form of properties (section 10)."""
    shown = dict(event.get("event_properties") or {})
    for name, key in _REVENUE_KEYS.items():
        if name in event:
            shown[key] = event[name]
    earned = revenue(event)
    if earned is not None:
        shown["$revenue"] = earned
    return shown


def row(
    event: Mapping[str, Any],
    *,
    seq: int,
    project_id: int,
    user: int,
    device_id: str,
    path: str,
    received_at: int,
    client_upload_time: int | None,
    profile: Profile,
    group_properties: Mapping[str, Any],
) -> dict[str, Any]:
    """The row of an accepted ordinary event, as it is applied; its keys are sorted, and none is missing.

    `user` is the number of its user, `device_id` the one it has or the derived one; `profile` and
    `group_properties` are those of the moment after it.
    """
    get = event.get
    skips = get("$skip_user_properties_sync") is True
    uploaded = received_at if client_upload_time is None else client_upload_time
    received = timestamp(received_at)
    known = profile.fields
    fields = {name: (event if skips else known).get(name) for name in (*DEVICE_FIELDS, *LOCATION_FIELDS)}
    language = get("language")
    shown = {
        **dict.fromkeys(_EMPTY),
        **{name: get(name) for name in _OWN},
        **{name: value for name, value in fields.items() if name != "carrier"},
        "$insert_id": get("insert_id"),
        "amplitude_id": AMPLITUDE_IDS + user,
        "app": project_id,
        "client_event_time": timestamp(get("time", uploaded)),
        "client_upload_time": timestamp(uploaded),
        "data": {
            "path": path,
            "user_properties_updated": not skips,
            "group_first_event": {},
            "group_ids": {},
        },
        "data_type": "event",
        "device_carrier": fields["carrier"],
        "device_id": device_id,
        "event_id": get("event_id", _EVENT_IDS + seq),
        "event_properties": event_properties(event),
        "event_time": timestamp(event_time(event, received_at, client_upload_time)),
        "event_type": event["event_type"],
        "group_properties": group_properties,
        "groups": named_groups(event),
        "ip_address": get("ip"),
        "language": language_name(language) if language is not None else None,
        "library": get("library", DEFAULT_LIBRARY),
        "paying": known.get("paying"),
        "plan": get("plan", {}),
        "processed_time": received,
        "server_received_time": received,
        "server_upload_time": received,
        "session_id": get("session_id", -1),
        "start_version": known.get("start_version"),
        "user_id": get("user_id"),
        "user_properties": _own_properties(event) if skips else profile.properties,
        "uuid": str(uuid.uuid5(_NAMESPACE, f"{project_id}/{seq}/{received_at}")),
        "version_name": get("app_version", get("version_name")),
    }
    return dict(sorted(shown.items()))


def _own_properties(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Exactly the properties it sent (9.3)."""
    return dict(event.get("user_properties") or {})
