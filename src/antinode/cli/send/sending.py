"""One event on its way, through the same client that applications use."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from antinode._client import Client
from antinode._delivery.outcome import Delivery
from antinode._delivery.record import Record
from antinode._protocol.limits import DEFAULT_MIN_ID_LENGTH
from antinode._protocol.validation import examine
from antinode.cli.params.destination import usage_errors
from antinode.cli.send import fate

if TYPE_CHECKING:
    from antinode.cli.params.destination import Destination

_LOOK_EVERY_SECONDS: Final = 0.25


def send(
    event: dict[str, Any],
    destination: Destination,
    *,
    timeout: float,
    while_waiting: Callable[[str], None] = lambda _: None,
) -> fate.Fate:
    """Send the event and wait for its fate, at most `timeout` seconds.

    `while_waiting` hears a few times a second why it has not settled yet; empty while nothing has failed.
    """
    event = {"insert_id": str(uuid.uuid4())} | event
    log = logging.getLogger("antinode")
    # The command itself tells what the client would log, in other words.
    was_disabled, log.disabled = log.disabled, True
    client = Client("command-line")
    try:
        with usage_errors():
            client.init(destination.key(), **destination.options)
        shortest = destination.options.get("min_id_length", DEFAULT_MIN_ID_LENGTH)
        # The client mends the event likewise, but only logs what it did.
        examined = examine(event, min_id_length=shortest, now_ms=time.time_ns() // 1_000_000, leaves_out=True)
        started = time.monotonic()
        delivery = client.log_event(event)  # type: ignore[arg-type]  # what it holds is for the client to judge
        ended = threading.Event()
        # From now on somebody waits: a wrong key is answered rather than waited out.
        delivery.add_done_callback(lambda _: ended.set())
        told: dict[str, Any] = {
            "insert_id": str(event["insert_id"]),
            "server_url": destination.shown_url(),
            "notes": examined.notes,
        }
        while True:
            passed = time.monotonic() - started
            if delivery.outcome is not None:
                return fate.settled(delivery.outcome, seconds=passed, **told)
            if passed >= timeout:
                stats = client.stats()
                return fate.pending(stats, attempts=_attempts(delivery), seconds=timeout, **told)
            stats = client.stats()
            while_waiting(fate.why_pending(stats) if stats.last_error or stats.stalled else "")
            if stats.stalled:
                # The answer may have come before anybody waited; what is asked for again is tried again soon.
                client.flush(0)
            ended.wait(min(_LOOK_EVERY_SECONDS, timeout - passed))
    finally:
        client.shutdown(0)
        log.disabled = was_disabled


def _attempts(delivery: Delivery) -> int:
    return delivery.attempts if isinstance(delivery, Record) else 0
