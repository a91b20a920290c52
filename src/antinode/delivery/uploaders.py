"""The threads that block on the network, started only when there is something to send."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

# An uploader without work for this many seconds ends; the next upload starts a new one.
IDLE_SECONDS = 60.0


class Job:
    """Something to run, which its owner may stop waiting for."""

    __slots__ = ("is_lost", "run")

    def __init__(self, run: Callable[[], None]) -> None:
        self.run = run
        self.is_lost = False


class Uploaders:
    """A few daemon threads that run jobs. Only the coordinator calls `run` and `give_up`.

    Guarded by `_lock`: the counts of threads and of idle ones, and `Job.is_lost`. It is never held while a
    job runs. A thread is idle from the end of a job until `run` counts on it for the next.
    """

    def __init__(self, limit: int, name: str) -> None:
        self._limit = limit
        self._name = name
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._idle = 0
        self._started = 0

    def run(self, job: Job) -> bool:
        """Have a thread run `job`; False if there is none and none can be started (at interpreter exit)."""
        with self._lock:
            if self._idle > 0:
                self._idle -= 1
            elif not (self._threads < self._limit and self._start()) and self._threads == 0:
                return False
        self._jobs.put(job)
        return True

    def _start(self) -> bool:
        self._started += 1
        thread = threading.Thread(target=self._work, name=f"{self._name}-upload-{self._started}", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            return False
        self._threads += 1
        return True

    def give_up(self, job: Job) -> None:
        """The job has not come back in its time: another thread may take the place of the one that runs it."""
        with self._lock:
            if not job.is_lost:
                job.is_lost = True
                self._threads -= 1

    def stop(self) -> None:
        """Let idle threads end now, and busy ones when their job is done."""
        with self._lock:
            for _ in range(self._threads):
                self._jobs.put(None)

    def _work(self) -> None:
        while True:
            try:
                job = self._jobs.get(timeout=IDLE_SECONDS)
            except queue.Empty:
                with self._lock:
                    if self._idle > 0:
                        self._idle -= 1
                        self._threads -= 1
                        return
                # `run` has just counted on this thread: its job is about to come.
                continue
            if job is None:
                with self._lock:
                    self._idle -= 1
                    self._threads -= 1
                return
            finished = False
            try:
                job.run()
                finished = True
            finally:
                with self._lock:
                    if job.is_lost:
                        finished = False
                    elif finished:
                        self._idle += 1
                    else:
                        self._threads -= 1
            if not finished:
                return
