"""Ready-made middleware: what most back ends do to their events before they leave.

    from antinode.middleware import hash_ids, redact

    client.add_event_middleware(hash_ids(b"a secret of yours"))
    client.add_event_middleware(redact())

Each function here returns a middleware. They work on the middleware's own copy of an event, so what the
application holds does not change, and what they take out is in no queue, spool, dead letter or log. If one
breaks, the event is not sent (docs/middleware.md).
"""

from antinode.middleware._edit import add_properties, rename
from antinode.middleware._filter import allow, drop
from antinode.middleware._ids import hash_ids
from antinode.middleware._rates import rate_limit, sample
from antinode.middleware._redact import PATTERNS, SENSITIVE_KEYS, redact
from antinode.middleware._tee import tee

__all__ = [
    "PATTERNS",
    "SENSITIVE_KEYS",
    "add_properties",
    "allow",
    "drop",
    "hash_ids",
    "rate_limit",
    "redact",
    "rename",
    "sample",
    "tee",
]
