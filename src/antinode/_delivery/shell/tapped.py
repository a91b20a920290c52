"""The sender of a test: it hands each event to a tap, and nothing leaves the process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from antinode._delivery.core.response_handler import Note
from antinode._delivery.outcome import DELIVERED, Outcome
from antinode._delivery.record import Record
from antinode._delivery.shell.config import SenderConfig
from antinode._delivery.shell.sender import SHUT_DOWN, SHUT_DOWN_NOTE, Sender
from antinode._protocol.status import Status

_TAKEN = Outcome(DELIVERED, Status.SUCCESS, "delivered", 200, "a test took the event", attempts=1)


class EventTap(Protocol):
    """What a `TappedSender` hands events to. All calls come on the thread that logs."""

    def take(self, body: bytes) -> None:
        """Take an event, as it would go on the wire."""

    def complain(self, problem: str) -> None:
        """Hear what the log would tell of an event: it was refused or mended, or has an unknown key."""


class TappedSender(Sender):
    """Hands each event to a tap, with which it has ended as delivered. Starts no thread, keeps nothing."""

    is_tapped = True

    def __init__(
        self,
        config: SenderConfig,
        *,
        clock: Callable[[], float],
        random: Callable[[], float],
        tap: EventTap,
    ) -> None:
        super().__init__(config, clock=clock, random=random)
        self._tap = tap
        self.submit = self._hand_over

    def _hand_over(self, record: Record) -> None:
        if self.lifetime.is_closed:
            self.refuse(record, SHUT_DOWN, SHUT_DOWN_NOTE)
            return
        self._tap.take(record.body)
        self._core.settlement.refuse(record, _TAKEN, is_kept=True)
        self._tell(record)

    def refuse(self, record: Record, outcome: Outcome, note: str | None = None) -> None:
        self._core.settlement.refuse(record, outcome, is_kept=True)
        self._tell(record)
        if note is not None:
            self.say("WARNING", outcome.reason, note)

    def say(self, level: str, key: str, text: str) -> None:
        self._works.notifier.add(notes=(Note(level, key, text),))
        self._works.notifier.tell()
        if level != "INFO":
            self._tap.complain(text)

    def open_store(self) -> None:
        """There is none."""

    def _tell(self, record: Record) -> None:
        with self._locks.deciding:
            self._works.collector.collect()
        self._works.notifier.tell()
        if record.outcome is _TAKEN:
            record.body = b""
