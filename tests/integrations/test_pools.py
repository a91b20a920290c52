"""Pools of processes as docs/tasks.md has them: the context goes along, and nothing logged is lost."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from antinode.testing import Endpoint
from tests.integrations.brokers import run, told

_PROGRAM = """
import multiprocessing, os, sys
from concurrent.futures import ProcessPoolExecutor
import antinode

def begin():
    antinode.init(server_url=os.environ["ANTINODE_SERVER_URL"], upload_interval_in_sec=600)

def work(held, number):
    with antinode.context(**held):
        antinode.log_event({"event_type": f"number {number}"})

if __name__ == "__main__":
    kind, method = sys.argv[1:]
    processes = multiprocessing.get_context(method)
    with antinode.context(user_id="user-7", event_properties={"page": "cart"}):
        held = antinode.get_context()
        if kind == "pool":
            pool = processes.Pool(2, initializer=begin)
            pool.starmap(work, [(held, number) for number in range(10)])
            pool.close()
            pool.join()
        else:
            with ProcessPoolExecutor(2, mp_context=processes, initializer=begin) as executor:
                list(executor.map(work, [held] * 10, range(10)))
"""


@pytest.mark.parametrize("kind", ["pool", "executor"])
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_workers_log_in_the_context_they_are_given_and_lose_nothing(
    endpoint: Endpoint, tmp_path: Path, kind: str, method: str
) -> None:
    """With an interval, whose end none of the workers lives to see."""
    if sys.platform == "win32" and method != "spawn":
        pytest.skip("this system only spawns")
    (tmp_path / "program.py").write_text(_PROGRAM)
    run(tmp_path, endpoint, "program.py", kind, method)
    expected = [(f"number {number}", "user-7", "{'page': 'cart'}") for number in range(10)]
    assert told(endpoint.events) == sorted(expected)
