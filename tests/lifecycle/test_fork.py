"""Forked children start clean and work; the parent's events are sent once, by the parent."""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path

import pytest

from antinode.testing import Endpoint, faults
from tests.lifecycle.driver import run, sequence

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

# What an application server written in C does: no hook of Python's runs. No thread may be waiting for the
# interpreter lock then, since the child inherits that wait and hangs in CPython itself: hence the pause, in
# which the sender's threads, which have nothing to do, fall asleep.
_FORK_IN_C = """
import ctypes, time
def fork():
    time.sleep(0.1)
    return ctypes.PyDLL(None).fork()
"""
_FORKS = {
    "os.fork": "fork = os.fork",
    "in C": _FORK_IN_C,
    # Where the kernel cannot empty a page in the child, the process id is asked for.
    "in C, told by pid": f"""
import antinode._lifecycle.fork, antinode._client
antinode._lifecycle.fork.page = antinode._client._page = antinode._lifecycle.fork._PidPage()
{_FORK_IN_C}
""",
}


@pytest.fixture(params=_FORKS.values(), ids=_FORKS)
def fork(request: pytest.FixtureRequest) -> str:
    """Program text that defines `fork()`, `wait(pid)` and `leave()`, for each way to fork."""
    return f"""
import os
{request.param}

def leave():
    sys.stdout.flush()
    os._exit(0)

def wait(pid):
    say("child ended", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def indented(text: str) -> str:
    return text.replace("\n", "\n        ")


def test_child_logs_and_flushes_and_the_parents_events_are_sent_once(endpoint: Endpoint, fork: str) -> None:
    """What was queued at the fork is the parent's; both go on logging after it."""
    ended = run(
        f"""
        import antinode
        {indented(fork)}
        client = antinode.init(KEY, server_url=URL, upload_interval_in_sec=60)
        for seq in range(50):
            client.log_event(event(seq, "parent"))
        pid = fork()
        if pid == 0:
            for seq in range(20):
                client.log_event(event(seq, "child-1"))
            say(client.flush(120).delivered, client.stats().accepted, client.stats().balanced)
            leave()
        wait(pid)
        client.log_event(event(50, "parent"))
        say(client.flush(120).delivered, client.stats().balanced)
        """,
        endpoint.url,
    )
    assert ended.lines == ["20 20 True", "child ended 0", "51 True"], ended
    assert sequence(endpoint.received, "parent") == list(range(51))
    assert sequence(endpoint.received, "child-1") == list(range(20))
    assert len({each["insert_id"] for each in endpoint.received}) == 71


def test_child_of_a_busy_parent_starts_clean(endpoint: Endpoint, fork: str) -> None:
    """A fork while a request is under way and its connection open: neither process disturbs the other."""
    endpoint.answer = faults.delay(0.5)
    ended = run(
        f"""
        import antinode
        {indented(fork)}
        client = antinode.init(KEY, server_url=URL)
        first = client.log_event(event(0, "parent"))
        while not client.stats().in_flight:
            pass
        pid = fork()
        if pid == 0:
            client.log_event(event(0, "child-1"))
            say(client.flush(120).delivered)
            leave()
        wait(pid)
        say(client.flush(120).delivered, first.status.value)
        """,
        endpoint.url,
    )
    assert ended.lines == ["1", "child ended 0", "1 success"], ended
    assert Counter(each["user_id"] for each in endpoint.received) == {"parent": 1, "child-1": 1}


def test_grandchildren_notice_their_fork_too(endpoint: Endpoint, fork: str) -> None:
    """Each generation starts clean: the page that tells of a fork is emptied for every one of them."""
    ended = run(
        f"""
        import antinode
        {indented(fork)}
        client = antinode.init(KEY, server_url=URL, upload_interval_in_sec=60)
        for generation in range(4):
            client.log_event(event(0, f"generation-{{generation}}"))
            pid = fork() if generation < 3 else 1
            if pid:
                say(client.flush(120).delivered, client.stats().accepted)
                if generation < 3:
                    wait(pid)
                leave()
        """,
        endpoint.url,
    )
    assert sorted(ended.lines) == ["1 1"] * 4 + ["child ended 0"] * 3, ended
    assert Counter(each["user_id"] for each in endpoint.received) == {f"generation-{i}": 1 for i in range(4)}


@pytest.mark.parametrize(
    "question", ["result()", "done()", "asyncio.run(settled(handle))", "add_done_callback"]
)
def test_inherited_handles_end_in_the_child(fork: str, question: str) -> None:
    """In the child, a handle from before the fork says at once that the parent delivers its event."""
    ask = {
        "result()": "say(handle.result().reason)",
        "done()": "say(handle.done() and handle.outcome.reason)",
        "asyncio.run(settled(handle))": "say(asyncio.run(settled(handle)).reason)",
        "add_done_callback": "handle.add_done_callback(lambda handle: say(handle.outcome.reason))",
    }[question]
    ended = run(
        f"""
        import antinode, asyncio
        {indented(fork)}
        async def settled(handle):
            return await handle
        client = antinode.init(KEY, server_url=URL, shutdown_timeout=0)
        handle = client.log_event(event(0))
        pid = fork()
        if pid == 0:
            {ask}
            leave()
        wait(pid)
        say(handle.done())
        """
    )
    assert ended.lines == ["forked", "child ended 0", "False"], ended


def test_child_that_never_logs_ends_at_once(endpoint: Endpoint) -> None:
    """It has nothing to send: the parent's backlog does not keep it, nor is it sent twice."""
    endpoint.answer = faults.hang()
    ended = run(
        """
        import antinode, os
        client = antinode.init(KEY, server_url=URL, shutdown_timeout=0.2)
        for seq in range(10):
            client.log_event(event(seq))
        pid = os.fork()
        if pid == 0:
            sys.exit(7)
        say(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), client.stats().pending)
        """,
        endpoint.url,
    )
    assert (ended.status, ended.lines) == (0, ["7 10"])


def test_child_that_exits_normally_sends_what_it_queued(endpoint: Endpoint) -> None:
    """atexit runs in a child of os.fork that returns from the program."""
    run(
        """
        import antinode, os
        client = antinode.init(KEY, server_url=URL, upload_interval_in_sec=60)
        pid = os.fork()
        client.log_event(event(0, "parent" if pid else "child-1"))
        if pid:
            os.waitpid(pid, 0)
        """,
        endpoint.url,
    )
    assert Counter(each["user_id"] for each in endpoint.received) == {"parent": 1, "child-1": 1}


_WORKER = """
import antinode

def work(url, key, seq):
    antinode.init(key, server_url=url, upload_interval_in_sec=60)
    antinode.log_event({"event_type": "Tick", "user_id": "worker", "event_properties": {"seq": seq}})

def work_inherited(seq):
    antinode.log_event({"event_type": "Tick", "user_id": "worker", "event_properties": {"seq": seq}})
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing_workers_send_at_their_end(endpoint: Endpoint, tmp_path: Path, method: str) -> None:
    """They leave by `os._exit`, which skips atexit; their events go out all the same."""
    (tmp_path / "worker.py").write_text(_WORKER)
    ended = run(
        f"""
        import multiprocessing
        sys.path.insert(0, {str(tmp_path)!r})
        import worker
        context = multiprocessing.get_context({method!r})
        workers = [context.Process(target=worker.work, args=(URL, KEY, seq)) for seq in range(2)]
        for each in workers:
            each.start()
        for each in workers:
            each.join()
        say(*(each.exitcode for each in workers))
        """,
        endpoint.url,
    )
    assert ended.lines == ["0 0"], ended
    assert sorted(sequence(endpoint.received, "worker")) == [0, 1]


def test_workers_use_the_client_of_their_parent(endpoint: Endpoint, tmp_path: Path) -> None:
    """A client that was initialised, and has logged, before the workers were forked serves them all."""
    (tmp_path / "worker.py").write_text(_WORKER)
    ended = run(
        f"""
        import multiprocessing
        sys.path.insert(0, {str(tmp_path)!r})
        import antinode, worker
        antinode.init(KEY, server_url=URL)
        antinode.log_event(event(0, "parent"))
        with multiprocessing.get_context("fork").Pool(2) as pool:
            pool.map(worker.work_inherited, range(20))
            pool.close()
            pool.join()
        """,
        endpoint.url,
    )
    assert (ended.status, ended.errors) == (0, "")
    assert sorted(sequence(endpoint.received, "worker")) == list(range(20))
    assert sequence(endpoint.received, "parent") == [0]


def test_fork_at_any_moment_hangs_no_child(endpoint: Endpoint) -> None:
    """Forks while threads log, upload and settle: every child flushes and ends; nothing is sent twice."""
    endpoint.answer = faults.every(7, faults.Answer(500))
    ended = run(
        """
        import antinode, os, random, threading
        client = antinode.init(KEY, server_url=URL, on_outcome=lambda delivery: None, shutdown_timeout=120)
        stop = threading.Event()
        logged = [0] * 3
        latest = {}

        def log(number):
            while not stop.is_set():
                latest[number] = client.log_event(event(logged[number], f"parent-{number}"))
                logged[number] += 1
                if logged[number] % 50 == 0:
                    client.flush(0.01)
                stop.wait(0.001)

        threads = [threading.Thread(target=log, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        draw = random.Random(4)
        children = []
        for child in range(40):
            for _ in range(draw.randrange(2000)):
                pass
            stop.wait(draw.random() / 500)
            pid = os.fork()
            if pid == 0:
                for handle in list(latest.values()):
                    handle.result()
                for seq in range(5):
                    client.log_event(event(seq, f"child-{child}"))
                report = client.flush(120)
                os._exit(0 if report.complete and client.stats().balanced else 9)
            children.append(pid)
        # A child that hangs would keep its parent here.
        say({os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children})
        stop.set()
        for thread in threads:
            thread.join()
        say(client.shutdown().complete, client.stats().balanced, client.stats().delivered == sum(logged))
        say(*logged)
        """,
        endpoint.url,
    )
    assert ended.lines[:2] == ["{0}", "True True True"], ended
    for number, count in enumerate(map(int, ended.lines[2].split())):
        assert sequence(endpoint.received, f"parent-{number}") == list(range(count))
    for child in range(40):
        assert sequence(endpoint.received, f"child-{child}") == list(range(5))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux empties a page in a child")
def test_linux_tells_a_fork_without_asking_for_the_process_id() -> None:
    """The page is what the kernel wipes, not the stand-in that costs a system call per event."""
    from antinode._lifecycle import fork as fork_watch

    assert type(fork_watch.page).__name__ == "mmap"
