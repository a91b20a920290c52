"""A row of Amplitude's own export as the event that it was (reference, 18.3 and 18.4)."""

from __future__ import annotations

from typing import Any, Final

from antinode._importing.readers.timestamps import Convert, time_reader

_SAME: Final = (
    "user_id",
    "device_id",
    "event_type",
    "event_id",
    "session_id",
    "event_properties",
    "user_properties",
    "group_properties",
    "groups",
    "plan",
    "library",
    "city",
    "country",
    "region",
    "dma",
    "location_lat",
    "location_lng",
    "language",
    "platform",
    "os_name",
    "os_version",
    "device_brand",
    "device_manufacturer",
    "device_model",
    "adid",
    "idfa",
    "partner_id",
)
_RENAMED: Final = {
    "$insert_id": "insert_id",
    "version_name": "app_version",
    "device_carrier": "carrier",
    "ip_address": "ip",
}
_TIMES: Final = ("event_time", "client_event_time")
"""The corrected time is what charts show; the client's own would be shown uncorrected this time."""
_NEVER_SENT: Final = "http/2.0"
"""What the export calls a library that nobody named."""
_ABSENT: Final[tuple[Any, ...]] = (None, "", {})


def is_exported(row: dict[str, Any]) -> bool:
    """Whether a row is one of an export, rather than an event as it is sent."""
    return "$insert_id" in row and ("event_time" in row or "client_event_time" in row)


def from_export(row: dict[str, Any], to_milliseconds: Convert | None = None) -> dict[str, Any]:
    """The event to send. Its old user properties do not overwrite what the user has by now.

    Raises ValueError for a time that is none.
    """
    convert = to_milliseconds or _utc
    event = {key: row[key] for key in _SAME if row.get(key) not in _ABSENT}
    for exported, key in _RENAMED.items():
        if row.get(exported) not in _ABSENT:
            event[key] = row[exported]
    written = next((row[key] for key in _TIMES if row.get(key) is not None), None)
    if written is not None:
        event["time"] = convert(written)
    if event.get("library") == _NEVER_SENT:
        del event["library"]
    if "insert_id" not in event and row.get("uuid"):
        # Of the row itself, so that importing it twice does not count it twice.
        event["insert_id"] = row["uuid"]
    event["$skip_user_properties_sync"] = True
    return event


_utc: Final = time_reader()
