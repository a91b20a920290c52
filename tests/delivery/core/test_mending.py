"""The ledger is put right after an exception, whatever is logged while that is done."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from antinode._delivery.core.config import CoreConfig
from antinode._delivery.core.core import Core
from antinode._delivery.record import Record


def logged(core: Core, count: int) -> None:
    for _ in range(count):
        assert core.admit(Record(b"{}", 1, 0.0))


def interrupting(
    inner: Callable[[], list[Record]], log: Callable[[], None], times: int
) -> Callable[[], list[Record]]:
    """What a destructor does that runs as the records have been looked through, a few times."""
    left = [times]

    def looked_through() -> list[Record]:
        found = inner()
        if left[0]:
            left[0] -= 1
            log()
        return found

    return looked_through


@pytest.mark.parametrize("times", [0, 1, 3])
@pytest.mark.parametrize(
    "torn", [{"pending": 1}, {"accepted": -1}, {"pending_bytes": 2, "accepted": 1}], ids=str
)
def test_events_logged_meanwhile_are_counted(
    monkeypatch: pytest.MonkeyPatch, torn: dict[str, int], times: int
) -> None:
    """By the same thread, which the guard lets through."""
    core = Core(CoreConfig(), random=lambda: 0.0, guard=threading.RLock())
    logged(core, 5)
    for name, by in torn.items():
        setattr(core.ledger, name, getattr(core.ledger, name) + by)
    monkeypatch.setattr(
        core._pending, "records", interrupting(core._pending.records, lambda: logged(core, 1), times)
    )
    core.shedding.mend()
    stats = core.stats(0.0)
    assert (stats.accepted, stats.pending, stats.pending_bytes) == (5 + times, 5 + times, 2 * (5 + times))
    assert stats.balanced
