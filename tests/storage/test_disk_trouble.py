"""A disk that is full, read-only or gone costs no event."""

from __future__ import annotations

import ctypes
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from antinode.testing import Endpoint, faults
from tests.lifecycle.driver import sequence
from tests.memory import Memory
from tests.storage.spooling import NOBODY, MakeClient, run_with, tick, until

# Of Linux's renameat2(2).
AT_FDCWD = -100
RENAME_EXCHANGE = 2


class Trouble:
    """Something that goes wrong with the directory, and is put right."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def begin(self) -> None:
        raise NotImplementedError

    def end(self) -> None:
        """Nothing, where antinode helps itself."""

    def clean_up(self) -> None:
        """Leave nothing behind."""


def exchange(one: Path, other: Path) -> None:
    """Give each the other's name, so that at no moment there is nothing of either name."""
    renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    if renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE):
        pytest.skip(f"this file system cannot exchange names: {os.strerror(ctypes.get_errno())}")


class Removed(Trouble):
    def begin(self) -> None:
        if not sys.platform.startswith("linux"):
            pytest.skip("only Linux exchanges names in one step")
        # Between two steps the client would make the directory anew, and be out of trouble.
        in_the_way = self.directory.with_name("in-the-way")
        in_the_way.write_bytes(b"")
        exchange(self.directory, in_the_way)

    def end(self) -> None:
        self.directory.unlink()


class Mounted(Trouble):
    options = "size=1m"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        directory.mkdir()
        if not sys.platform.startswith("linux") or self._run(
            "mount", "-t", "tmpfs", "-o", self.options, "none"
        ):
            pytest.skip("a file system of its own cannot be mounted here")

    def _run(self, *command: str) -> int:
        return subprocess.run([*command, str(self.directory)], check=False, capture_output=True).returncode

    def clean_up(self) -> None:
        self._run("umount", "-l")


class Full(Mounted):
    def begin(self) -> None:
        with (self.directory / "other").open("wb", 0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))

    def end(self) -> None:
        (self.directory / "other").unlink()


TROUBLES = [Removed, Full]


@pytest.fixture(params=TROUBLES, ids=lambda kind: kind.__name__.lower())
def trouble(request: pytest.FixtureRequest, directory: Path) -> Iterator[Trouble]:
    made: Trouble = request.param(directory)
    yield made
    made.clean_up()


def test_trouble_with_the_disk_costs_no_event(
    trouble: Trouble,
    directory: Path,
    make_client: MakeClient,
    endpoint: Endpoint,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Events go on in memory, one line says so, and antinode comes back to the disk when it can."""
    endpoint.answer = faults.Answer(503)
    client = make_client(server_url=endpoint.url)
    client.log_event(tick(0))
    trouble.begin()
    pad = "x" * 1000
    for seq in range(1, 3000):
        client.log_event(tick(seq, pad=pad))
    until(lambda: "events are kept in memory alone" in caplog.text, "the line about the trouble")
    trouble.end()
    until(lambda: "the spool takes events again" in caplog.text, "the return to the disk")
    client.log_event(tick(3000))
    assert client.stats().balanced
    endpoint.answer = None
    report = client.flush(120)
    assert (report.delivered, report.dropped, report.rejected) == (3001, 0, 0)
    assert sequence(endpoint.events) == list(range(3001))
    lines = [line.getMessage() for line in caplog.records if "kept in memory alone" in line.getMessage()]
    assert len(lines) == 1, lines
    assert not [line for line in caplog.records if line.levelno >= logging.ERROR]
    client.shutdown()


def test_events_logged_after_the_trouble_survive_again(
    trouble: Trouble, directory: Path, make_client: MakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Those that were kept in memory meanwhile are stored at a shutdown at the latest."""
    client = make_client(server_url=NOBODY)
    trouble.begin()
    for seq in range(500):
        client.log_event(tick(seq, pad="x" * 1000))
    until(lambda: "events are kept in memory alone" in caplog.text, "the line about the trouble")
    trouble.end()
    until(lambda: "the spool takes events again" in caplog.text, "the return to the disk")
    client.log_event(tick(500))
    report = client.shutdown(0)
    assert (report.spooled + report.dropped, client.stats().balanced) == (501, True)
    memory = Memory()
    make_client(transport=memory).flush(120)
    arrived = [event["event_properties"]["seq"] for event in memory.events]
    assert len(arrived) == len(set(arrived)) == report.spooled
    assert 500 in arrived


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such limit on this system")
def test_file_size_limit(directory: Path, endpoint: Endpoint, make_client: MakeClient) -> None:
    """Under a limit that allows no segment events are delivered from memory; without it they survive."""
    ended = run_with(
        directory,
        """
        import antinode, logging, os, resource, signal
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))
        logging.basicConfig(stream=sys.stdout, format="%(message)s", level=logging.WARNING)
        client = antinode.init(KEY, server_url=URL, storage=DIR, upload_interval_in_sec=60)
        for seq in range(100):
            client.log_event(event(seq))
        say(client.flush(120).delivered)
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        from antinode import _client
        sender = client._sender
        while sender._spooler._trouble is not None:
            idle()
        for seq in range(100, 200):
            client.log_event(event(seq))
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        endpoint.url,
    )
    assert "the file size limit" in ended.output, ended.errors
    assert "100" in ended.lines
    make_client(server_url=endpoint.url).flush(120)
    assert sequence(endpoint.events) == list(range(200))


def test_read_only_directory(
    directory: Path, make_client: MakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Events are delivered from memory; once the directory can be written to, they are kept there again."""
    mounted = Mounted(directory)
    try:
        assert not mounted._run("mount", "-o", "remount,ro")
        memory = Memory()
        client = make_client(transport=memory)
        for seq in range(100):
            client.log_event(tick(seq))
        assert client.flush(120).delivered == 100
        until(lambda: "the file system is read-only" in caplog.text, "the line about the trouble")
        assert not mounted._run("mount", "-o", "remount,rw")
        until(lambda: "the spool takes events again" in caplog.text, "the return to the disk")
        client.shutdown()
    finally:
        mounted.clean_up()


def test_a_directory_that_cannot_be_made_is_not_tried_with_each_event(
    tmp_path: Path, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Logging stays cheap: trying again is left to the background."""
    from antinode._spool.disk import Disk

    tried = []
    make_directory = Disk.make_directory

    def counted(self: Disk, path: str) -> None:
        tried.append(threading.current_thread() is threading.main_thread())
        make_directory(self, path)

    monkeypatch.setattr(Disk, "make_directory", counted)
    (tmp_path / "file").write_bytes(b"")
    client = make_client(storage=tmp_path / "file" / "spool", transport=Memory())
    for seq in range(500):
        client.log_event(tick(seq))
    assert client.flush(120).delivered == 500
    assert tried.count(True) == 1
