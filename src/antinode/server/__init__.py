"""A local Amplitude: see your events before production does.

    with antinode.server.running() as server:
        client = antinode.init("any-key", server_url=server.server_url)

`antinode serve` is the same on the command line, with a page to watch events arrive on.
"""

TYPE_CHECKING = False

if TYPE_CHECKING:
    from antinode.server.background import Running, running
    from antinode.server.client import Api, ApiError, Event, History, Upload
    from antinode.server.faults.faults import Fault, FaultView
    from antinode.server.rules import ApiKey, Rules
else:
    from antinode._lazy import exports as _exports

    # The rules, and a client of a server elsewhere, need no web server.
    __getattr__, __dir__ = _exports(
        __name__,
        {
            "antinode.server.faults.faults": "Fault FaultView",
            "antinode.server.client": "Api ApiError Event History Upload",
            "antinode.server.rules": "ApiKey Rules",
            "antinode.server.background": "Running running",
        },
    )
    del TYPE_CHECKING

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
