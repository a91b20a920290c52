"""Other code closes antinode's descriptors; files of the application that get their numbers are untouched."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from antinode.testing import Endpoint

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="descriptors as POSIX has them")

KEY = "0123456789abcdef0123456789abcdef"
APPLICATION = """
import gc, logging, os, sys
from antinode import Client
from antinode._spool import spool as spool_module

url, directory, durability, is_mapped, moment, end = sys.argv[1:]
if is_mapped == "plain":
    may_map = lambda path: False
    spool_module.may_map = may_map
logging.basicConfig(stream=sys.stdout)
options = {"storage": directory, "durability": durability} if directory else {}
client = Client().init("0123456789abcdef0123456789abcdef", server_url=url, shutdown_timeout=120, **options)

def log(count):
    for _ in range(count):
        client.log_event({"event_type": "Tick", "user_id": "user-20391"})

if moment != "after init":
    log(3)
    assert client.flush(120).complete
if moment == "with events queued":
    log(3)

# What other code does: close everything, and open files of its own.
os.closerange(3, 256)
text = b"account 1: 100 EUR\\n" * 20_000
files = []
for number in range(12):
    descriptor = os.open(f"{directory or '.'}-{number}", os.O_RDWR | os.O_CREAT)
    os.write(descriptor, text)
    files.append((descriptor, os.fstat(descriptor).st_ino))
reads, writes = os.pipe()

log(5)
client.flush(120)
log(2)
client.flush(120)
if end == "shutdown":
    client.shutdown(120)
    del client
    gc.collect()
for number, (descriptor, inode) in enumerate(files):
    assert os.fstat(descriptor).st_ino == inode, f"{descriptor} was closed, or is another file"
    assert open(f"{directory or '.'}-{number}", "rb").read() == text, f"{number} was written to"
os.write(writes, b"x")
assert os.read(reads, 1) == b"x"
print("untouched", flush=True)
if end == "killed":
    os._exit(1)
"""


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as running:
        yield running


MOMENTS = {"after init": 7, "after a flush": 10, "with events queued": 13}
KINDS = [("process", "mapped"), ("process", "plain"), ("interval", "mapped"), ("strict", "plain")]


@pytest.mark.parametrize(
    ("durability", "kind", "moment", "end"),
    [
        *((*kind, "after a flush", "shutdown") for kind in KINDS),
        ("process", "mapped", "after init", "shutdown"),
        ("process", "mapped", "after init", "exit"),
        ("process", "mapped", "with events queued", "shutdown"),
        ("process", "plain", "with events queued", "exit"),
        ("process", "mapped", "with events queued", "killed"),
        ("interval", "plain", "after init", "killed"),
    ],
)
def test_files_with_the_spools_numbers_are_untouched(
    tmp_path: Path, endpoint: Endpoint, durability: str, kind: str, moment: str, end: str
) -> None:
    """They stay open and as they were; all events arrive, and a line says what was done to the spool."""
    directory = tmp_path / "spool"
    done = subprocess.run(
        [sys.executable, "-c", APPLICATION, endpoint.url, str(directory), durability, kind, moment, end],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == (1 if end == "killed" else 0), done.stdout
    assert "untouched" in done.stdout
    assert "were closed by other code" in done.stdout
    assert len(endpoint.events) == MOMENTS[moment]
    if end != "killed":
        assert os.listdir(directory) == [], done.stdout


def test_sockets_with_a_connections_number_are_not_spoken_to(tmp_path: Path, endpoint: Endpoint) -> None:
    """An idle connection's number becomes the application's socket: nothing is sent on it, or read."""
    code = (
        APPLICATION.replace(
            "reads, writes = os.pipe()",
            "import socket; pairs = [socket.socketpair() for _ in range(6)]; reads, writes = os.pipe()",
        )
        .replace(
            'print("untouched"',
            """
for pair in pairs:
    for each in pair:
        each.setblocking(False)
        try:
            raise AssertionError(each.recv(100))
        except BlockingIOError:
            pass
print("untouched\"""",
        )
        .replace("range(12)", "range(0)")
    )
    done = subprocess.run(
        [sys.executable, "-c", code, endpoint.url, "", "process", "mapped", "after a flush", "shutdown"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=120,
        cwd=tmp_path,
    )
    assert "untouched" in done.stdout, done.stdout
    assert len(endpoint.events) == MOMENTS["after a flush"]
