"""The threads that make requests: who runs which job."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from antinode._delivery.shell.uploaders import Job, Uploaders


class Noted:
    """What a job does first: say on which thread it runs."""

    def __init__(self, act: Callable[[], object] = lambda: None) -> None:
        self.thread: threading.Thread | None = None
        self.is_over = threading.Event()
        self._act = act

    def __call__(self) -> None:
        self.thread = threading.current_thread()
        self._act()
        self.is_over.set()


def test_a_kept_job_runs_on_the_thread_that_took_it() -> None:
    """And counts as running: another job that is started before finds a thread of its own."""
    other = Noted()
    kept = Noted(lambda: other.is_over.wait(120))

    def follow() -> Iterator[Job]:
        job = Job(kept)
        uploaders.keep(job)
        uploaders.run(Job(other))
        yield job

    following = follow()
    uploaders = Uploaders(2, "test", lambda: next(following, None))
    first = Noted()
    uploaders.run(Job(first))
    assert kept.is_over.wait(120)
    assert other.is_over.is_set()
    assert kept.thread is first.thread is not other.thread
    uploaders.stop()
    uploaders.join(120)


def test_trouble_in_between_costs_no_thread() -> None:
    """Whatever `take_next` raises, the thread that called it goes on."""

    def fail() -> Job:
        raise MemoryError

    uploaders = Uploaders(1, "test", fail)
    jobs = [Noted() for _ in range(3)]
    for job in jobs:
        uploaders.run(Job(job))
        assert job.is_over.wait(120)
    assert len({job.thread for job in jobs}) == 1
    uploaders.stop()
    uploaders.join(120)
