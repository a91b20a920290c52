"""antinode delivers product-analytics events from Python back ends to Amplitude.

    import antinode

    client = antinode.init("API_KEY")
    client.log_event({"event_type": "Song Played", "user_id": "datamonster@gmail.com"})
    client.flush()

An independent project, not endorsed by Amplitude.
"""

from antinode._version import __version__

TYPE_CHECKING = False  # as type checkers know it; typing itself would be the dearest of these imports

if TYPE_CHECKING:
    from antinode._client import Client
    from antinode._consent import Consent
    from antinode._context import Context, add_context, context, get_context
    from antinode._delivery.ledger import Report, Stats
    from antinode._delivery.messages import HttpResponse, Request, Transport, TransportError, TransportTimeout
    from antinode._delivery.outcome import Delivery, Outcome
    from antinode._delivery.retry import Response, RetryPolicy
    from antinode._errors import AntinodeError, ConfigurationError, EventError, MiddlewareError
    from antinode._events import (
        ContextDict,
        Event,
        EventDict,
        IngestionMetadata,
        IngestionMetadataDict,
        Plan,
        PlanDict,
    )
    from antinode._forgetting.results import DeletionError, DeletionJob, Forgotten
    from antinode._identify import Identify
    from antinode._instances import (
        flush,
        get_instance,
        get_instances,
        group_identify,
        identify,
        init,
        log_event,
        revenue,
        set_group,
        shutdown,
    )
    from antinode._lifecycle.serverless import flushing
    from antinode._middleware import Middleware, MiddlewareNext, MiddlewarePayload
    from antinode._options import Options, OptionsDict
    from antinode._protocol.status import Status
    from antinode._revenue import Revenue
    from antinode._typed_events import TypedEvent
else:
    from antinode._lazy import exports as _exports
    from antinode._lifecycle import exit as process_exit  # noqa: F401 - takes its place among the exit handlers

    __getattr__, __dir__ = _exports(
        __name__,
        {
            "antinode._client": "Client",
            "antinode._consent": "Consent",
            "antinode._context": "Context add_context context get_context",
            "antinode._errors": "AntinodeError ConfigurationError EventError MiddlewareError",
            "antinode._events": "ContextDict Event EventDict IngestionMetadata IngestionMetadataDict Plan"
            " PlanDict",
            "antinode._forgetting.results": "DeletionError DeletionJob Forgotten",
            "antinode._identify": "Identify",
            "antinode._instances": "flush get_instance get_instances group_identify identify init log_event"
            " revenue set_group shutdown",
            "antinode._middleware": "Middleware MiddlewareNext MiddlewarePayload",
            "antinode._options": "Options OptionsDict",
            "antinode._revenue": "Revenue",
            "antinode._typed_events": "TypedEvent",
            "antinode._lifecycle.serverless": "flushing",
            "antinode._delivery.ledger": "Report Stats",
            "antinode._delivery.messages": "HttpResponse Request Transport TransportError TransportTimeout",
            "antinode._delivery.outcome": "Delivery Outcome",
            "antinode._delivery.retry": "Response RetryPolicy",
            "antinode._protocol.status": "Status",
        },
    )
    del TYPE_CHECKING

__all__ = [
    "AntinodeError",
    "Client",
    "ConfigurationError",
    "Consent",
    "Context",
    "ContextDict",
    "DeletionError",
    "DeletionJob",
    "Delivery",
    "Event",
    "EventDict",
    "EventError",
    "Forgotten",
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
    "TypedEvent",
    "__version__",
    "add_context",
    "context",
    "flush",
    "flushing",
    "get_context",
    "get_instance",
    "get_instances",
    "group_identify",
    "identify",
    "init",
    "log_event",
    "revenue",
    "set_group",
    "shutdown",
]
