"""What the shell asks of whoever looks after a store: a spooler, or the feeder of one that others fill."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from antinode._delivery.core.response_handler import Note

if TYPE_CHECKING:
    from antinode._delivery.core.core import Core

Ends = Sequence[tuple[str, Sequence[int]]]
"""Places of records that have ended, by the kind of their outcome."""


class Keeper(Protocol):
    """Looks after a store. The coordinator calls it, or at the end the thread which closes."""

    notes: list[Note]
    """What is to be told of the store."""

    def hear_of_ends(self, take_ends: Callable[[], Ends]) -> None:
        """Have `take_ends` give the records that have ended, of which whoever has to hear has heard."""

    @property
    def unread_files(self) -> int:
        """How many files of ended processes are not read to their end, or not even looked at."""

    @property
    def has_left(self) -> bool:
        """Whether something is unread that a flush waits for, since a process that died has left it."""

    def open(self) -> None:
        """Open the store. Trouble is noted."""

    def tend(self, core: Core, now: float, deciding: AbstractContextManager[object]) -> float:
        """Do everything that is due. Returns when to come again."""

    def recover(self) -> None:
        """Release the locks that an exception left taken, on the thread in which it was raised."""

    def make_last_room(self, core: Core, deciding: AbstractContextManager[object]) -> None:
        """Before the end, find room for what is in memory alone."""

    def close(self, core: Core) -> None:
        """Write down what has ended, and leave the rest to the next process."""
