"""What the core and its shells ask of a store: a queue that outlives the process.

Every store can be read, and hears of ends. A `KeepingStore` takes what this process logs, and a `DiskStore`
is one whose files are looked after; a `FedStore` is filled by others.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from antinode._delivery.record import Record


class Stored(Protocol):
    """A record as it is read back."""

    @property
    def place(self) -> int: ...

    @property
    def body(self) -> bytes: ...

    @property
    def logged_at(self) -> float:
        """By this process's monotonic clock, even if another process logged it."""

    @property
    def is_own(self) -> bool:
        """Whether this process logged it, and not one that died."""


class Store(Protocol):
    """Keeps records until they are acknowledged; whatever a process leaves behind, the next one is given."""

    @property
    def has_unread(self) -> bool: ...

    def acknowledge(self, places: Iterable[int], code: Any) -> None:
        """Hear that these records have ended, in the way that the code says, and need not be kept."""

    @property
    def reads_again_at(self) -> float:
        """When `read` can go on: after a refusal not at once; infinite when something else comes before."""


class FedStore(Store, Protocol):
    """A store that others fill. All methods are called by the coordinator's thread. None of them waits."""

    @property
    def name(self) -> str:
        """What it is, as texts for the user call it."""

    def read(self, max_events: int, max_bytes: int) -> Sequence[Record]:
        """The next records, with place and stream, in order; each is given once."""

    def acknowledge(self, places: Iterable[int], code: str) -> None:
        """Hear that these records have ended; the code is the kind of their outcome."""

    def ring_for_news(self, ring: Callable[[], object]) -> None:
        """Have `ring` called when there is something to read again. On any thread."""

    def parks(self, head: Record, waiting: int) -> bool:
        """Whether a throttled stream, whose first record and whose length these are, waits here no longer."""

    def park(self, records: Sequence[Record]) -> None:
        """Take back a stream's records, and keep those that come after them, until they are given again."""


class KeepingStore(Protocol):
    """What takes the records of this process, as the core knows it."""

    def append(self, body: bytes, logged_at: float, *, direct: bool) -> int:
        """Keep a record, and return its place. Makes no system call, but for a rare one.

        `direct`: the caller keeps it in memory too, so that `read` does not give it again; only while there
        is nothing unread. Raises when it cannot be kept; with a true `is_full` when a bound was reached.
        """

    def mapped_layout(self) -> dict[str, Any] | None:
        """What compiled code uses to do the same for `direct` records; None: it calls `append`."""

    @property
    def has_unread(self) -> bool: ...

    def read(self, max_events: int, max_bytes: int) -> Sequence[Stored]:
        """The next records, in order; each is given once."""

    def lost(self, places: Iterable[int]) -> set[int]:
        """The places, of those given, whose files have been removed."""


def is_full(error: BaseException | None) -> bool:
    """Whether a store refused a record for lack of room, and not because something is wrong with it."""
    return bool(getattr(error, "is_full", False))


class Left(Protocol):
    """What a disk store holds when it is closed."""

    @property
    def events(self) -> int: ...


class DiskRefusal(Protocol):
    """Something that a disk store could not do, as its text says."""

    @property
    def consequence(self) -> str:
        """What follows from it, as a clause."""


class DiskStats(Protocol):
    """What a disk store tells of itself."""

    @property
    def unread_adopted(self) -> int:
        """Files of dead processes that are not read to their end."""


class DiskStore(KeepingStore, Store, Protocol):
    """A store with what its spooler has to do for it. All of it raises when the disk refuses."""

    def open(self, *, will_adopt: bool = False) -> None:
        """`will_adopt`: what dead processes may have left counts as unread until `adopt` was called."""

    def acknowledge(self, places: Iterable[int], code: int) -> None: ...

    def adopt(self, *, max_owners: int = ...) -> int:
        """Take over what dead processes left, which is then unread. Returns how many files it was.

        Looks at `max_owners` of the processes at most; the others have their turn at `adopts_again_at`.
        """

    @property
    def adopts_again_at(self) -> float:
        """When `adopt` can go on with what it found; infinite when there is nothing, or no room for it."""

    @property
    def reads_again_at(self) -> float:
        """When `read` can go on: after a refusal not at once; infinite when `adopt` has to go on before."""

    def take_refusals(self) -> Sequence[DiskRefusal]:
        """What could not be read or taken over since this was last asked, and will be tried again."""

    @property
    def takes_records(self) -> bool:
        """Whether `append` keeps records at present, as far as is known."""

    def prepare(self) -> None:
        """Make room ahead of need, and delete what has ended. After any trouble: try again."""

    def disown(self) -> None:
        """Let a process with another API key take over what this one leaves."""

    def ends(self) -> Mapping[int, int]:
        """How far own records reach by now, for `forget`."""

    def forget(
        self, is_meant: Callable[[bytes], bool], held: Container[int], ends: Mapping[int, int]
    ) -> Sequence[Stored]:
        """End and overwrite all records that are meant; returns those of them that were not given.

        `held` are places of records that were given, and have not ended. `read` may give own ones all the
        same.
        """

    def forget_left(self, is_meant: Callable[[bytes], bool]) -> tuple[int, int]:
        """The same where dead processes left records: how many; and how many living ones hold."""

    def stats(self) -> DiskStats: ...

    def sync(self) -> None:
        """Make what was appended survive a power cut."""

    def wait_durable(self, place: int, *, alone: bool = False) -> None:
        """Return once this record survives a power cut, with those of other threads unless `alone`."""

    def recover(self) -> None:
        """Release the locks that an exception left taken, on the thread in which it was raised."""

    def renew_after_fork(self) -> None: ...

    def close(self) -> Left: ...
