"""What forgetting users comes to."""

from __future__ import annotations

import msgspec

from antinode._errors import AntinodeError
from antinode._public import public


@public
class DeletionJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job of Amplitude's that deletes users: what `Client.forget` with a secret key has asked for."""

    day: str
    """When it is scheduled, such as 2026-11-04."""
    status: str
    """`staging` until it is submitted, three days before its day; `submitted`; then `done`."""
    users: int
    """How many it deletes."""
    unknown: int = 0
    """How many ids of the request are not known to Amplitude."""


@public
class Forgotten(msgspec.Struct, frozen=True, kw_only=True):
    """How many events of the users that were to be forgotten were where."""

    queued: int = 0
    """Taken out of the queue in memory, and out of the spool with it."""
    spooled: int = 0
    """Removed from the spool alone: this process's own, and what ended processes have left there."""
    dead_letters: int = 0
    """Blanked in the file of dead letters and in those set aside."""
    in_flight: int = 0
    """In requests under way: they may arrive. Those that fail are dropped instead of being repeated."""
    in_use: int = 0
    """In the spool, of other living processes, which alone may remove them: call `forget` there too."""
    jobs: tuple[DeletionJob, ...] = ()
    """With a secret key: the jobs of Amplitude's that delete what has arrived."""


@public
class DeletionError(AntinodeError):
    """Amplitude did not take the request of `Client.forget` to delete users, or not all of it: ask again.

    What antinode itself keeps is removed all the same.
    """

    forgotten: Forgotten | None = None
    """What was removed, as `forget` would have returned it."""
