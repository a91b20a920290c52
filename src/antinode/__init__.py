"""antinode delivers product-analytics events from Python back ends to Amplitude.

    import antinode

    client = antinode.init("API_KEY")
    client.log_event({"event_type": "Song Played", "user_id": "datamonster@gmail.com"})
    client.flush()

An independent project, not endorsed by Amplitude.
"""

from antinode._client import Client
from antinode._errors import AntinodeError, ConfigurationError, EventError, MiddlewareError
from antinode._events import Event, EventDict, IngestionMetadata, IngestionMetadataDict, Plan, PlanDict
from antinode._identify import Identify
from antinode._instances import (
    flush,
    get_instance,
    group_identify,
    identify,
    init,
    log_event,
    revenue,
    set_group,
    shutdown,
)
from antinode._middleware import Middleware, MiddlewareNext, MiddlewarePayload
from antinode._options import Options, OptionsDict
from antinode._revenue import Revenue
from antinode._serverless import flushing
from antinode._version import __version__
from antinode.delivery.ledger import Report, Stats
from antinode.delivery.messages import HttpResponse, Request, Transport, TransportError, TransportTimeout
from antinode.delivery.record import Delivery, Outcome
from antinode.delivery.retry import Response, RetryPolicy
from antinode.protocol.status import Status

__all__ = [
    "AntinodeError",
    "Client",
    "ConfigurationError",
    "Delivery",
    "Event",
    "EventDict",
    "EventError",
    "HttpResponse",
    "Identify",
    "IngestionMetadata",
    "IngestionMetadataDict",
    "Middleware",
    "MiddlewareError",
    "MiddlewareNext",
    "MiddlewarePayload",
    "Options",
    "OptionsDict",
    "Outcome",
    "Plan",
    "PlanDict",
    "Report",
    "Request",
    "Response",
    "RetryPolicy",
    "Revenue",
    "Stats",
    "Status",
    "Transport",
    "TransportError",
    "TransportTimeout",
    "__version__",
    "flush",
    "flushing",
    "get_instance",
    "group_identify",
    "identify",
    "init",
    "log_event",
    "revenue",
    "set_group",
    "shutdown",
]
