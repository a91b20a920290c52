"""The keys of an event, and the event types that mean something to Amplitude.

Reference, sections 3 (fields), 8 (operations), 10 (revenue) and 11 (reserved names).
"""

from __future__ import annotations

import enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


class Kind(enum.Enum):
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


FIELDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "user_id": Kind.STRING,
        "device_id": Kind.STRING,
        "event_type": Kind.STRING,
        "time": Kind.INTEGER,
        "insert_id": Kind.STRING,
        "event_id": Kind.INTEGER,
        "session_id": Kind.INTEGER,
        "event_properties": Kind.OBJECT,
        "user_properties": Kind.OBJECT,
        "groups": Kind.OBJECT,
        "group_properties": Kind.OBJECT,
        "$skip_user_properties_sync": Kind.BOOLEAN,
        "user_agent": Kind.STRING,
        "app_version": Kind.STRING,
        "version_name": Kind.STRING,
        "platform": Kind.STRING,
        "os_name": Kind.STRING,
        "os_version": Kind.STRING,
        "device_brand": Kind.STRING,
        "device_manufacturer": Kind.STRING,
        "device_model": Kind.STRING,
        "carrier": Kind.STRING,
        "country": Kind.STRING,
        "region": Kind.STRING,
        "city": Kind.STRING,
        "dma": Kind.STRING,
        "language": Kind.STRING,
        "location_lat": Kind.NUMBER,
        "location_lng": Kind.NUMBER,
        "ip": Kind.STRING,
        "price": Kind.NUMBER,
        "quantity": Kind.INTEGER,
        "revenue": Kind.NUMBER,
        "productId": Kind.STRING,
        "revenueType": Kind.STRING,
        "currency": Kind.STRING,
        "idfa": Kind.STRING,
        "idfv": Kind.STRING,
        "adid": Kind.STRING,
        "android_id": Kind.STRING,
        "android_app_set_id": Kind.STRING,
        "plan": Kind.OBJECT,
        "ingestion_metadata": Kind.OBJECT,
        "partner_id": Kind.STRING,
        "library": Kind.STRING,
        "receipt": Kind.ANY,
        "receiptSig": Kind.ANY,
        "uuid": Kind.ANY,
        "delay": Kind.ANY,
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
