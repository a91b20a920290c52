"""The keys of an event, and the event types that mean something to Amplitude.

Reference, sections 3 (fields), 8 (operations), 10 (revenue) and 11 (reserved names).
"""

from __future__ import annotations

import enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


class FieldKind(enum.Enum):
    """What a field's value must be. The value of each member is how a message calls it."""

    STRING = "a string"
    """A number is accepted too: the server converts it."""
    INTEGER = "a whole number"
    """In 64 bits; a float without a fraction is accepted too."""
    NUMBER = "a number"
    BOOLEAN = "True or False"
    OBJECT = "a dict"
    ANY = "anything"
    """Seen in the sources of official SDKs, its type not documented."""


FIELDS: Final[Mapping[str, FieldKind]] = MappingProxyType(
    {
        "user_id": FieldKind.STRING,
        "device_id": FieldKind.STRING,
        "event_type": FieldKind.STRING,
        "time": FieldKind.INTEGER,
        "insert_id": FieldKind.STRING,
        "event_id": FieldKind.INTEGER,
        "session_id": FieldKind.INTEGER,
        "event_properties": FieldKind.OBJECT,
        "user_properties": FieldKind.OBJECT,
        "groups": FieldKind.OBJECT,
        "group_properties": FieldKind.OBJECT,
        "$skip_user_properties_sync": FieldKind.BOOLEAN,
        "user_agent": FieldKind.STRING,
        "app_version": FieldKind.STRING,
        "version_name": FieldKind.STRING,
        "platform": FieldKind.STRING,
        "os_name": FieldKind.STRING,
        "os_version": FieldKind.STRING,
        "device_brand": FieldKind.STRING,
        "device_manufacturer": FieldKind.STRING,
        "device_model": FieldKind.STRING,
        "carrier": FieldKind.STRING,
        "country": FieldKind.STRING,
        "region": FieldKind.STRING,
        "city": FieldKind.STRING,
        "dma": FieldKind.STRING,
        "language": FieldKind.STRING,
        "location_lat": FieldKind.NUMBER,
        "location_lng": FieldKind.NUMBER,
        "ip": FieldKind.STRING,
        "price": FieldKind.NUMBER,
        "quantity": FieldKind.INTEGER,
        "revenue": FieldKind.NUMBER,
        "productId": FieldKind.STRING,
        "revenueType": FieldKind.STRING,
        "currency": FieldKind.STRING,
        "idfa": FieldKind.STRING,
        "idfv": FieldKind.STRING,
        "adid": FieldKind.STRING,
        "android_id": FieldKind.STRING,
        "android_app_set_id": FieldKind.STRING,
        "plan": FieldKind.OBJECT,
        "ingestion_metadata": FieldKind.OBJECT,
        "partner_id": FieldKind.STRING,
        "library": FieldKind.STRING,
        "receipt": FieldKind.ANY,
        "receiptSig": FieldKind.ANY,
        "uuid": FieldKind.ANY,
        "delay": FieldKind.ANY,
    }
)
"""Every key of an event and what its value must be. Other keys are allowed; the server ignores them."""

ID_FIELDS: Final = ("user_id", "device_id")
"""One of the two is required, except on `$groupidentify`."""

PROPERTY_FIELDS: Final = ("event_properties", "user_properties", "group_properties")
"""The objects whose depth is limited and whose keys the application chooses."""

REMOTE: Final = "$remote"
"""The `ip` of an event that stands for the address which its upload comes from."""

IDENTIFY: Final = "$identify"
"""The event type that changes user properties and is not counted as an event."""

GROUP_IDENTIFY: Final = "$groupidentify"
"""The event type that changes group properties; it needs no user and no device."""

REVENUE: Final = "revenue_amount"
"""The event type of the SDKs' revenue calls."""

OPERATIONS: Final = (
    "$clearAll",
    "$unset",
    "$set",
    "$setOnce",
    "$add",
    "$append",
    "$prepend",
    "$preInsert",
    "$postInsert",
    "$remove",
)
"""Operations on properties, in the order in which the server applies those of one event (section 8.2)."""

GROUP_OPERATIONS: Final = frozenset({"$set", "$setOnce", "$add", "$append", "$prepend", "$unset"})
"""The operations that are documented for group properties (section 8.4)."""

RESERVED_EVENT_TYPES: Final = frozenset(
    {
        "[Amplitude] Start Session",
        "[Amplitude] End Session",
        "[Amplitude] Revenue",
        "[Amplitude] Revenue (Verified)",
        "[Amplitude] Revenue (Unverified)",
        "[Amplitude] Merged User",
    }
)
"""Event types the API refuses. Others that start with `[Amplitude] ` are fine: the SDKs send them."""
