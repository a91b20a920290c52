"""The constants of `amplitude.constants`; `SDK_LIBRARY` and `SDK_VERSION` name antinode."""

from __future__ import annotations

from enum import Enum
from typing import Final

from antinode._version import __version__

SDK_LIBRARY: Final = "antinode"
SDK_VERSION: Final = __version__

EU_ZONE: Final = "EU"
DEFAULT_ZONE: Final = "US"
BATCH: Final = "batch"
HTTP_V2: Final = "v2"
SERVER_URL: Final = {
    zone: {BATCH: f"https://{host}/batch", HTTP_V2: f"https://{host}/2/httpapi"}
    for zone, host in ((EU_ZONE, "api.eu.amplitude.com"), (DEFAULT_ZONE, "api2.amplitude.com"))
}
LOGGER_NAME: Final = "amplitude"

IDENTIFY_EVENT: Final = "$identify"
GROUP_IDENTIFY_EVENT: Final = "$groupidentify"
IDENTITY_OP_ADD: Final = "$add"
IDENTITY_OP_APPEND: Final = "$append"
IDENTITY_OP_CLEAR_ALL: Final = "$clearAll"
IDENTITY_OP_PREPEND: Final = "$prepend"
IDENTITY_OP_SET: Final = "$set"
IDENTITY_OP_SET_ONCE: Final = "$setOnce"
IDENTITY_OP_UNSET: Final = "$unset"
IDENTITY_OP_PRE_INSERT: Final = "$preInsert"
IDENTITY_OP_POST_INSERT: Final = "$postInsert"
IDENTITY_OP_REMOVE: Final = "$remove"
UNSET_VALUE: Final = "-"

REVENUE_PRODUCT_ID: Final = "$productId"
REVENUE_QUANTITY: Final = "$quantity"
REVENUE_PRICE: Final = "$price"
REVENUE_TYPE: Final = "$revenueType"
REVENUE_RECEIPT: Final = "$receipt"
REVENUE_RECEIPT_SIG: Final = "$receiptSig"
REVENUE: Final = "$revenue"
REVENUE_CURRENCY: Final = "$currency"
AMP_REVENUE_EVENT: Final = "revenue_amount"

MAX_PROPERTY_KEYS: Final = 1024
MAX_STRING_LENGTH: Final = 1024
FLUSH_QUEUE_SIZE: Final = 200
FLUSH_INTERVAL_MILLIS: Final = 10000
FLUSH_MAX_RETRIES: Final = 12
CONNECTION_TIMEOUT: Final = 10.0
"""Seconds."""
MAX_BUFFER_CAPACITY: Final = 20000


class PluginType(Enum):
    """When a plugin sees an event."""

    BEFORE = 0
    ENRICHMENT = 1
    DESTINATION = 2
    OBSERVE = 3

    __hash__ = object.__hash__  # Enum's own is slow, and events look plugins up by it


class EventLogLevel(Enum):
    """The level at which each event is logged once it has ended."""

    NONE = 0
    DEBUG = 1
    INFO = 2
