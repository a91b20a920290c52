"""The threads that block on the network, started only when there is something to send."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from antinode._delivery.shell.threads import make_thread

# An uploader without work for this long ends; the next upload starts a new one.
IDLE_SECONDS = 60.0


class Job:
    """Something to run, which its owner may stop waiting for."""

    __slots__ = ("is_over", "run", "thread")

    def __init__(self, run: Callable[[], None]) -> None:
        self.run = run
        self.is_over = False
        self.thread: threading.Thread | None = None


class Uploaders:
    """A few daemon threads that run jobs. `run`, `keep` and `give_up` are called by one thread at a time.

    After each job its thread calls `take_next`, and runs the job that this gives it, if any.

    Guarded by `_lock`: the set of threads that take jobs, the count of jobs that wait or run, and a job's
    `thread` and `is_over`. It is never held while a job runs. There are as many threads as jobs, up to the
    limit, so each job finds one; a thread that died is no longer alive, and is replaced by the next `run`.
    """

    def __init__(self, limit: int, name: str, take_next: Callable[[], Job | None] = lambda: None) -> None:
        self._limit = limit
        self._take_next = take_next
        self._name = name
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._unfinished = 0
        self._started = 0

    def run(self, job: Job) -> bool:
        """Have a thread run `job`; False if there is none and none can be started (at interpreter exit)."""
        with self._lock:
            self._threads = {thread for thread in self._threads if thread.is_alive()}
            if len(self._threads) < min(self._unfinished + 1, self._limit):
                self._start()
            if not self._threads:
                return False
            self._unfinished += 1
        self._jobs.put(job)
        return True

    def keep(self, job: Job) -> None:
        """Count a job that `take_next` is about to give to the thread that called it."""
        with self._lock:
            job.thread = threading.current_thread()
            self._unfinished += 1

    def _start(self) -> None:
        self._started += 1
        thread = make_thread(self._work, f"{self._name}-upload-{self._started}")
        try:
            thread.start()
        except RuntimeError:
            return
        self._threads.add(thread)

    def give_up(self, job: Job) -> None:
        """Have another thread take the place of the one whose job has not come back in its time."""
        with self._lock:
            if not job.is_over:
                job.is_over = True
                self._unfinished -= 1
                if job.thread is not None:
                    self._threads.discard(job.thread)

    def owns(self, thread: threading.Thread) -> bool:
        """Whether this is one of the threads that take jobs."""
        return thread in self._threads

    def stop(self) -> None:
        """Let idle threads end now, and busy ones when their job is done."""
        with self._lock:
            for _ in self._threads:
                self._jobs.put(None)

    def join(self, timeout: float) -> None:
        """Wait for the threads to end, for `timeout` seconds together."""
        end = time.monotonic() + timeout
        for thread in list(self._threads):
            if thread is not threading.current_thread():
                thread.join(max(0.0, end - time.monotonic()))

    def _work(self) -> None:
        this = threading.current_thread()
        while True:
            try:
                job = self._jobs.get(timeout=IDLE_SECONDS)
            except queue.Empty:
                with self._lock:
                    if self._unfinished < len(self._threads):
                        self._threads.discard(this)
                        return
                continue
            if job is None:
                return
            while job is not None and self._is_taken(job, this):
                # The job has reported what it raised, which outside of here would be printed.
                with suppress(BaseException):
                    job.run()
                if not self._is_finished(job):
                    return
                job = None
                with suppress(BaseException):
                    job = self._take_next()

    def _is_taken(self, job: Job, thread: threading.Thread) -> bool:
        """Take a job; False if it was given up, and run by another thread, before this one got to it."""
        with self._lock:
            job.thread = thread
            return not job.is_over

    def _is_finished(self, job: Job) -> bool:
        """End a job; False if it was given up, and another thread has taken the place of this one."""
        with self._lock:
            if job.is_over:
                return False
            job.is_over = True
            self._unfinished -= 1
            return True
