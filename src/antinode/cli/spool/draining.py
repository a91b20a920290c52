"""The ordinary client, on a directory whose owners have gone."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from antinode import Client
from antinode._factory import fingerprint, make_sender
from antinode._protocol.words import counted
from antinode._spool import Spool
from antinode._spool.adoption import MOST_HELD
from antinode._spool.disk import Disk
from antinode._spool.inspection.inspect import SegmentSummary
from antinode._spool.segment import is_claimed
from antinode.cli.params.destination import Destination, usage_errors
from antinode.cli.spool.directory import reading, set_aside, surveyed
from antinode.cli.ui import console
from antinode.cli.ui.interrupts import Interrupts
from antinode.cli.ui.progress import Bar, pace
from antinode.cli.ui.sending import flush_watched, init_options, is_faulted, paused

if TYPE_CHECKING:
    from antinode import Options, Stats
    from antinode._delivery.shell.sender import Sender

_UNLIMITED: Final = 10**15
_IDLE_ROUNDS: Final = 3
"""After so many rounds that sent nothing, what can be taken over is left."""


class _Taking(Spool):
    """The spool for `--any-key`, which takes over segments of every API key.

    It never disowns them: that the server refuses the key in use says nothing about the keys of the writers.
    """

    def adopt(self, *, any_fingerprint: bool = True, max_owners: int = MOST_HELD) -> int:
        return super().adopt(any_fingerprint=any_fingerprint, max_owners=max_owners)

    def disown(self) -> None:
        return


class _Client(Client):
    """The ordinary client, except that it can take over segments of every API key."""

    takes_any_key = False

    def _make_sender(self, key: str, options: Options) -> Sender:
        return make_sender(key, options, self._name, spool=_Taking if self.takes_any_key else None)


@dataclass
class _Sums:
    """What has become of events so far."""

    delivered: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)

    def add(self, stats: Stats) -> None:
        self.delivered += stats.delivered
        self.rejected.update(stats.rejected)
        self.dropped.update(stats.dropped)

    @property
    def failed(self) -> int:
        return self.rejected.total() + self.dropped.total()

    @property
    def ended(self) -> int:
        return self.delivered + self.failed


class Draining:
    """Rounds, each with a client of its own, until nothing is left that can be taken over.

    One is nearly always enough. Another one finds what the first could not lock, because somebody was
    looking at it in the same instant, and what other processes have left since.
    """

    def __init__(
        self,
        path: Path,
        destination: Destination,
        *,
        takes_any_key: bool,
        dead_letters: str | None,
        timeout: float | None,
    ) -> None:
        self._path = str(path)
        self._key = destination.key()
        self._fingerprint = fingerprint(self._key)
        self._takes_any_key = takes_any_key
        self._dead_letters = dead_letters
        self._timeout = timeout
        self._options: dict[str, Any] = {
            **init_options(destination),
            "storage": path,
            # No event is dropped to make room, even where the directory has outgrown its owner's limit.
            "max_spool_bytes": _UNLIMITED,
            "overflow": "block",
            "dead_letters": dead_letters,
        }
        self._sums = _Sums()
        self._seconds = 0.0
        self._is_faulted = False
        self._had_aside = set_aside(self._path)
        self._look()

    def _look(self) -> None:
        with reading(self._path):
            self._segments, self._unreadable = surveyed(self._path)
        pending = [segment for segment in self._segments if segment.pending]
        self._in_use = [segment for segment in pending if segment.is_alive]
        left = [segment for segment in pending if not segment.is_alive]
        self._takeable = [segment for segment in left if self._may_take(segment)]
        self._foreign = [segment for segment in left if not self._may_take(segment)]

    def _may_take(self, segment: SegmentSummary) -> bool:
        return (
            self._takes_any_key or segment.fingerprint == self._fingerprint or not _is_claimed(segment.path)
        )

    def run(self, interrupts: Interrupts) -> None:
        """Send rounds until there is nothing more to do, or `interrupts` says to stop."""
        self._total = _pending(self._takeable)
        with Bar("Draining") as bar:
            idle = 0
            while self._takeable and idle < _IDLE_ROUNDS and not self._is_over(bar, interrupts):
                idle = 0 if self._round(bar, interrupts) else idle + 1
                self._look()
        self._seconds = bar.seconds

    def _is_over(self, bar: Bar, interrupts: Interrupts) -> bool:
        is_late = self._timeout is not None and bar.seconds >= self._timeout
        return is_late or self._is_faulted or interrupts.is_set

    def _round(self, bar: Bar, interrupts: Interrupts) -> int:
        """Send one round; returns how many events have ended."""
        client = _Client("drain")
        client.takes_any_key = self._takes_any_key
        before = self._sums.ended

        def go_on() -> bool:
            stats = client.stats()
            ended = stats.delivered + sum(stats.rejected.values()) + sum(stats.dropped.values())
            done = before + ended
            told = f"{done:,} of {self._total:,}{bar.rate(done)}"
            bar.show(done, self._total, told, paused=paused(client))
            return not interrupts.is_set

        with usage_errors():
            client.init(self._key, **self._options)
        left = None if self._timeout is None else max(0.0, self._timeout - bar.seconds)
        flush_watched(client, left, go_on)
        self._is_faulted = is_faulted(client)
        client.shutdown(0)
        self._sums.add(client.stats())
        return self._sums.ended - before

    @property
    def is_complete(self) -> bool:
        return not (self._takeable or self._foreign or self._in_use or self._unreadable or self._sums.failed)

    def facts(self) -> dict[str, Any]:
        """What `tell` says, for programs; counts of events, of files in `unreadable` and `set_aside`."""
        sums = self._sums
        return {
            "type": "drain",
            "complete": self.is_complete,
            "delivered": sums.delivered,
            "rejected": sums.rejected,
            "dropped": sums.dropped,
            "left": _pending(self._takeable),
            "in_use": _pending(self._in_use),
            "other_key": _pending(self._foreign),
            "unreadable": len(self._unreadable),
            "set_aside": len(set_aside(self._path) - self._had_aside),
            "seconds": round(self._seconds, 3),
        }

    def tell(self) -> None:
        out, sums = console.out(), self._sums
        if sums.delivered or not sums.failed:
            took = f" {pace(sums.delivered, self._seconds)}" if sums.delivered else ""
            out.print(f"Delivered {counted(sums.delivered, 'event')}{took}.", style="green" if took else "")
        kept = f", kept in {self._dead_letters}" if self._dead_letters else ""
        for what, reasons in (("Rejected", sums.rejected), ("Dropped", sums.dropped)):
            if reasons:
                told = ", ".join(f"{reason}: {count:,}" for reason, count in reasons.most_common())
                out.print(
                    f"{what} {counted(reasons.total(), 'event')} ({told}){kept}.", style="red", soft_wrap=True
                )
        for line in self._left():
            out.print(line, style="yellow", soft_wrap=True)
        if self.is_complete and not sums.delivered:
            out.print("There was nothing to send.")

    def _left(self) -> list[str]:
        lines = []
        if self._takeable:
            why = (
                "the server takes nothing with this key, or at this URL"
                if self._is_faulted
                else "run it again"
            )
            lines.append(f"Left {_told(self._takeable)}: {why}.")
        if self._in_use:
            lines.append(f"Left {_told(self._in_use)} in use: living processes hold them, and send them.")
        if self._foreign:
            lines.append(
                f"Left {_told(self._foreign)} that another API key has logged: "
                "give that one, or --any-key if they shall go to the project of this one."
            )
        if self._unreadable:
            lines.append(
                f"Left {counted(len(self._unreadable), 'file')} that cannot be read: "
                "`antinode spool verify` says why."
            )
        if aside := set_aside(self._path) - self._had_aside:
            lines.append(
                f"Set aside {counted(len(aside), 'damaged piece')} in {os.path.join(self._path, 'damaged')}: "
                "`antinode spool verify` says more."
            )
        return lines


def _pending(segments: list[SegmentSummary]) -> int:
    return sum(segment.pending for segment in segments)


def _told(segments: list[SegmentSummary]) -> str:
    return f"{counted(_pending(segments), 'event')} in {counted(len(segments), 'segment')}"


def _is_claimed(path: str) -> bool:
    """Whether only processes with the same API key may take the segment over."""
    disk = Disk()
    try:
        descriptor = disk.open_to_read(path)
    except OSError:
        return True
    try:
        return is_claimed(disk, descriptor)
    except OSError:
        return True
    finally:
        disk.close(descriptor)
