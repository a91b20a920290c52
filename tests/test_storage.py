"""The spool as an application sees it: what it is promised to survive, with real processes and files."""

from __future__ import annotations

import asyncio
import errno
import gc
import itertools
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import antinode
from antinode import Client
from antinode._delivery import record as records
from antinode.testing import Endpoint, faults
from tests.lifecycle.driver import KEY, Ended, run, sequence
from tests.memory import Memory

OTHER_KEY = "fedcba9876543210fedcba9876543210"
NOBODY = "http://127.0.0.1:9/2/httpapi"

MakeClient = Callable[..., Client]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as running:
        yield running


@pytest.fixture
def make_client(directory: Path) -> Iterator[MakeClient]:
    """Makes clients with a spool, which are shut down with the test."""
    made: list[Client] = []

    def make(key: str = KEY, **options: Any) -> Client:
        client = Client("test").init(key, **{"storage": directory, **options})
        made.append(client)
        return client

    yield make
    for client in made:
        client.shutdown(0)


def tick(seq: int, user: str = "user-1", **more: Any) -> Any:
    return {"event_type": "Tick", "user_id": user, "event_properties": {"seq": seq, **more}}


def _sender(client: Client) -> Any:
    return client._sender


def left(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir() if path.name != "damaged")


def until(met: Callable[[], object], what: str = "the condition") -> None:
    """Wait for something that another thread or process does."""
    deadline = time.monotonic() + 30
    while not met():
        assert time.monotonic() < deadline, f"{what} was not met"
        time.sleep(0.005)


def run_with(directory: Path, program: str, url: str = NOBODY) -> Ended:
    return run(f"DIR = {str(directory)!r}\n" + _dedented(program), url)


def _dedented(program: str) -> str:
    import textwrap

    return textwrap.dedent(program)


@pytest.mark.parametrize(
    "end", ["os.kill(os.getpid(), signal.SIGKILL)", "os._exit(0)"], ids=["killed", "_exit"]
)
@pytest.mark.parametrize("durability", ["process", "interval", "strict"])
def test_events_survive_the_process(
    directory: Path, endpoint: Endpoint, make_client: MakeClient, end: str, durability: str
) -> None:
    """What was logged is delivered by the next process: in order, with its own insert_id and time."""
    ended = run_with(
        directory,
        f"""
        import antinode, json, os, signal
        client = antinode.init(KEY, server_url=URL, storage=DIR, durability={durability!r})
        for seq in range(300):
            handle = client.log_event(event(seq))
            fields = handle.event()
            print(json.dumps([fields["insert_id"], fields["time"]]), flush=True)
        {end}
        """,
    )
    client = make_client(server_url=endpoint.url)
    report = client.flush(20)
    assert report.delivered == 300
    assert [[event["insert_id"], event["time"]] for event in endpoint.events] == [
        json.loads(line) for line in ended.lines
    ]
    assert sequence(endpoint.events) == list(range(300))
    stats = client.stats()
    assert (stats.accepted, stats.recovered, stats.delivered) == (300, 300, 300)
    client.shutdown()
    assert left(directory) == []


def test_what_was_left_comes_before_what_is_logged_now(
    directory: Path, endpoint: Endpoint, make_client: MakeClient
) -> None:
    """The next process's own events of the same user follow those of its predecessor."""
    run_with(
        directory,
        """
        import antinode, os
        client = antinode.init(KEY, server_url=URL, storage=DIR)
        for seq in range(2000):
            client.log_event(event(seq))
        os._exit(0)
        """,
    )
    client = make_client(server_url=endpoint.url)
    for seq in range(2000, 2500):
        client.log_event(tick(seq))
    assert client.flush(20).delivered == 2500
    assert sequence(endpoint.events) == list(range(2500))
    assert endpoint.duplicates() == []


def test_delivered_events_do_not_come_again(directory: Path, endpoint: Endpoint) -> None:
    """A process that is killed after a flush leaves nothing to deliver."""
    for _ in range(3):
        run_with(
            directory,
            """
            import antinode, os, signal
            client = antinode.init(KEY, server_url=URL, storage=DIR)
            client.log_event(event(1))
            assert client.flush(20).complete
            os.kill(os.getpid(), signal.SIGKILL)
            """,
            endpoint.url,
        )
    assert len(endpoint.received) == 3


def test_shutdown_leaves_at_once_what_is_not_sent(make_client: MakeClient, directory: Path) -> None:
    """With `shutdown_timeout=0` nothing is waited for, and everything is counted as spooled."""
    told: list[antinode.Delivery] = []
    client = make_client(transport=Memory(is_open=False), shutdown_timeout=0)
    handles = [client.log_event(tick(seq)) for seq in range(100)]
    handles[5].add_done_callback(told.append)
    report = client.shutdown()
    assert (report.spooled, report.dropped, report.pending, report.complete) == (100, 0, 0, True)
    stats = client.stats()
    assert (stats.spooled, stats.pending, stats.balanced) == (100, 0, True)
    assert {handle.result(0).kind for handle in handles} == {"spooled"}
    assert told == [handles[5]]
    memory = Memory()
    successor = make_client(transport=memory)
    assert successor.flush(20).delivered == 100
    assert [event["event_properties"]["seq"] for event in memory.events] == list(range(100))


def test_exit_does_not_wait_for_a_server_that_hangs(
    directory: Path, endpoint: Endpoint, make_client: MakeClient
) -> None:
    """With `shutdown_timeout=0` the process ends normally, says what stays, and the next one delivers."""
    endpoint.answer = faults.hang()
    ended = run_with(
        directory,
        """
        import antinode, logging
        logging.basicConfig(stream=sys.stdout, format="%(message)s", level=logging.INFO)
        client = antinode.init(KEY, server_url=URL, storage=DIR, shutdown_timeout=0)
        for seq in range(50):
            client.log_event(event(seq))
        """,
        endpoint.url,
    )
    assert ended.status == 0
    assert "50 events stay in the spool, for the next process to deliver" in ended.output
    endpoint.answer = None
    assert make_client(server_url=endpoint.url).flush(20).delivered == 50
    assert sequence(endpoint.events) == list(range(50))


def test_exit_handlers_may_log_after_the_end(
    directory: Path, endpoint: Endpoint, make_client: MakeClient
) -> None:
    """What is logged once antinode's own exit handler has run is delivered, or stays on disk."""
    ended = run_with(
        directory,
        """
        import atexit
        def at_exit():
            client.log_event(event(3))
            client.log_event(event(4))
            say(client.stats().balanced)
        atexit.register(at_exit)
        import antinode
        client = antinode.init(KEY, server_url=URL, storage=DIR, shutdown_timeout=0)
        for seq in range(3):
            client.log_event(event(seq))
        """,
    )
    assert (ended.status, ended.lines) == (0, ["True"])
    make_client(server_url=endpoint.url).flush(20)
    assert sequence(endpoint.events) == list(range(5))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_forked_child_has_files_of_its_own(directory: Path, endpoint: Endpoint) -> None:
    """It does not touch its parent's, whose events are delivered by the parent, each once."""
    ended = run_with(
        directory,
        """
        import antinode, glob, os
        client = antinode.init(KEY, server_url=URL, storage=DIR)
        for seq in range(100):
            client.log_event(event(seq, "parent"))
        for number in range(3):
            if os.fork() == 0:
                for seq in range(50):
                    handle = client.log_event(event(seq, f"child-{number}"))
                stats = client.stats()
                say(stats.accepted, stats.recovered, len(glob.glob(f"{DIR}/*-{os.getpid()}-*.seg")) > 0)
                client.shutdown(20)
                os._exit(0)
        for _ in range(3):
            os.wait()
        report = client.shutdown(20)
        say(report.delivered, client.stats().balanced)
        """,
        endpoint.url,
    )
    assert ended.lines == ["50 0 True"] * 3 + ["100 True"], ended.errors
    for user, count in [("parent", 100), ("child-0", 50), ("child-1", 50), ("child-2", 50)]:
        assert sequence(endpoint.events, user) == list(range(count))
    assert endpoint.duplicates() == []
    assert left(directory) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_forked_child_that_is_killed_leaves_its_events_to_the_parent(
    directory: Path, endpoint: Endpoint
) -> None:
    """The parent takes them over, as those of any process that died."""
    ended = run_with(
        directory,
        """
        import antinode, os, signal
        from antinode._delivery.shell import spooler
        spooler.ADOPT_EVERY = 0.05
        client = antinode.init(KEY, server_url=URL, storage=DIR, upload_interval_in_sec=60)
        client.log_event(event(0, "parent"))
        child = os.fork()
        if child == 0:
            for seq in range(50):
                client.log_event(event(seq, "child"))
            os.kill(os.getpid(), signal.SIGKILL)
        os.waitpid(child, 0)
        while client.stats().recovered < 50:
            idle()
        say(client.flush(20).delivered)
        """,
        endpoint.url,
    )
    assert ended.lines == ["51"], ended.errors
    assert sequence(endpoint.events, "child") == list(range(50))


# A wrong key.


def test_wrong_key_costs_no_event(
    directory: Path, make_client: MakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Uploading pauses, `flush` returns, one line says so; with the right key everything is delivered."""
    with Endpoint(api_key=OTHER_KEY) as endpoint:
        client = make_client(KEY, server_url=endpoint.url)
        handles = [client.log_event(tick(seq)) for seq in range(100)]
        report = client.flush(20)
        assert (report.delivered, report.dropped, report.pending) == (0, 0, 100)
        assert not any(handle.done() for handle in handles)
        stalled = client.stats().stalled
        assert stalled is not None
        assert stalled.startswith("configuration")
        # Once more while the fault stands.
        assert client.flush(20).pending == 100
        report = client.shutdown(20)
        assert (report.spooled, report.dropped) == (100, 0)
        errors = [line for line in caplog.records if line.levelno == logging.ERROR]
        assert len(errors) == 1
        assert "events stay in the spool" in errors[0].getMessage()
        assert make_client(OTHER_KEY, server_url=endpoint.url).flush(20).delivered == 100
        assert sequence(endpoint.events) == list(range(100))


def test_wrong_key_of_a_process_that_was_killed(directory: Path, make_client: MakeClient) -> None:
    """Once the server has refused its key, its events are given to whoever has the right one."""
    with Endpoint(api_key=OTHER_KEY) as endpoint:
        run_with(
            directory,
            """
            import antinode, os, signal
            client = antinode.init(KEY, server_url=URL, storage=DIR)
            for seq in range(100):
                client.log_event(event(seq))
            client.flush(20)
            for seq in range(100, 5000):
                client.log_event(event(seq))
            os.kill(os.getpid(), signal.SIGKILL)
            """,
            endpoint.url,
        )
        assert make_client(OTHER_KEY, server_url=endpoint.url).flush(20).delivered == 5000
        assert sequence(endpoint.events) == list(range(5000))


def test_projects_that_share_a_directory_are_kept_apart(
    directory: Path, make_client: MakeClient, endpoint: Endpoint
) -> None:
    """What was logged under one key is not sent under another."""
    client = make_client(KEY, server_url=NOBODY)
    client.log_event(tick(1))
    assert client.shutdown(0).spooled == 1
    other = make_client(OTHER_KEY, server_url=endpoint.url)
    other.log_event(tick(2))
    assert other.shutdown(20).delivered == 1
    assert make_client(KEY, server_url=endpoint.url).flush(20).delivered == 1


# Trouble with the disk.


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


class Removed(Trouble):
    def begin(self) -> None:
        for attempt in itertools.count():
            # In one step: the client may be making a file in it, or making it anew.
            self.directory.rename(self.directory.with_name(f"gone-{attempt}"))
            with suppress(IsADirectoryError):
                self.directory.write_bytes(b"in the way")
                return

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
    report = client.flush(30)
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
    make_client(transport=memory).flush(20)
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
        say(client.flush(20).delivered)
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
    make_client(server_url=endpoint.url).flush(20)
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
        assert client.flush(20).delivered == 100
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
    assert client.flush(20).delivered == 500
    assert tried.count(True) == 1


# Bounds.


def test_full_spool_drops_the_oldest(make_client: MakeClient, caplog: pytest.LogCaptureFixture) -> None:
    """With "drop_oldest" the newest events are kept, and those that made room are counted."""
    outcomes: list[antinode.Delivery] = []
    client = make_client(
        server_url=NOBODY, max_spool_bytes=1024 * 1024, max_queue_events=100, on_outcome=outcomes.append
    )
    pad = "x" * 1000
    for seq in range(4000):
        client.log_event(tick(seq, pad=pad))
    until(lambda: client.stats().dropped.get("spool_full"), "dropping")
    report = client.shutdown(0)
    stats = client.stats()
    assert stats.balanced
    assert report.spooled + report.dropped == 4000
    assert "the oldest events are dropped" in caplog.text
    memory = Memory()
    make_client(transport=memory).flush(20)
    arrived = [event["event_properties"]["seq"] for event in memory.events]
    assert arrived == sorted(set(arrived))
    assert len(arrived) == report.spooled > 100


def test_full_spool_of_events_that_are_in_memory_too(make_client: MakeClient) -> None:
    """The oldest make room for the new ones even where the queue in memory could hold more."""
    client = make_client(server_url=NOBODY, max_spool_bytes=1024 * 1024)
    pad = "x" * 1000
    for seq in range(3000):
        client.log_event(tick(seq, pad=pad))
    until(lambda: client.stats().dropped.get("spool_full"), "dropping")
    until(lambda: not _sender(client)._core.spooled.is_failing, "room")
    for seq in range(3000, 3100):
        client.log_event(tick(seq))
    until(lambda: not _sender(client)._core.spooled.is_failing, "room")
    assert client.stats().balanced
    client.shutdown(0)
    memory = Memory()
    make_client(transport=memory).flush(20)
    arrived = [event["event_properties"]["seq"] for event in memory.events]
    assert arrived[-100:] == list(range(3000, 3100))


def test_full_spool_drops_the_newest(make_client: MakeClient, caplog: pytest.LogCaptureFixture) -> None:
    """With "drop_newest" what is on disk stays, and new events settle at once."""
    client = make_client(server_url=NOBODY, max_spool_bytes=1024 * 1024, overflow="drop_newest")
    pad = "x" * 1000
    handles = [client.log_event(tick(seq, pad=pad)) for seq in range(3000)]
    dropped = [handle for handle in handles if handle.done()]
    assert 0 < len(dropped) < 3000
    assert {handle.result(0).reason for handle in dropped} == {"spool_full"}
    until(lambda: "holds its limit of 1,048,576 bytes" in caplog.text, "the line about the limit")
    report = client.shutdown(0)
    assert (report.spooled, report.dropped) == (3000 - len(dropped), len(dropped))
    memory = Memory()
    make_client(transport=memory).flush(20)
    assert [event["event_properties"]["seq"] for event in memory.events] == [
        seq for seq, handle in enumerate(handles) if handle.result(0).kind == "spooled"
    ]


def test_full_spool_blocks_until_there_is_room(make_client: MakeClient, endpoint: Endpoint) -> None:
    """With "block" the thread that logs waits, and goes on soon after events have left."""
    endpoint.answer = faults.Answer(503)
    client = make_client(server_url=endpoint.url, max_spool_bytes=1024 * 1024, overflow="block")
    pad = "x" * 1000
    logged = []

    def log() -> None:
        for seq in range(4000):
            client.log_event(tick(seq, pad=pad))
            logged.append(seq)

    thread = threading.Thread(target=log)
    thread.start()
    until(lambda: _sender(client)._works.room, "blocking")
    assert len(logged) < 4000
    endpoint.answer = None
    thread.join(60)
    assert len(logged) == 4000
    assert client.flush(30).complete
    assert (client.stats().delivered, dict(client.stats().dropped)) == (4000, {})
    assert sequence(endpoint.events) == list(range(4000))


_RSS = """
import antinode
def anonymous():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon"))
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="memory is measured by Linux's /proc")
def test_memory_stays_small_however_long_the_backlog(directory: Path, make_client: MakeClient) -> None:
    """300,000 events that cannot leave take some 30 MB, where they are logged and where they are read."""
    ended = run_with(
        directory,
        _RSS
        + """
client = antinode.init(KEY, server_url=URL, storage=DIR, shutdown_timeout=0)
client.log_event(event(0))
before = anonymous()
for seq in range(1, 300_000):
    client.log_event(event(seq, f"user-{seq % 1000}"))
say(anonymous() - before, client.stats().on_disk > 250_000, client.stats().balanced)
""",
    )
    size, *rest = ended.lines[0].split()
    assert rest == ["True", "True"]
    assert int(size) < 40_000
    ended = run_with(
        directory,
        _RSS
        + """
before = anonymous()
client = antinode.init(KEY, server_url=URL, storage=DIR, shutdown_timeout=0)
while client.stats().recovered < 20_000:
    idle()
say(anonymous() - before, client.stats().recovered < 50_000)
""",
    )
    size, *rest = ended.lines[0].split()
    assert rest == ["True"]
    assert int(size) < 40_000
    memory = Memory()
    client = make_client(transport=memory)
    assert client.flush(60).delivered == 300_000


# The ledger.


def test_books_balance_at_every_instant(make_client: MakeClient, endpoint: Endpoint) -> None:
    """Also while events move between memory and disk, fail, and several threads log."""
    endpoint.answer = faults.random_mix(7, {faults.Answer(500): 0.1, faults.drop_after(): 0.1})
    client = make_client(server_url=endpoint.url, max_queue_events=300)
    threads = [
        threading.Thread(target=lambda n=n: [client.log_event(tick(seq, f"user-{n}")) for seq in range(2000)])
        for n in range(3)
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        stats = client.stats()
        assert stats.balanced, stats
    assert client.flush(60).complete
    stats = client.stats()
    assert (stats.accepted, stats.delivered, stats.on_disk) == (6000, 6000, 0)
    for number in range(3):
        assert sequence(endpoint.events, f"user-{number}") == list(range(2000))


def test_shutdown_while_the_backlog_is_read(make_client: MakeClient) -> None:
    """What is being read just then is counted, and comes; twice only if its answer was not heard."""
    sent: list[int] = []
    total = 3000
    make_client(server_url=NOBODY).shutdown(0)
    client = make_client(server_url=NOBODY)
    for seq in range(total):
        client.log_event(tick(seq))
    client.shutdown(0)
    rounds = 0
    while len(set(sent)) < total:
        rounds += 1
        memory = Memory()
        client = make_client(transport=memory, max_queue_events=40)
        enough = rounds * 7
        until(lambda c=client, enough=enough: c.stats().delivered > enough or c.stats().pending == 0)
        client.shutdown(0)
        assert client.stats().balanced
        sent += [event["event_properties"]["seq"] for event in memory.events]
    first = list(dict.fromkeys(sent))
    assert first == list(range(total))


# Handles.


def test_callback_of_a_handle_that_was_let_go_is_called(make_client: MakeClient) -> None:
    """Even if its event was on disk alone, where nothing but the callback remembers it."""
    memory = Memory(is_open=False)
    client = make_client(transport=memory, max_queue_events=10)
    called: list[int] = []
    for seq in range(200):
        client.log_event(tick(seq)).add_done_callback(lambda handle, seq=seq: called.append(seq))
    gc.collect()
    assert client.stats().on_disk > 100
    memory.gate.set()
    assert client.flush(20).delivered == 200
    assert called == list(range(200))
    assert not records._anchored


def test_handles_that_are_kept_learn_the_outcome(make_client: MakeClient) -> None:
    """Those that are let go cost no memory while the event is on disk alone."""
    memory = Memory(is_open=False)
    client = make_client(transport=memory, max_queue_events=10)
    kept = [client.log_event(tick(seq)) for seq in range(100)]
    gone = weakref.ref(client.log_event(tick(100)))
    gc.collect()
    assert gone() is None
    memory.gate.set()
    assert client.flush(20).delivered == 101
    assert all(handle.result(0).ok for handle in kept)


def test_waiting_in_vain_leaves_nothing_behind(make_client: MakeClient) -> None:
    """A handle whose `result` was asked for with a timeout is not kept alive by that."""
    client = make_client(transport=Memory(is_open=False), max_queue_events=5)
    for seq in range(20):
        handle = client.log_event(tick(seq))
        with pytest.raises(TimeoutError):
            handle.result(0)
    assert not records._anchored


def test_failed_events_are_told_once(make_client: MakeClient, endpoint: Endpoint) -> None:
    """An event that the server refuses ends rejected, and does not come again."""
    endpoint.answer = faults.invalid({"event_properties.seq": 3})
    client = make_client(server_url=endpoint.url)
    handles = [client.log_event(tick(seq)) for seq in range(6)]
    report = client.flush(20)
    assert (report.delivered, report.rejected) == (5, 1)
    assert handles[3].result(0).kind == "rejected"
    client.shutdown()
    successor = make_client(server_url=endpoint.url)
    assert successor.flush(20).delivered == 0
    assert successor.stats().recovered == 0


# Threads, signals, asyncio.


def test_strict_is_safe_with_many_threads(directory: Path, make_client: MakeClient) -> None:
    """Threads that log at once share a sync; all that was logged survives."""
    run_with(
        directory,
        """
        import antinode, os, threading
        client = antinode.init(KEY, server_url=URL, storage=DIR, durability="strict")
        threads = [
            threading.Thread(target=lambda n=n: [client.log_event(event(i, f"user-{n}")) for i in range(50)])
            for n in range(8)
        ]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        os._exit(0)
        """,
    )
    memory = Memory()
    make_client(transport=memory).flush(20)
    for number in range(8):
        assert sequence(memory.events, f"user-{number}") == list(range(50))


def test_strict_syncs_before_log_event_returns(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each call waits for a sync of its own record."""
    from antinode._spool.disk import Disk

    synced: list[int] = []
    sync = Disk.sync
    monkeypatch.setattr(Disk, "sync", lambda self, file: (synced.append(file), sync(self, file))[1])
    client = make_client(transport=Memory(is_open=False), durability="strict")
    for count in range(5):
        before = len(synced)
        client.log_event(tick(count))
        assert len(synced) > before


def test_sync_that_fails_is_said(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The application goes on: the event is safe from everything but a power cut."""
    from antinode._spool.disk import Disk

    def fail(self: Disk, file: int) -> None:
        raise OSError(errno.EIO, "broken")

    memory = Memory()
    client = make_client(transport=memory, durability="strict")
    monkeypatch.setattr(Disk, "sync", fail)
    client.log_event(tick(1))
    assert client.flush(20).delivered == 1
    until(lambda: "events are not synced to disk" in caplog.text)


def test_interval_syncs_while_nothing_can_be_sent(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is logged in an outage survives a power cut after the interval, though nobody uploads."""
    from antinode._spool.disk import Disk

    synced: list[int] = []
    sync = Disk.sync
    monkeypatch.setattr(Disk, "sync", lambda self, file: (synced.append(file), sync(self, file))[1])
    client = make_client(server_url=NOBODY, durability="interval", sync_interval=0.05)
    client.log_event(tick(0))
    until(lambda: client.stats().stalled, "the outage")
    for seq in range(1, 4):
        before = len(synced)
        client.log_event(tick(seq))
        until(lambda before=before: len(synced) > before, "a sync")


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no interval timers on this system")
def test_signal_handler_may_log_in_the_middle_of_logging(directory: Path, make_client: MakeClient) -> None:
    """Neither event harms the other; both survive."""
    ended = run_with(
        directory,
        """
        import antinode, os, signal
        client = antinode.init(KEY, server_url=URL, storage=DIR, max_queue_events=100)
        count, is_logging = 0, False
        def log(*_):
            global count, is_logging
            if not is_logging:  # the timer may interrupt the handler too
                is_logging = True
                client.log_event(event(count, "by-handler"))
                count += 1
                is_logging = False
        signal.signal(signal.SIGALRM, log)
        signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
        seq = 0
        while count < 2000:
            client.log_event(event(seq, "by-main"))
            seq += 1
        signal.setitimer(signal.ITIMER_REAL, 0)
        say(seq, count, client.stats().balanced)
        os._exit(0)
        """,
    )
    by_main, by_handler, is_balanced = ended.lines[0].split()
    assert is_balanced == "True"
    memory = Memory()
    make_client(transport=memory).flush(30)
    assert sequence(memory.events, "by-main") == list(range(int(by_main)))
    assert sequence(memory.events, "by-handler") == list(range(int(by_handler)))
    assert left(directory)


async def test_asyncio_waits_for_events_on_disk(make_client: MakeClient) -> None:
    """Awaiting a handle, `aflush` and `ashutdown` cover events that are on disk alone."""
    memory = Memory(is_open=False)
    client = make_client(transport=memory, max_queue_events=5)
    handles = [client.log_event(tick(seq)) for seq in range(50)]
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(_outcome(handles[40]), 0.01)
    assert (await client.aflush(0.01)).pending == 50
    memory.gate.set()
    assert (await handles[49]).ok
    assert (await client.aflush(20)).complete
    memory.gate.clear()
    client.log_event(tick(50))
    assert (await client.ashutdown(0)).spooled == 1


async def _outcome(handle: antinode.Delivery) -> antinode.Outcome:
    return await handle


# Several at once, and configuration.


def test_two_clients_share_a_directory(directory: Path, endpoint: Endpoint) -> None:
    """In one process too: each has files of its own, and neither takes the other's."""
    first = Client("first").init(KEY, server_url=endpoint.url, storage=directory)
    second = Client("second").init(KEY, server_url=endpoint.url, storage=directory)
    for seq in range(500):
        first.log_event(tick(seq, "first"))
        second.log_event(tick(seq, "second"))
    assert (first.shutdown(20).delivered, second.shutdown(20).delivered) == (500, 500)
    assert (first.stats().recovered, second.stats().recovered) == (0, 0)
    assert sequence(endpoint.events, "first") == sequence(endpoint.events, "second") == list(range(500))
    assert left(directory) == []


def test_init_anew_takes_over_what_was_left(directory: Path, endpoint: Endpoint) -> None:
    """The same instance, initialised with another server, delivers what the former could not."""
    client = Client("test").init(KEY, server_url=NOBODY, storage=directory, shutdown_timeout=0)
    for seq in range(100):
        client.log_event(tick(seq))
    client.init(KEY, server_url=endpoint.url, storage=directory)
    client.log_event(tick(100))
    assert client.shutdown(20).delivered == 101
    assert sequence(endpoint.events) == list(range(101))


def test_client_that_logs_nothing_delivers_what_was_left(make_client: MakeClient) -> None:
    """Opening the directory is enough."""
    client = make_client(server_url=NOBODY)
    client.log_event(tick(1))
    client.shutdown(0)
    memory = Memory()
    client = make_client(transport=memory)
    until(lambda: client.stats().delivered == 1)


def test_directory_and_files_are_the_owners_alone(directory: Path, make_client: MakeClient) -> None:
    """Events hold what users did."""
    client = make_client(transport=Memory(is_open=False))
    client.log_event(tick(1))
    assert directory.stat().st_mode & 0o077 == 0
    assert all((directory / name).stat().st_mode & 0o077 == 0 for name in left(directory))


def test_foreign_and_damaged_files_cost_nothing_else(directory: Path, make_client: MakeClient) -> None:
    """They are set aside; the events around them are delivered."""
    client = make_client(server_url=NOBODY)
    for seq in range(100):
        client.log_event(tick(seq))
    client.shutdown(0)
    (path,) = directory.glob("*.seg")
    data = bytearray(path.read_bytes())
    at = data.index(b'"seq":50')
    data[at : at + 3] = b"\0\0\0"
    path.write_bytes(data)
    (directory / "00000000000-1-00000000-00000001.seg").write_bytes(b"not a segment")
    (directory / "notes.txt").write_text("mine")
    memory = Memory()
    client = make_client(transport=memory)
    assert client.flush(20).delivered == 99
    client.shutdown()
    assert [event["event_properties"]["seq"] for event in memory.events] == [*range(50), *range(51, 100)]
    assert left(directory) == ["notes.txt"]
    assert list((directory / "damaged").iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"storage": 3}, "storage must be a path, not an int 3"),
        ({"storage": ""}, "storage must be a path, not ''"),
        ({"storage": __file__}, "is a file: write the path of a directory of its own"),
        ({"durability": "strict"}, "durability is about the spool: give storage="),
        ({"sync_interval": 2}, "sync_interval is about the spool"),
        ({"max_spool_bytes": 1 << 30}, "max_spool_bytes is about the spool"),
        ({"storage": "here", "durability": "safe"}, 'durability must be "process" or "interval" or "strict"'),
        ({"storage": "here", "sync_interval": 1.0}, 'sync_interval is for durability="interval"'),
        ({"storage": "here", "max_spool_bytes": 1000}, "max_spool_bytes must be a whole number of bytes"),
        ({"dead_letters": "/"}, "is a directory: write the path of a file"),
        ({"dead_letters": "a\0b"}, "dead_letters must be a path"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    """`init` raises, and says what to write instead."""
    with pytest.raises(antinode.ConfigurationError) as raised:
        Client("test").init(KEY, **options)
    assert message in str(raised.value)


def test_storage_is_not_loaded_unless_it_is_used() -> None:
    """`import antinode`, and a client without a spool, load nothing of it."""
    ended = run(
        """
        import antinode
        client = antinode.init(KEY, server_url=URL)
        client.shutdown(0)
        say([name for name in sys.modules if name.startswith("antinode._spool")])
        """
    )
    assert ended.lines == ["[]"]
