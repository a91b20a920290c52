"""A row of Amplitude's own export as the event that it was (reference, 18.3 and 18.4).

In files of JSON its objects are objects, and in tables of a warehouse they may be the text of them.
"""

from __future__ import annotations

from typing import Any, Final

from antinode._importing.cells import id_of, typed
from antinode._importing.objects import as_object, object_of
from antinode._importing.readers.timestamps import Convert, time_reader
from antinode._protocol.fields import FIELDS, ID_FIELDS, FieldKind

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
_INSERT_IDS: Final = ("$insert_id", "insert_id", "_insert_id", "uuid")
"""The id of the event, as exports and warehouses call it; or else of the row itself, so that importing it
twice does not count it twice."""
_RENAMED: Final = {
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
    return (
        ("event_time" in row or "client_event_time" in row)
        and "event_type" in row
        and row.get("time") in (None, "")
    )


def from_export(
    row: dict[str, Any], to_milliseconds: Convert | None = None, *, has_cells: bool = False
) -> dict[str, Any]:
    """The event to send. Its old user properties do not overwrite what the user has by now.

    `has_cells` if values are text that may stand for others. Raises ValueError for a time that is none, an
    object that is none, and an id that has lost digits.
    """
    convert = to_milliseconds or _utc
    event: dict[str, Any] = {}
    for key, column in _COLUMNS:
        value = row.get(column)
        if value in _ABSENT:
            continue
        kind = FIELDS.get(key)
        if key in ID_FIELDS:
            value = id_of(column, value, is_cell=has_cells)
        elif type(value) is str and kind is not FieldKind.STRING:
            value = object_of(column, value) if kind is FieldKind.OBJECT else typed(value)
        elif kind is FieldKind.OBJECT:
            value = as_object(value) or value
        if value not in _ABSENT:
            event[key] = value
    written = next((key for key in _TIMES if row.get(key) not in (None, "")), None)
    if written is not None:
        try:
            event["time"] = convert(row[written])
        except ValueError as error:
            raise ValueError(f"`{written}`: {error}") from None
    if event.get("library") == _NEVER_SENT:
        del event["library"]
    own = next((key for key in _INSERT_IDS if row.get(key) not in (None, "")), None)
    if own is not None:
        event["insert_id"] = id_of(own, row[own], is_cell=has_cells)
    event["$skip_user_properties_sync"] = True
    return event


_COLUMNS: Final = (*((key, key) for key in _SAME), *((key, column) for column, key in _RENAMED.items()))
_utc: Final = time_reader()
