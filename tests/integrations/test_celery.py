"""The context of a Celery task, in a real worker with Redis as its broker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from antinode.testing import Endpoint
from tests.lifecycle.driver import KEY

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Celery's pools do not run on this system")

_TASKS = """
import os, warnings
warnings.simplefilter("ignore")
import antinode, celery
from antinode.integrations.celery import connect

app = celery.Celery("tasks", broker=os.environ["BROKER"])
app.conf.task_default_queue = os.environ["QUEUE"]
app.conf.worker_log_format = "%(message)s"
connect()
antinode.init(server_url=os.environ["ANTINODE_SERVER_URL"], upload_interval_in_sec=600)

@app.task(bind=True, max_retries=1)
def work(self, name):
    if name == "again" and not self.request.retries:
        self.retry(countdown=0)
    antinode.log_event({"event_type": name})
    if name == "outer":
        antinode.add_context(event_properties={"from": "outer"})
        work.delay("inner")
    open("ran", "a").write(name + "\\n")

@app.task
def without(name):
    antinode.log_event({"event_type": name, "device_id": "device-1"})
    open("ran", "a").write(name + "\\n")

def queue():
    for user in range(3):
        odd = {"odd": object()}
        with antinode.context(user_id=f"user-{user}", groups={"org": "acme"}, event_properties=odd):
            work.delay("plain")
    with antinode.context(user_id="user-7"):
        work.delay("outer")
        work.delay("again")
    without.delay("no context")
"""


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_tasks_run_in_the_context_in_which_they_were_queued(
    endpoint: Endpoint, tmp_path: Path, redis_url: str, pool: str
) -> None:
    """Tasks of tasks and retries too; a task that was queued without one has none, whatever ran before it."""
    (tmp_path / "tasks.py").write_text(_TASKS)
    environment = {
        **os.environ, "BROKER": redis_url.replace("unix:", "redis+socket:"), "QUEUE": f"celery-{pool}",
        "AMPLITUDE_API_KEY": KEY, "ANTINODE_SERVER_URL": endpoint.url,
    }  # fmt: skip
    queued = subprocess.run(
        [sys.executable, "-c", "import tasks; tasks.queue()"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert queued.returncode == 0, queued.stderr
    assert "`event_properties` of the context cannot travel" in queued.stderr
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "tasks", "worker", f"--pool={pool}", "--concurrency=2",
         "--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=WARNING"],
        cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip
    ran = tmp_path / "ran"
    try:
        deadline = time.monotonic() + 120
        while not (ran.exists() and len(ran.read_text().split("\n")) > 7):
            assert worker.poll() is None, worker.communicate()[0]
            assert time.monotonic() < deadline, ran.read_text() if ran.exists() else "nothing ran"
            time.sleep(0.05)
        worker.send_signal(signal.SIGTERM)
        written = worker.communicate(timeout=120)[0]
    finally:
        if worker.poll() is None:
            os.killpg(worker.pid, signal.SIGKILL)
            worker.communicate(timeout=120)
    seen = sorted(
        (each["event_type"], each.get("user_id"), str(each.get("groups")), str(each.get("event_properties")))
        for each in endpoint.events
    )
    assert seen == [
        ("again", "user-7", "None", "None"),
        ("inner", "user-7", "None", "{'from': 'outer'}"),
        ("no context", None, "None", "None"),
        ("outer", "user-7", "None", "None"),
        *(("plain", f"user-{user}", "{'org': 'acme'}", "None") for user in range(3)),
    ], written
