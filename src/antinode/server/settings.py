"""How a local Amplitude is set up."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from antinode.plan._models import TrackingPlan
from antinode.server.clock import Clock
from antinode.server.engine import Amplitude, OnUpload
from antinode.server.faults.faults import Fault, Faults
from antinode.server.plan_file import PlanFile, PlanReading
from antinode.server.rules import Rules

DEFAULT_PORT: Final = 8300

MAX_EVENTS_IN_MEMORY: Final = 200_000
"""Keeps a server that runs for weeks below a few hundred megabytes."""


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a local Amplitude is set up."""

    host: str = "127.0.0.1"
    """Where to listen. Anything but loopback lets others in: everything is readable without a password."""
    allowed_hosts: tuple[str, ...] = ()
    """Names by which the API is asked besides the server's own; whoever owns one can read everything."""
    port: int = DEFAULT_PORT
    """0: any free one."""
    tls: Callable[[], ssl.SSLContext] | None = None
    """Gives the context of each new connection over TLS; None: plain HTTP."""
    data: Path | None = None
    """The SQLite file to keep everything in; None: in memory, gone at the end."""
    max_events: int | None = None
    """How many events are kept, the newest. None: 200,000 in memory, all of them with `data`."""
    rules: Rules = Rules()
    """Those in force from the start."""
    faults: tuple[Fault, ...] = ()
    """Those in force from the start."""
    seed: int | None = None
    """Makes faults with a percentage strike the same requests again."""
    plan: TrackingPlan | PlanFile | None = None
    """What is seen is shown beside it; it changes nothing about what is accepted. A file is followed."""
    on_plan: Callable[[PlanReading], None] | None = None
    """Told of each change of the plan's file; None: the log is."""
    on_upload: OnUpload | None = None
    """Told of each upload once it is committed, on the engine's thread."""

    def engine(self, on_upload: OnUpload) -> Amplitude:
        """The engine of these settings. Raises what `Amplitude` raises for the file."""
        max_events = self.max_events
        if max_events is None and self.data is None:
            max_events = MAX_EVENTS_IN_MEMORY
        clock = Clock()
        return Amplitude(
            data=self.data,
            max_events=max_events,
            rules=self.rules,
            clock=clock,
            faults=Faults(self.faults, seed=self.seed, now_ms=clock.now_ms()),
            plan=self.plan.plan if isinstance(self.plan, PlanFile) else self.plan,
            on_upload=on_upload,
        )
