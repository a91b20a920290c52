"""For your tests: what your code logs, and a local ingestion endpoint that has accidents on demand.

pytest finds the fixtures `amplitude` and `local_amplitude` by itself; `capture()` is for everything else. See
docs/testing.md.
"""

TYPE_CHECKING = False

if TYPE_CHECKING:
    from unittest.mock import ANY

    from antinode.testing import faults
    from antinode.testing._arrival import Arrival
    from antinode.testing._capture import Captured, Events, capture
    from antinode.testing._captured import CapturedEvent
    from antinode.testing._ledger import Duplicate, OutOfOrder
    from antinode.testing._transports import check_transport
    from antinode.testing.endpoint import Endpoint, EndpointProcess
    from antinode.testing.faults import Answer, Fault
else:
    from antinode._lazy import exports as _exports

    __getattr__, __dir__ = _exports(
        __name__,
        {
            "unittest.mock": "ANY",
            "antinode.testing._arrival": "Arrival",
            "antinode.testing._capture": "Captured Events capture",
            "antinode.testing._captured": "CapturedEvent",
            "antinode.testing._ledger": "Duplicate OutOfOrder",
            "antinode.testing._transports": "check_transport",
            "antinode.testing.endpoint": "Endpoint EndpointProcess",
            "antinode.testing.faults": "Answer Fault",
        },
    )
    del TYPE_CHECKING

__all__ = [
    "ANY",
    "Answer",
    "Arrival",
    "Captured",
    "CapturedEvent",
    "Duplicate",
    "Endpoint",
    "EndpointProcess",
    "Events",
    "Fault",
    "OutOfOrder",
    "capture",
    "check_transport",
    "faults",
]
