"""What keeps the spool from taking an event.

    SpoolError
    ├── SpoolFull      the directory holds as much as it may: free it, or raise the limit
    ├── SpoolBroken    the disk or the directory refuses: full, read-only, gone, not permitted, …
    ├── DamagedFull    what is damaged is not kept any more; told, never raised
    ├── RecordsDamaged  events could not be read back; told, never raised
    └── DescriptorsLost  other code has closed the spool's files; told, never raised

After either of the first two the event is not on disk. `Spool.prepare` tries again; once it returns, events
are taken.
"""

from __future__ import annotations

import errno

_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file size limit of the process or of the file system is reached",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "this user has no permission",
    errno.EPERM: "this user has no permission",
    errno.ENOENT: "it has been removed",
    errno.ESTALE: "it has been removed",
    errno.ENOTDIR: "a part of the path is not a directory",
    errno.EEXIST: "a part of the path is not a directory",
    errno.EMFILE: "the process has too many open files",
    errno.ENFILE: "the system has too many open files",
    errno.EIO: "the disk reports an input/output error",
    errno.ENOLCK: "the file system keeps no locks",
}


class SpoolError(Exception):
    """The spool cannot take an event now."""

    is_full = False
    """Whether a bound of the spool's own was reached, and nothing is wrong with the disk."""
    consequence = "nothing is given up, and it is tried again"
    """What follows from a refusal to read or to take over, as a clause."""


class SpoolFull(SpoolError):
    """The files in the spool directory, of all processes together, have reached the limit."""

    is_full = True

    def __init__(self, path: str, limit: int) -> None:
        super().__init__(path, limit)
        self.path, self.limit = path, limit

    def __str__(self) -> str:
        return (
            f"the spool in {self.path!r} holds its limit of {self.limit:,} bytes: "
            "let its events be delivered (`antinode spool ls` shows them), or raise max_bytes"
        )


class SpoolBroken(SpoolError):
    """The operating system refused what the spool needs.

    `doing` says what was refused, `errno` is the system's number for it (0: found by the spool itself).
    """

    def __init__(self, path: str, doing: str, number: int = 0, reason: str = "") -> None:
        super().__init__(path, doing, number, reason)
        self.path, self.doing, self.errno, self.reason = path, doing, number, reason

    @classmethod
    def of(cls, path: str, doing: str, cause: OSError) -> SpoolBroken:
        number = cause.errno or 0
        return cls(path, doing, number, _REASONS.get(number) or cause.strerror or type(cause).__name__)

    def __str__(self) -> str:
        return f"the spool in {self.path!r} cannot {self.doing}: {self.reason}"


class DamagedFull(SpoolError):
    """`damaged/` holds as much as it may."""

    consequence = "further damage is counted and not copied, and files that are no segments stay"

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return f"{self.path!r} holds as much as it may: look at what is in it, and delete it"


class DescriptorsLost(SpoolError):
    """Other code of this process has closed descriptors of the spool's files."""

    consequence = "they are opened again, and no file that has their numbers now is touched"

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return (
            f"files of the spool in {self.path!r} were closed by other code of this process "
            "(os.closerange, or a daemon made after init?)"
        )


class RecordsDamaged(SpoolError):
    """Events that had been logged could not be read back."""

    consequence = "what could be read of them is in damaged/, and those beside them are delivered"

    def __init__(self, path: str, records: int) -> None:
        super().__init__(path, records)
        self.path, self.records = path, records

    def __str__(self) -> str:
        events = "1 event" if self.records == 1 else f"{self.records:,} events"
        return f"{events} in the spool {self.path!r} could not be read"
