"""A local Amplitude: see your events before production does.

    with antinode.server.running() as server:
        client = antinode.init("any key", server_url=server.server_url)

`antinode serve` is the same on the command line, with a page to watch events arrive on.
"""

try:
    import httptools as _httptools  # noqa: F401 - asked for here, so that what is missing is told in one place
    import starlette as _starlette  # noqa: F401
    import uvicorn as _uvicorn  # noqa: F401
except ModuleNotFoundError as _missing:
    raise ImportError(
        f'antinode.server needs {_missing.name}, which an extra brings: pip install "antinode[server]"',
        name=_missing.name,
    ) from _missing

from antinode.server.faults import Fault, FaultView
from antinode.server.remote import Api, ApiError, Event, History, Upload
from antinode.server.rules import ApiKey, Rules
from antinode.server.running import Running, running

__all__ = [
    "Api",
    "ApiError",
    "ApiKey",
    "Event",
    "Fault",
    "FaultView",
    "History",
    "Rules",
    "Running",
    "Upload",
    "running",
]
