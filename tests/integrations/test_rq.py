"""RQ with a real Redis: jobs run in the context in which they were queued, and lose nothing they log."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from antinode.testing import Endpoint
from tests.integrations.brokers import run, told, work

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="RQ does not run on this system")
pytest.importorskip("rq")

_JOBS = """
import os, sys
import antinode
from redis import Redis
from rq import Callback, Retry, SimpleWorker, get_current_job
from antinode.integrations.rq import AntinodeQueue, WorkerMixin

antinode.init(server_url=os.environ["ANTINODE_SERVER_URL"], upload_interval_in_sec=600, shutdown_timeout=120)
billing = antinode.init(instance_name="billing", server_url=os.environ["ANTINODE_SERVER_URL"],
                        upload_interval_in_sec=600)
queue = AntinodeQueue(os.environ.get("QUEUE", "default"), connection=Redis.from_url(os.environ["REDIS_URL"]))

def note(line):
    with open(os.path.join(os.environ["HOME_OF_TASKS"], "ran"), "a") as file:
        file.write(line + "\\n")

def plain(name, last=True):
    antinode.log_event({"event_type": name, "device_id": "device-1"})
    if name == "billed":
        billing.log_event({"event_type": "of another instance", "device_id": "device-1"})
    note(name)

def outer():
    antinode.log_event({"event_type": "outer"})
    antinode.add_context(event_properties={"from": "outer"})
    queue.enqueue(plain, "inner")

def failing():
    antinode.log_event({"event_type": "failing"})
    if get_current_job().retries_left:
        raise ZeroDivisionError
    note("failed twice")

def done(job, connection, result):
    antinode.log_event({"event_type": "callback"})
    note("called back")

class Simple(WorkerMixin, SimpleWorker):
    pass

def fill():
    for user in range(3):
        with antinode.context(user_id=f"user-{user}", event_properties={"page": "cart"}):
            queue.enqueue(plain, "plain")
    with antinode.context(user_id="user-7"):
        queue.enqueue(outer)
        queue.enqueue(failing, retry=Retry(max=1))
        queue.enqueue(plain, "billed", on_success=Callback(done))
    queue.enqueue(plain, "no context")
"""
_RAN = 8


@pytest.mark.parametrize("worker", ["antinode.integrations.rq.AntinodeWorker", "jobs.Simple"])
def test_jobs_log_in_their_context_and_lose_nothing(
    endpoint: Endpoint, tmp_path: Path, redis_url: str, worker: str
) -> None:
    """Also retries, callbacks, other instances, and jobs of jobs; in forked work-horses and in the worker."""
    (tmp_path / "jobs.py").write_text(_JOBS)
    environment = {"REDIS_URL": redis_url, "QUEUE": worker}
    run(tmp_path, endpoint, "-c", "import jobs; jobs.fill()", **environment)
    command = ["-m", "rq.cli", "worker", worker, "--worker-class", worker, "--url", redis_url]
    # The module is imported by the worker, as in production, so that horses need not do it for each job.
    start = f"import sys, jobs; sys.argv[1:] = {command[2:]!r}; from rq.cli import main; main()"
    written = work(tmp_path, endpoint, _RAN, "-c", start, **environment)
    cart = "{'page': 'cart'}"
    assert told(endpoint.events) == sorted(
        [
            *(("plain", f"user-{user}", cart) for user in range(3)),
            ("outer", "user-7", ""),
            ("inner", "user-7", "{'from': 'outer'}"),
            ("failing", "user-7", ""),
            ("failing", "user-7", ""),
            ("billed", "user-7", ""),
            ("callback", "user-7", ""),
            ("of another instance", "user-7", ""),
            ("no context", "", ""),
        ]
    ), written
