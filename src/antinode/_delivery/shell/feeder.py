"""The feeder of a store that others fill: reads, tells what has ended, gives back what has to wait."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from antinode._delivery.core.response_handler import Note
from antinode._delivery.shell.keeper import Ends
from antinode._delivery.storage import FedStore
from antinode._interruptions import is_interruption

if TYPE_CHECKING:
    from antinode._delivery.core.core import Core

# Streams that rate limits hold are looked through this often for those that wait in the store from then on.
PARK_EVERY_SECONDS = 1.0
# After an error that nobody expects, the store is tried again after this.
WAIT_SECONDS = 1.0


class Feeder:
    """Keeps the seam between a core and a store that others fill. A `Keeper`."""

    def __init__(self, store: FedStore) -> None:
        self.store = store
        self.notes: list[Note] = []
        self._take_ends: Callable[[], Ends] = list
        self._park_at = float("-inf")
        self._telling = threading.Lock()

    def hear_of_ends(self, take_ends: Callable[[], Ends]) -> None:
        self._take_ends = take_ends

    @property
    def unread_files(self) -> int:
        return 0

    @property
    def has_left(self) -> bool:
        return False

    def open(self) -> None:
        """Nothing: whoever fills the store opens it."""

    def recover(self) -> None:
        """Nothing: it has no locks."""

    def make_last_room(self, core: Core, deciding: AbstractContextManager[object]) -> None:
        """Nothing: everything is in the store."""

    def close(self, core: Core) -> None:  # noqa: ARG002
        self._acknowledge()

    def tend(self, core: Core, now: float, deciding: AbstractContextManager[object]) -> float:
        try:
            return self._tend(core, now, deciding)
        except Exception as error:
            if is_interruption(error):
                raise
            # Uploads go on, whatever it was.
            self.notes.append(Note("ERROR", "store", f"{self.store.name} failed: {type(error).__name__}"))
            return now + WAIT_SECONDS

    def _tend(self, core: Core, now: float, deciding: AbstractContextManager[object]) -> float:
        fed, store = core.fed, self.store
        assert fed is not None  # noqa: S101 - a feeder's core has one
        self._acknowledge()
        again_at = store.reads_again_at
        with deciding:
            is_held = bool(core.backlog.stream_queues)
        if is_held and now >= self._park_at:
            self._park_at = now + PARK_EVERY_SECONDS
            # A project-wide trouble is no stream's: all of them wait where they are.
            with deciding:
                held = fed.take_held(now, store.parks) if core.link.is_open else []
            if held:
                store.park(held)
        wanted = fed.wanted
        if wanted:
            records = store.read(wanted, fed.wanted_bytes)
            with deciding:
                core.take_in(records)
        return min(again_at, self._park_at) if is_held else again_at

    def settle_up(self) -> None:
        """Return when the store has heard of everything that has ended by now. On any other thread."""
        self._acknowledge()

    def _acknowledge(self) -> None:
        with self._telling:
            self._tell()

    def _tell(self) -> None:
        for kind, places in self._take_ends():
            self.store.acknowledge(places, kind)
