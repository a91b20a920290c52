"""A pytest plugin that has threads, answers and waits come late at random: tests that rely on luck fail.

A test that is right waits for what it relies on, and passes however late that comes.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from antinode.testing import Endpoint

LATE_SHARE = 0.5
LATE_BY_AT_MOST_SECONDS = 0.2

# One of its own: what Hypothesis makes up comes from the one that modules share.
_random = random.Random()


def dawdle() -> None:
    """Take a moment, or none."""
    if _random.random() < LATE_SHARE:
        time.sleep(_random.random() * LATE_BY_AT_MOST_SECONDS)


def pytest_configure(config: pytest.Config) -> None:
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    # An answer is late: its events are accepted, and the client does not know yet.
    patch.setattr(Endpoint, "_send", _after_a_moment(Endpoint._send))
    # The test is late: what it has waited for is over, and what comes afterwards may be, too.
    patch.setattr(Endpoint, "_wait", _before_a_moment(Endpoint._wait))
    # A thread has been started, and does nothing yet.
    patch.setattr(threading.Thread, "run", _after_a_moment(threading.Thread.run))
    patch.setattr(threading.Condition, "wait", _woken_late(threading.Condition.wait))


def _after_a_moment(call: Callable[..., Any]) -> Callable[..., Any]:
    def late(*args: Any, **kwargs: Any) -> Any:
        dawdle()
        return call(*args, **kwargs)

    return late


def _before_a_moment(call: Callable[..., Any]) -> Callable[..., Any]:
    def late(*args: Any, **kwargs: Any) -> Any:
        result = call(*args, **kwargs)
        dawdle()
        return result

    return late


def _woken_late(wait: Callable[..., bool]) -> Callable[..., bool]:
    def late(condition: Any, timeout: float | None = None) -> bool:
        met = wait(condition, timeout)
        # As when another thread has taken the lock first.
        held = condition._release_save()
        try:
            dawdle()
        finally:
            condition._acquire_restore(held)
        return met

    return late
