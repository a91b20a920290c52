"""How much memory a process has needed since a moment."""

from __future__ import annotations

import gc
import resource
import sys
from pathlib import Path

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class Memory:
    """Looks when it is made; `grown` is the most that was resident since, in bytes, beyond what was then.

    On Linux exactly that. Elsewhere the peak cannot be reset, so growth below an earlier peak is not seen.
    """

    def __init__(self) -> None:
        gc.collect()
        self._before = _resident("VmRSS:")
        if _RESET.exists():
            _RESET.write_text("5", "ascii")

    def grown(self) -> int:
        return _resident("VmHWM:") - self._before


def _resident(field: str) -> int:
    if _STATUS.exists():
        line = next(line for line in _STATUS.read_text("ascii").splitlines() if line.startswith(field))
        return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
