"""Signals in the midst of a command."""

from __future__ import annotations

import signal
import sys
import threading

import pytest

from antinode.cli.ui.interrupts import Interrupts

if sys.platform == "win32":
    pytest.skip("signals as POSIX has them", allow_module_level=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_is_noted_and_the_next_is_what_it_was(number: signal.Signals) -> None:
    """The first one sets `is_set` and calls, once; the one after it has its usual effect."""
    heard: list[str] = []
    usual = signal.signal(number, lambda *_: heard.append("usual"))
    try:
        with Interrupts(lambda: heard.append("first")) as interrupts:
            assert not interrupts.is_set
            signal.raise_signal(number)
            assert interrupts.is_set
            signal.raise_signal(number)
        signal.raise_signal(number)
    finally:
        signal.signal(number, usual)
    assert heard == ["first", "usual", "usual"]


def test_another_thread_has_no_signals() -> None:
    """There it changes nothing, and does not fail."""
    seen: list[bool] = []

    def work() -> None:
        with Interrupts() as interrupts:
            seen.append(interrupts.is_set)

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]
    assert signal.getsignal(signal.SIGINT) is before
