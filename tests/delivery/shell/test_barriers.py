"""What somebody who waits for delivery is told, after five seconds: what the wait is for."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from antinode._delivery.core.core import Core, CoreConfig
from antinode._delivery.core.patience import SAYS_WHY_AFTER_SECONDS
from antinode._delivery.core.response_handler import Note
from antinode._delivery.record import Record
from antinode._delivery.shell.barriers import Barriers
from antinode._protocol.responses import Action, Verdict
from antinode._protocol.status import Status


class Waiting:
    """A core with events, and somebody who waits for them; time is given."""

    def __init__(self, count: int = 1, *, connections: int = 1) -> None:
        self.core = Core(CoreConfig(max_batch_events=1, connections=connections), random=lambda: 0.5)
        self.told: list[Note] = []
        notifier: Any = SimpleNamespace(is_busy=False, add=self.tell)
        locks: Any = SimpleNamespace(deciding=nullcontext())
        lifetime: Any = SimpleNamespace(is_stopped=False)
        self.barriers = Barriers(self.core, locks, lifetime, notifier, None)
        for number in range(count):
            self.core.admit(Record(b"{}", number, 0.0))
        self.barriers.put_up(lambda: None, 0.0, is_patient=True)
        self.uploads = self.core.next_uploads(0.0)

    def tell(self, notes: tuple[Note, ...]) -> None:
        self.told += notes

    def answer(self, verdict: Verdict, now: float) -> None:
        self.core.respond(self.uploads[0].number, verdict, now)

    def line(self) -> Note:
        """The one line, which comes after five seconds and not again."""
        self.barriers.look_after(SAYS_WHY_AFTER_SECONDS - 0.1)
        assert not self.told
        self.barriers.look_after(SAYS_WHY_AFTER_SECONDS)
        self.barriers.look_after(SAYS_WHY_AFTER_SECONDS + 1.0)
        (note,) = self.told
        return note


def test_a_server_that_hangs_is_told_of() -> None:
    """Nothing has failed yet, but nothing has come either: that is worth a warning."""
    note = Waiting(2).line()
    assert note.level == "WARNING"
    assert note.text.startswith("still waiting for 2 events after 5 s; the server has answered nothing")


def test_progress_is_no_warning() -> None:
    """Where events are delivered all the time, the line is for whoever wants to know."""
    waiting = Waiting(2)
    waiting.answer(Verdict(Action.DELIVERED, Status.SUCCESS, 200, "OK"), 1.0)
    assert waiting.line() == Note("INFO", "flush_waits", "still waiting for 1 event after 5 s; being sent")


@pytest.mark.parametrize(
    ("action", "cause"), [(Action.RETRY, "outage: 503: busy"), (Action.WAIT, "throttle: 503: busy")]
)
def test_a_time_that_the_server_named_is_told(action: Action, cause: str) -> None:
    """Who waits for it knows how long that will be."""
    waiting = Waiting()
    waiting.answer(Verdict(action, Status.FAILED, 503, "busy", wait=3600.0), 1.0)
    note = waiting.line()
    assert note.level == "WARNING"
    assert note.text.endswith(f"{cause}; the next attempt is in 3,596 s")
