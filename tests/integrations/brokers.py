"""A Redis of the tests' own, and programs that queue work and do it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from antinode.testing import Endpoint
from tests.lifecycle.driver import KEY
from tests.needs import program

_WITHIN = 120.0


@contextmanager
def redis() -> Iterator[str]:
    """The URL of a running server, on a socket in a temporary directory."""
    server_program = program("redis-server")
    with tempfile.TemporaryDirectory(prefix="antinode-redis-") as home:
        socket = f"{home}/socket"
        server = subprocess.Popen(
            [server_program, "--port", "0", "--unixsocket", socket, "--save", "", "--dir", home],
            stdout=subprocess.DEVNULL,
        )
        try:
            wait_until(lambda: os.path.exists(socket), server)
            yield f"unix://{socket}"
        finally:
            server.terminate()
            server.wait(timeout=120)


def wait_until(is_so: Callable[[], bool], process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    """Wait for something that a process brings about."""
    deadline = time.monotonic() + _WITHIN
    while not is_so():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def run(home: Path, endpoint: Endpoint, *arguments: str, **environment: str) -> str:
    """What `python arguments…` writes, in the directory of its modules."""
    ended = subprocess.run(
        [sys.executable, *arguments], cwd=home, env=_environment(home, endpoint, environment),
        capture_output=True, text=True, timeout=_WITHIN, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    return ended.stdout + ended.stderr


def work(home: Path, endpoint: Endpoint, count: int, *arguments: str, **environment: str) -> str:
    """Run a worker until it has noted so many lines in the file `ran`, stop it, and return what it wrote."""
    worker = subprocess.Popen(
        [sys.executable, *arguments], cwd=home, env=_environment(home, endpoint, environment),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    ran = home / "ran"
    try:
        wait_until(lambda: ran.exists() and ran.read_text().count("\n") >= count, worker)
        worker.send_signal(signal.SIGTERM)
        return worker.communicate(timeout=_WITHIN)[0]
    finally:
        if worker.poll() is None:
            os.killpg(worker.pid, signal.SIGKILL)
            worker.communicate(timeout=120)


def _environment(home: Path, endpoint: Endpoint, more: dict[str, str]) -> dict[str, str]:
    # Whatever is new of a task library's is no fault of ours.
    return {
        **os.environ, "AMPLITUDE_API_KEY": KEY, "ANTINODE_SERVER_URL": endpoint.url, "PYTHONPATH": str(home),
        "HOME_OF_TASKS": str(home), **more,
    }  # fmt: skip


def told(events: list[dict[str, object]]) -> list[tuple[object, ...]]:
    """What of the events a context says, in some order."""
    return sorted(
        (each["event_type"], each.get("user_id") or "", str(each.get("event_properties") or ""))
        for each in events
    )
