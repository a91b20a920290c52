"""When an event is on the disk: with `strict`, with an interval, in the middle of logging."""

from __future__ import annotations

import errno
import signal
from pathlib import Path

import pytest

from tests.lifecycle.driver import sequence
from tests.memory import Memory
from tests.storage.spooling import NOBODY, MakeClient, left, run_with, tick, until


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
    make_client(transport=memory).flush(120)
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
    assert client.flush(120).delivered == 1
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
    make_client(transport=memory).flush(120)
    assert sequence(memory.events, "by-main") == list(range(int(by_main)))
    assert sequence(memory.events, "by-handler") == list(range(int(by_handler)))
    assert left(directory)
