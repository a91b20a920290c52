"""antinode in the workers of Celery and of billiard's pool: what their tasks log is sent when they end."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from antinode.testing import Endpoint
from tests.lifecycle.driver import run, sequence

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Celery's pools do not run on this system")

# A worker with a broker of its own: it gets tasks, and a signal once so many have run.
_WORKER = """
import sys
URL, KEY = sys.argv[1:]
import warnings
warnings.simplefilter("ignore")
import os, signal, threading, time
import antinode, celery
from celery import signals

RAN, COUNT, TASKS, SIGNAL, IS_SLOW = {ran!r}, {count}, {tasks}, {signal!r}, {is_slow}
app = celery.Celery("tasks", broker="memory://")

def begin(**_):
    antinode.init(KEY, server_url=URL, upload_interval_in_sec=600, shutdown_timeout=120)

if {begins_in_child}:
    signals.worker_process_init.connect(begin, weak=False)
else:
    begin()

@app.task
def work(seq):
    properties = {{"seq": seq}}
    antinode.log_event({{"event_type": "Tick", "user_id": "user-1", "event_properties": properties}})
    with open(RAN, "a") as file:
        file.write(f"{{seq}} {{os.getpid()}}\\n")
    if IS_SLOW:
        time.sleep(0.2)

def is_gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False

def stop():
    while not os.path.exists(RAN) or len(open(RAN).readlines()) < COUNT:
        time.sleep(0.02)
    if SIGNAL == "SIGKILL":
        while not all(is_gone(int(line.split()[1])) for line in open(RAN)):
            time.sleep(0.02)
        os.killpg(0, signal.SIGKILL)
    os.kill(os.getpid(), getattr(signal, SIGNAL))

@signals.worker_ready.connect
def start(**_):
    for seq in range(TASKS):
        work.delay(seq)
    threading.Thread(target=stop, daemon=True).start()

quiet = ["--loglevel=CRITICAL", "--without-gossip", "--without-mingle", "--without-heartbeat"]
app.worker_main(["worker", *quiet, *{arguments!r}])
"""


@pytest.mark.parametrize(
    ("stop", "arguments", "begins_in_child"),
    [
        ("SIGTERM", ["--pool=prefork", "--concurrency=2"], False),
        # Once all children with tasks have ended, each after three: one at a time, since two may share the
        # last three. A warm shutdown may kill one that is just ending.
        ("SIGKILL", ["--pool=prefork", "--concurrency=1", "--max-tasks-per-child=3"], True),
        ("SIGQUIT", ["--pool=prefork", "--concurrency=2"], True),
        ("SIGTERM", ["--pool=threads", "--concurrency=2"], False),
        ("SIGTERM", ["--pool=solo"], False),
    ],
    ids=["prefork", "a few tasks each", "cold shutdown", "threads", "solo"],
)
def test_what_tasks_log_is_sent_when_workers_end(
    endpoint: Endpoint, tmp_path: Path, stop: str, arguments: list[str], begins_in_child: bool
) -> None:
    """After a warm and a cold shutdown, and after each child that has had its tasks, none is missing."""
    pytest.importorskip("celery")
    ran = tmp_path / "ran"
    program = _WORKER.format(
        ran=str(ran),
        count={"SIGTERM": 20, "SIGKILL": 18, "SIGQUIT": 8}[stop],
        tasks=18 if stop == "SIGKILL" else 20,
        signal=stop,
        is_slow=stop == "SIGQUIT",
        begins_in_child=begins_in_child,
        arguments=arguments,
    )
    ended = run(program, endpoint.url, bare=True)
    arrived = sorted(each["event_properties"]["seq"] for each in endpoint.events)
    assert arrived == sorted(int(line.split()[0]) for line in ran.read_text().splitlines()), ended
    assert len(arrived) >= 8


_POOL = """
import sys
import antinode

def begin(url, key):
    antinode.init(key, server_url=url, upload_interval_in_sec=600)

def work(seq):
    antinode.log_event({"event_type": "Tick", "user_id": "worker", "event_properties": {"seq": seq}})

def left(pid, status):
    sys.stdout.write("left\\n")
    sys.stdout.flush()
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize("tasks", [None, 5], ids=["", "a few tasks each"])
def test_workers_of_billiards_pool_send_at_their_end(
    endpoint: Endpoint, tmp_path: Path, method: str, tasks: int | None
) -> None:
    """They leave without finalizers; whoever made the pool is called before all the same."""
    pytest.importorskip("billiard")
    (tmp_path / "worker.py").write_text(_POOL)
    ended = run(
        f"""
        import billiard, billiard.pool
        sys.path.insert(0, {str(tmp_path)!r})
        import worker
        pool = billiard.pool.Pool(
            2, worker.begin, (URL, KEY), maxtasksperchild={tasks}, on_process_exit=worker.left,
            context=billiard.get_context({method!r}),
        )
        pool.map(worker.work, range(20))
        pool.close()
        pool.join()
        """,
        endpoint.url,
    )
    assert ended.status == 0, ended
    assert sorted(sequence(endpoint.received, "worker")) == list(range(20))
    assert "left" in ended.lines
