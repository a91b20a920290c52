"""RQ: the context of whoever queues a job travels with it, and what the job logs is sent when it ends."""

from __future__ import annotations

import os
from typing import Any, Final

import rq
from rq.job import Job

from antinode.integrations._ends import shut_down_all
from antinode.integrations._travel import NAME, entered, packed

__all__ = ["AntinodeQueue", "AntinodeWorker", "WorkerMixin"]

_CARRIER: Final = "job of RQ"


class AntinodeQueue(rq.Queue):
    """A queue whose jobs take the context in force with them, in their `meta`, as JSON."""

    def create_job(self, *args: Any, **kwargs: Any) -> Job:
        """Make a job; every way of queueing one does."""
        job = super().create_job(*args, **kwargs)
        if NAME not in job.meta and (text := packed(_CARRIER)) is not None:
            job.meta[NAME] = text
        return job


class WorkerMixin:
    """For a worker of your own: `class Mine(WorkerMixin, rq.Worker)`.

    A job runs in the context in which it was queued. The process that RQ forks for a job leaves without exit
    handlers; what the job and its callbacks have logged is sent before, within `shutdown_timeout`.
    """

    _works_in: int | None = None
    """The process that runs jobs and lives on."""

    def work(self, *args: Any, **kwargs: Any) -> Any:
        """Work, in this process and in those that it starts."""
        self._works_in = os.getpid()
        return super().work(*args, **kwargs)  # type: ignore[misc]

    def perform_job(self, job: Job, *args: Any, **kwargs: Any) -> Any:
        """Perform one job."""
        scope = entered(job.meta.get(NAME), _CARRIER)
        try:
            return super().perform_job(job, *args, **kwargs)  # type: ignore[misc]
        finally:
            if scope is not None:
                scope.__exit__(None, None, None)
            if os.getpid() != self._works_in:
                shut_down_all()


class AntinodeWorker(WorkerMixin, rq.Worker):
    """RQ's own worker with it: `rq worker --worker-class antinode.integrations.rq.AntinodeWorker`."""
