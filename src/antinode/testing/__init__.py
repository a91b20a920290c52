"""What antinode's own tests use, for yours: a local ingestion endpoint that has accidents on demand."""

from antinode.testing import faults
from antinode.testing._arrival import Arrival
from antinode.testing._ledger import Duplicate, OutOfOrder
from antinode.testing._transports import check_transport
from antinode.testing.endpoint import Endpoint, EndpointProcess
from antinode.testing.faults import Answer, Fault

__all__ = [
    "Answer",
    "Arrival",
    "Duplicate",
    "Endpoint",
    "EndpointProcess",
    "Fault",
    "OutOfOrder",
    "check_transport",
    "faults",
]
