"""What an adapter gives the worker, and what it is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypedDict


class Settings(TypedDict, total=False):
    """How to set a peer up; what it has no setting for, it leaves alone."""

    batch: int
    """Events in a request; absent: the peer's own defaults, for size and interval."""
    encoder: str
    """The floor's: orjson or msgspec."""
    gzip: bool
    ca: str
    spool: str
    middleware: int
    """How many of them, each of which adds a property."""
    form: str
    """What each event is logged as: a dict by default; see `antinode_client.logging`."""
    connections: int
    blocks: bool
    """Wait for room rather than queue without bound."""


class Session(NamedTuple):
    """A client, ready."""

    log: Callable[[Any], object]
    """Log one event, given as Amplitude's HTTP API knows it."""
    finish: Callable[[], object]
    """Returns when everything logged has been delivered."""
