"""The queue on disk: records outlive the process that logged them. It knows nothing of what they are."""

from antinode._spool.errors import SpoolBroken, SpoolError, SpoolFull
from antinode._spool.format import DELIVERED, DROPPED, REJECTED
from antinode._spool.spool import Left, Recovered, Spool, SpoolStats

__all__ = [
    "DELIVERED",
    "DROPPED",
    "REJECTED",
    "Left",
    "Recovered",
    "Spool",
    "SpoolBroken",
    "SpoolError",
    "SpoolFull",
    "SpoolStats",
]
