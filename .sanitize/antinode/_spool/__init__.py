"""The queue on disk: records outlive the process that logged them. It knows nothing of what they are."""

from antinode._spool.errors import SpoolBroken, SpoolError, SpoolFull
from antinode._spool.format import DELIVERED, DROPPED, REJECTED
from antinode._spool.recovering import Recovered
from antinode._spool.spool import Spool
from antinode._spool.stats import SpoolRemainder, SpoolStats

__all__ = [
    "DELIVERED",
    "DROPPED",
    "REJECTED",
    "Recovered",
    "Spool",
    "SpoolBroken",
    "SpoolError",
    "SpoolFull",
    "SpoolRemainder",
    "SpoolStats",
]
