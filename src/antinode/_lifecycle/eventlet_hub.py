"""Waking eventlet's hub out of a signal handler."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any


class HubWaker:
    """Makes an idle hub look at what was started in a signal handler.

    Python resumes the hub's wait after the handler, for up to a minute, unless a descriptor of its is ready.
    """

    def __init__(self, hub: Any, os: Any) -> None:
        self._hub = hub
        self._os = os
        """The module `os` before it was patched: in the hub nothing may wait, nor try to."""
        self._reader, self._writer = os.pipe()
        for each in (self._reader, self._writer):
            os.set_blocking(each, False)
        self._listener = hub.add(hub.READ, self._reader, self._empty, self._empty, lambda: None)

    @classmethod
    def for_this_thread(cls) -> HubWaker | None:
        """One for the hub of the calling thread, in a process that eventlet has patched; else None."""
        patcher = sys.modules.get("eventlet.patcher")
        hubs = sys.modules.get("eventlet.hubs")
        if patcher is None or hubs is None or not patcher.is_monkey_patched("thread"):
            return None
        return cls(hubs.get_hub(), patcher.original("os"))

    def wake(self) -> None:
        with suppress(OSError):
            self._os.write(self._writer, b"\0")

    def close(self) -> None:
        """Leave the hub; on its own thread."""
        self._hub.remove(self._listener)
        self._os.close(self._reader)
        self._os.close(self._writer)

    def _empty(self, _: object) -> None:
        with suppress(OSError):
            self._os.read(self._reader, 4096)
