"""Memory runs out while events are logged: the process lives, and every event has an end that is told."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

from tests import needs

HEAD = """
import antinode

class Nowhere:
    def send(self, request):
        raise TimeoutError

    def close(self):
        pass

def make(**options):
    return antinode.Client().init("0" * 32, transport=Nowhere(), upload_interval_in_sec=3600,
                                  shutdown_timeout=0, max_cached_events=10**9, max_queue_bytes=10**10,
                                  **options)
"""

EXHAUSTED = """
import collections, os, resource, sys
told = collections.Counter()
client = make(strict=True, on_outcome=lambda each: told.update([each.outcome.reason]))
client.log_event({"event_type": "Tick", "user_id": "user-20391"})
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
limits = resource.getrlimit(resource.RLIMIT_AS)
resource.setrlimit(resource.RLIMIT_AS, (used + 40 * 2**20, limits[1]))
text = "x" * 900
ends = collections.Counter()
for n in range(12_000):
    handle = client.log_event({"event_type": "Big", "user_id": f"user-{n}", **MORE,
                               "event_properties": {key: text for key in "abcdefgh"}})
    ends[handle.outcome and handle.outcome.reason] += 1
resource.setrlimit(resource.RLIMIT_AS, limits)
client.log_event({"event_type": "Tick", "user_id": "user-20391"})
stats = client.stats()
client.shutdown(0)
lost = ends["out_of_memory"]
print(stats.balanced, stats.accepted, set(ends) == {None, "out_of_memory"}, lost > 1000,
      stats.dropped == {"out_of_memory": lost}, told["out_of_memory"] == lost)
"""

ENDING = """
import resource
client = make()
client.log_event({"event_type": "Tick", "user_id": "user-20391"})
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
limits = resource.getrlimit(resource.RLIMIT_AS)
resource.setrlimit(resource.RLIMIT_AS, (used + 40 * 2**20, limits[1]))
text = "x" * 900
for n in range(12_000):
    client.log_event({"event_type": "Big", "user_id": f"user-{n}",
                      "event_properties": {key: text for key in "abcdefgh"}})
client.shutdown(0)
stats = client.stats()
print(stats.balanced, stats.pending, set(stats.dropped) == {"out_of_memory", "shutdown"})
"""

STEPS = """
import _testcapi
client = make()
event = {"event_type": "Tick", "user_id": "user-20391", "event_properties": {"a": 1}}
client.log_event(event)
log_event, deny, allow = client.log_event, _testcapi.set_nomemory, _testcapi.remove_mem_hooks
known = client._hot.taken
ends = []
for after in range(1, 6):
    deny(0, 0)
    try:
        handle = log_event(event)
    finally:
        allow()
    ends.append(handle.outcome.reason)
print(set(ends), client._hot.taken - known, client.stats().balanced, client.stats().dropped)
"""


def run(program: str, *, is_pure: bool = False) -> str:
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", textwrap.dedent(program)],
        env={**os.environ, "ANTINODE_PURE_PYTHON": "1" if is_pure else ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.strip()


@pytest.mark.skipif(sys.platform != "linux", reason="reads how much memory is mapped as Linux tells it")
@pytest.mark.skipif("asan" in os.environ.get("LD_PRELOAD", ""), reason="the sanitizer maps terabytes")
@pytest.mark.parametrize("is_pure", [False, True], ids=["compiled", "python"])
@pytest.mark.parametrize("more", [{}, {"time": None}], ids=["ordinary", "unusual"])
def test_memory_runs_out(more: dict[str, object], is_pure: bool) -> None:
    """Events are dropped for it, no call raises, and once there is memory again the next are taken."""
    printed = run(f"{HEAD}\nMORE = {more}\n{EXHAUSTED}", is_pure=is_pure)
    assert printed == "True 12002 True True True True"


@pytest.mark.skipif(sys.platform != "linux", reason="reads how much memory is mapped as Linux tells it")
@pytest.mark.skipif("asan" in os.environ.get("LD_PRELOAD", ""), reason="the sanitizer maps terabytes")
@pytest.mark.parametrize("is_pure", [False, True], ids=["compiled", "python"])
def test_the_end_comes_without_memory(is_pure: bool) -> None:
    """Where memory lacks even for a list of what is queued, all of it has its end, and the process exits."""
    assert run(f"{HEAD}\n{ENDING}", is_pure=is_pure) == "True 0 True"


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="needs CPython's hooks for tests")
def test_no_memory_at_all() -> None:
    """Even then the compiled code gives the handle of an event that is settled and counted."""
    needs.native()
    pytest.importorskip("_testcapi")
    assert run(f"{HEAD}\n{STEPS}") == "{'out_of_memory'} 0 True {'out_of_memory': 5}"
