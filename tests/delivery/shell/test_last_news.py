"""At the end of a client every outcome is told, however many there are; what cannot be told is counted."""

from __future__ import annotations

import threading

import pytest

from antinode._delivery.record import Record
from antinode._delivery.shell.notifier import Notifier


def clock() -> float:
    return 0.0


def records(count: int) -> list[Record]:
    return [Record(b"{}", 0, 0.0) for _ in range(count)]


def test_whoever_ends_takes_the_telling_over() -> None:
    """A thread that is telling stops after the callback that it is in; the ending thread tells the rest."""
    begun, go = threading.Event(), threading.Event()
    told_by: list[str] = []

    def hear(_: Record) -> None:
        told_by.append(threading.current_thread().name)
        if len(told_by) == 1:
            begun.set()
            go.wait(120)

    notifier = Notifier(hear, None, clock)
    notifier.add(settled=records(100))
    coordinator = threading.Thread(target=notifier.tell, name="coordinator")
    coordinator.start()
    assert begun.wait(120)
    ending = threading.Thread(target=notifier.tell_last, args=(20,), name="ending")
    ending.start()
    while not notifier._is_taken_over:
        threading.Event().wait(0.001)
    go.set()
    coordinator.join(120)
    ending.join(120)

    assert told_by == ["coordinator"] + ["ending"] * 99


def test_what_a_stuck_callback_leaves_untold_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    """The log says how many outcomes were not told; the ending does not wait for the callback."""
    begun, go = threading.Event(), threading.Event()

    def stuck(_: Record) -> None:
        begun.set()
        go.wait(120)

    notifier = Notifier(stuck, None, clock)
    notifier.add(settled=records(5))
    coordinator = threading.Thread(target=notifier.tell)
    coordinator.start()
    assert begun.wait(120)
    notifier.tell_last(0.0)
    go.set()
    coordinator.join(120)

    assert "4 outcomes were not told" in caplog.text
