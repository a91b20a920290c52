"""Standing in for `amplitude`, for libraries that import it themselves."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Final

_MODULES: Final = (
    *("client", "config", "constants", "event", "exception", "http_client", "plugin", "storage"),
    *("timeline", "utils", "worker"),
)


def install() -> None:
    """From now on in this process, `import amplitude` gives `antinode.amplitude`, and so for its modules.

    Call it before anything imports `amplitude`. Raises `ImportError` if the other SDK has been imported
    already: who has it would go on with it. Does nothing the second time.
    """
    ours = import_module("antinode.amplitude")
    already = sys.modules.get("amplitude")
    if already is ours:
        return
    if already is not None:
        where = getattr(already, "__file__", None) or "somewhere"
        raise ImportError(
            f"amplitude has been imported already, from {where}: call antinode.amplitude.install() first, "
            "at the top of the program"
        )
    sys.modules["amplitude"] = ours
    for name in _MODULES:
        sys.modules[f"amplitude.{name}"] = import_module(f"antinode.amplitude.{name}")
