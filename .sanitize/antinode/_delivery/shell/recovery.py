"""Putting right what an exception left half done in what the application called, on its thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from antinode._delivery.shell.locks import Locks, is_interrupting

if TYPE_CHECKING:
    from antinode._delivery.core.core import Core
    from antinode._delivery.shell.notifier import Notifier
    from antinode._delivery.shell.spooler import Spooler
    from antinode._delivery.shell.wakeup import Wakeup


class Recovery:
    """Gives back locks, and has the ledger follow the records. A signal handler may raise anywhere."""

    def __init__(
        self,
        core: Core,
        locks: Locks,
        wakeup: Wakeup,
        notifier: Notifier,
        spooler: Spooler | None,
        ring: Callable[[], object],
    ) -> None:
        self._core = core
        self._locks = locks
        self._wakeup = wakeup
        self._notifier = notifier
        self._spooler = spooler
        self._ring = ring
        self.is_torn = False
        """Whether an exception may have left the ledger torn."""

    def recover(self) -> None:
        """Put everything right.

        Where the exception interrupted this thread's own work, what is torn may be that work's, and the locks
        are its: then whoever decides next sees to the ledger.
        """
        self.is_torn = True
        if is_interrupting():
            return
        self._notifier.recover()
        self._locks.let_go()
        if self._spooler is not None:
            self._spooler.recover()
        with self._locks.deciding:
            self.mend()
        # What was being logged is in the queue, though the exception may have come before the bell.
        self._wakeup.arm()
        self._ring()

    def mend(self) -> None:
        """Put the ledger right if it may be torn, under `deciding`."""
        if self.is_torn:
            self._core.mend()
            self.is_torn = False

    def is_inside(self) -> bool:
        """Whether the calling thread has interrupted its own work, whose locks other threads wait for."""
        if not self._locks.is_deciding:
            return False
        if not is_interrupting():
            # The locks were left by an exception: nobody is at work.
            self.recover()
            return False
        return True
