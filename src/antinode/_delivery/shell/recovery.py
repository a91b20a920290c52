"""Recovery from exceptions that interrupted the sender on a thread of the application."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from antinode._delivery.shell.locks import Locks, is_interrupting

if TYPE_CHECKING:
    from antinode._delivery.core.core import Core
    from antinode._delivery.shell.keeper import Keeper
    from antinode._delivery.shell.notifier import Notifier
    from antinode._delivery.shell.wakeup import Wakeup


class Recovery:
    """Releases locks, and makes the ledger agree with the records: a signal handler may raise anywhere."""

    def __init__(
        self,
        core: Core,
        locks: Locks,
        wakeup: Wakeup,
        notifier: Notifier,
        keeper: Keeper | None,
        ring: Callable[[], object],
    ) -> None:
        self._core = core
        self._locks = locks
        self._wakeup = wakeup
        self._notifier = notifier
        self._keeper = keeper
        self._ring = ring
        self.is_torn = False
        """Whether an exception may have left the ledger in disagreement with the records."""

    def recover(self) -> None:
        """Release what is locked, and mend the ledger.

        If the exception interrupted this thread's own work, the locks are that work's, and so may be what is
        torn: then the ledger is left to whoever decides next.
        """
        self.is_torn = True
        if is_interrupting():
            return
        self._notifier.recover()
        self._locks.let_go()
        if self._keeper is not None:
            self._keeper.recover()
        with self._locks.deciding:
            self.mend()
        # The record is in the queue, though the exception may have been raised before the bell rang.
        self._wakeup.arm()
        self._ring()

    def mend(self) -> None:
        """Mend the ledger if it may be torn. Under `deciding`."""
        if self.is_torn:
            self._core.shedding.mend()
            self.is_torn = False

    def is_inside(self) -> bool:
        """Whether the calling thread has interrupted its own work, whose locks other threads wait for."""
        if not self._locks.is_deciding:
            return False
        if not is_interrupting():
            # An exception left the locks taken, and nobody is at work.
            self.recover()
            return False
        return True
