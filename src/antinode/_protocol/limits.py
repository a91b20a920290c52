"""The limits of the HTTP V2 and Batch APIs, and the waits they ask for. Sizes in bytes, times in seconds."""

from __future__ import annotations

from typing import Final

MAX_EVENTS_PER_REQUEST: Final = 2000
"""Both endpoints; one more is answered 413 (reference, section 5)."""

HTTP_V2_BODY_LIMIT_BYTES: Final = 1_000_000
"""An uncompressed V2 body must be smaller than this (section 5, which does not know if 1 MB means 2**20)."""

BATCH_BODY_LIMIT_BYTES: Final = 20_000_000
"""An uncompressed Batch body must be smaller than this (section 5)."""

GZIP_MIN_BYTES: Final = 2048
"""The official SDKs do not compress a body below this size (section 12)."""

MAX_STRING: Final = 1024
"""Code points of an id, an event type or a property value; the server cuts the rest off (section 5)."""

UNLIMITED_PROPERTIES: Final = ("[Agent] ", "$llm_message.")
"""What the names of properties begin with that are kept whole, however long: what is said to and by a
language model. `$llm_message` is such a property too, when it is an object."""

MAX_DEPTH: Final = 40
"""Layers of a properties object; the object itself is the first, arrays count too (section 5)."""

MAX_PROPERTIES: Final = 1024
"""Keys of one properties object. The API sets no limit; SDKs refuse above 1000 or 1024 (section 5)."""

DEFAULT_MIN_ID_LENGTH: Final = 5
"""Code points of a `user_id` or `device_id`; a request's `options.min_id_length` wins (section 4.1)."""

MAX_GROUP_TYPES: Final = 5
"""Group types in the `groups` of one event; the server ignores the others (section 5)."""

MAX_GROUP_VALUES: Final = 10
"""Group names in the `groups` of one event, over all types; the server ignores the others (section 5)."""

MAX_GROUP_IDENTIFICATIONS: Final = 1024
"""Entries of one Group Identify API request (section 5)."""

MAX_GROUP_PROPERTIES: Final = 1024
"""Group properties of one Group Identify API request, over all its entries (section 5)."""

MAX_PROPERTY_ARRAY: Final = 10_000
"""Characters of a user property array that `$append` or `$prepend` let grow (section 5)."""

HTTP_V2_EVENTS_PER_SECOND: Final = 30
"""Events of one user or device, averaged over 30 s, above which V2 throttles (section 5)."""

BATCH_EVENTS_PER_SECOND: Final = 1000
"""Events of one user or device, averaged over 30 s, above which Batch throttles (section 5)."""

RATE_WINDOW_SECONDS: Final = 30.0
"""The time over which the rate of a user or device is averaged (section 5)."""

DAILY_QUOTA: Final = 500_000
"""Batch: events of one user or device in a rolling day (section 5)."""

ID_HOLD_SECONDS: Final = 30.0
"""How long a throttled user or device waits. Batch documents 15 s too, elsewhere 30 s (section 13.6)."""

PROJECT_WAIT_SECONDS: Final = 60.0
"""How long everything waits when the project as a whole is throttled (section 13.6)."""

MAX_RETRY_AFTER_SECONDS: Final = 3600.0
"""Our own bound: a longer `Retry-After` is taken for a mistake and cut to this."""

DEDUPLICATION_WINDOW_SECONDS: Final = 7 * 86_400.0
"""How long the server remembers an `insert_id` (section 6)."""
