"""Workers of multiprocessing and billiard (that is Celery): they leave by `os._exit`, which skips atexit."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

_watched_in: int | None = None


def watch_exit(run: Callable[[], object]) -> None:
    """If this process is such a worker, have `run` called at its end; once, however often this is called.

    Not to be called before the worker's own work begins: its libraries forget what was registered earlier.
    """
    global _watched_in
    if os.getpid() == _watched_in:
        return
    _watched_in = os.getpid()
    for name in ("multiprocessing", "billiard"):
        process = sys.modules.get(f"{name}.process")
        util = sys.modules.get(f"{name}.util")
        if process is None or util is None:
            continue
        current = process.current_process()
        # Only a worker has this attribute; under forkserver its parent is another process than the one named.
        if getattr(current, "_parent_pid", None) is not None:
            util.Finalize(None, run, exitpriority=0)
            _watch_pool_worker(getattr(current, "_target", None), run)


def _watch_pool_worker(worker: Any, run: Callable[[], object]) -> None:
    """A worker of billiard's pool leaves without finalizers, too, but calls this first."""
    pool = sys.modules.get("billiard.pool")
    if pool is None or not isinstance(worker, pool.Worker):
        return
    former = worker.on_exit

    def on_exit(pid: int, status: int | None) -> None:
        try:
            if former is not None:
                former(pid, status)
        finally:
            run()

    worker.on_exit = on_exit
