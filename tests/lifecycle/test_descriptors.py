"""What antinode has open stays in its process: no program that the application starts inherits it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from antinode.testing import Endpoint
from tests.lifecycle.driver import run

pytestmark = pytest.mark.skipif(
    not os.path.isdir("/proc/self/fd"), reason="this system does not list descriptors"
)

_LIST = "import os; print(sorted(int(each) for each in os.listdir('/proc/self/fd')))"


@pytest.mark.parametrize("storage", [False, True], ids=["in memory", "spool"])
def test_started_programs_inherit_nothing(endpoint: Endpoint, tmp_path: Path, storage: bool) -> None:
    """Neither by posix_spawn, nor by subprocess with `close_fds=False`: no connection, segment or lock."""
    options = f"storage={str(tmp_path)!r}, dead_letters={str(tmp_path / 'letters')!r}" if storage else ""
    ended = run(
        f"""
        import antinode, os, subprocess
        command = [sys.executable, "-c", {_LIST!r}]

        def started():
            os.waitpid(os.posix_spawn(command[0], command, os.environ), 0)
            say(subprocess.run(command, close_fds=False, stdout=subprocess.PIPE, text=True).stdout.strip())

        started()
        client = antinode.init(KEY, server_url=URL, {options})
        client.log_event({{"event_type": ""}})
        client.log_event(event(0))
        say(client.flush(120).delivered)
        before = len(os.listdir("/proc/self/fd"))
        started()
        say(before > 4)
        """,
        endpoint.url,
    )
    spawned, ran, delivered, spawned_later, ran_later, had_some = ended.lines
    assert (spawned_later, ran_later) == (spawned, ran)
    assert (delivered, had_some) == ("1", "True")
