"""A local ingestion endpoint with scripted accidents and an exact ledger of what it accepted."""

from antinode.testing.endpoint._process import EndpointProcess
from antinode.testing.endpoint._server import Endpoint

__all__ = ["Endpoint", "EndpointProcess"]
