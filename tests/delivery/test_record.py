"""A record: its outcome, and those who wait for it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import pytest

from antinode._delivery.outcome import DELIVERED, DROPPED, Outcome
from antinode._delivery.record import Record, notify
from antinode._protocol.status import Status

GOOD = Outcome(DELIVERED, Status.SUCCESS, "delivered", 200, attempts=1)


def settle(record: Record) -> None:
    record.outcome = GOOD
    notify(record)


def test_result_waits_for_the_outcome() -> None:
    """`result` blocks until another thread has settled the event."""
    record = Record(b"{}", 1, 0.0)
    settling = threading.Thread(target=settle, args=(record,))
    settling.start()
    assert record.result(timeout=float("inf")) is GOOD
    assert record.result(timeout=0) is GOOD
    settling.join()


def test_result_raises_when_its_time_is_over() -> None:
    """A result that does not come in time raises, says that the event goes on, and leaves nothing behind."""
    record = Record(b"{}", 1, 0.0)
    with pytest.raises(TimeoutError, match="still being delivered"):
        record.result(timeout=0)
    with pytest.raises(TimeoutError):
        record.result(timeout=-5)
    assert record.callbacks == []


def test_callbacks_run_once_each_and_in_order() -> None:
    """Callbacks run in the order in which they were added, each once, and at once when it is too late."""
    record = Record(b"{}", 1, 0.0)
    heard: list[str] = []
    record.add_done_callback(lambda _: heard.append("first"))
    record.add_done_callback(lambda _: heard.append("second"))
    settle(record)
    notify(record)
    record.add_done_callback(lambda _: heard.append("late"))
    assert heard == ["first", "second", "late"]
    assert record.callbacks is None


def test_a_callback_that_raises_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """What a callback raises is logged; those after it run."""
    record = Record(b"{}", 1, 0.0)
    heard: list[Record] = []
    record.add_done_callback(lambda _: 1 / 0)
    record.add_done_callback(heard.append)
    with caplog.at_level(logging.ERROR, "antinode"):
        settle(record)
    assert heard == [record]
    assert "a callback of a delivery raised" in caplog.text


class Contended(list[Callable[[Record], object]]):
    """A list of callbacks that is emptied by the settling thread just before another one joins."""

    def __init__(self, record: Record) -> None:
        super().__init__()
        self.record = record

    def append(self, fn: Callable[[Record], object]) -> None:
        settle(self.record)
        super().append(fn)


def test_no_callback_is_lost_between_settling_and_adding() -> None:
    """A callback that joins a list which has just been worked off runs all the same."""
    record = Record(b"{}", 1, 0.0)
    heard: list[Record] = []
    record.callbacks = Contended(record)
    record.add_done_callback(heard.append)
    assert heard == [record]


def test_an_outcome_knows_the_attempts_of_its_record() -> None:
    """Records of one answer share an outcome except for their attempts."""
    assert GOOD.after(1) is GOOD
    assert GOOD.after(3).attempts == 3
    assert GOOD.ok
    assert not Outcome(DROPPED, Status.FAILED, "expired").ok


def test_a_repr_tells_the_fate_and_not_the_event() -> None:
    """The repr names the outcome; no part of the event is in it."""
    record = Record(b'{"secret":1}', 1, 0.0)
    assert repr(record) == "<Delivery pending, attempts 0>"
    assert record.event() == {"secret": 1}
    settle(record)
    assert repr(record) == "<Delivery delivered (delivered), code 200, attempts 0>"
    record.body = b""
    assert record.event() == {}
