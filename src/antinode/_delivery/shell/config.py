"""The configuration of a sender."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from antinode._delivery.core.config import CoreConfig
from antinode._delivery.messages import FullTransport
from antinode._delivery.outcome import Delivery
from antinode._delivery.record import Record
from antinode._delivery.retry import Response
from antinode._delivery.shell.consent import MayLog

if TYPE_CHECKING:
    from antinode._delivery.shell.exchange import UploadRoute
    from antinode._delivery.shell.feeder import Feeder
    from antinode._delivery.shell.spooler import Spooler
    from antinode._protocol.endpoints import Endpoint


class SenderConfig(msgspec.Struct, frozen=True):
    """The configuration of a sender, beside that of its core."""

    core: CoreConfig
    routes: Mapping[Endpoint, UploadRoute]
    """How uploads reach each endpoint that the core may choose."""
    make_transport: Callable[[], FullTransport]
    name: str = "antinode"
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    request_timeout: float = 10.0
    """Seconds that one request may take."""
    overflow: str = "drop_oldest"
    on_retry: Callable[[Response, int, bool], object] | None = None
    on_outcome: Callable[[Delivery], object] | None = None
    spooler: Spooler | None = None
    """Keeps the records on disk; None: they are in memory alone."""
    feeder: Feeder | None = None
    """Gives the records that others have put into a store; None: they are logged here."""
    is_strict: bool = False
    """Whether logging waits until the record survives a power cut."""
    on_failures: Callable[[Sequence[Record]], object] | None = None
    """Called with records that were rejected or dropped, before anybody else is told."""
    may_log: MayLog | None = None
    """Says of each user, before a request is made, whether their events may be in it."""
    is_debug: bool = False
    """Whether each log line is written, however many there are of its kind."""
    on_start: Callable[[], object] = lambda: None
    """Called before the coordinator is started, in each process that logs."""
