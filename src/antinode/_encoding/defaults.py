"""What a complete event has: a time, an insert_id, and what its client says of all events."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from antinode._encoding.insert_ids import InsertIds
from antinode._version import __version__

LIBRARY: Final = f"antinode/{__version__}"


class Defaults:
    """The defaults of one client's events; `plan` and `ingestion_metadata` are merged key by key."""

    def __init__(
        self, *, plan: Mapping[str, Any] | None = None, ingestion_metadata: Mapping[str, Any] | None = None
    ) -> None:
        self._merged: dict[str, dict[str, Any]] = {}
        if plan:
            self._merged["plan"] = dict(plan)
        if ingestion_metadata:
            self._merged["ingestion_metadata"] = dict(ingestion_metadata)
        self.constants: Final[dict[str, Any]] = {"library": LIBRARY, **self._merged}
        """What is the same for every event that says nothing else."""
        self.insert_ids = InsertIds()

    def fill_in(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """A new dict: the event with everything that it lacks."""
        complete = {key: value for key, value in event.items() if value is not None}
        complete.setdefault("time", time.time_ns() // 1_000_000)
        if complete.get("insert_id", "") == "":
            complete["insert_id"] = next(self.insert_ids)
        complete.setdefault("library", LIBRARY)
        for key, default in self._merged.items():
            own = complete.get(key)
            if own is None:
                complete[key] = dict(default)
            elif isinstance(own, Mapping):
                complete[key] = {**default, **own}
        return complete
