"""SIGTERM: untouched unless asked for, and drained without a deadlock if asked for."""

from __future__ import annotations

import random
import signal
import sys
import threading

import pytest

from antinode import Client
from antinode.testing import Endpoint, faults
from tests.lifecycle.driver import KEY, finish, run, sequence, start

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="this system has no SIGTERM to handle")


def test_sigterm_is_untouched_by_default() -> None:
    """No handler is installed for any signal, neither by `init` nor by logging."""
    ended = run(
        """
        import signal
        before = {number: signal.getsignal(number) for number in signal.valid_signals()}
        import antinode
        client = antinode.init(KEY, server_url=URL, shutdown_timeout=0)
        client.log_event(event(0))
        client.flush(0)
        say(before == {number: signal.getsignal(number) for number in signal.valid_signals()})
        """
    )
    assert ended.lines == ["True"], ended


def test_drains_and_dies_of_the_signal(endpoint: Endpoint) -> None:
    """What is queued is delivered, and the parent process sees an end by SIGTERM, as without antinode."""
    process = start(
        """
        import antinode, signal
        client = antinode.init(KEY, server_url=URL, upload_interval_in_sec=60, drain_on_sigterm=True)
        for seq in range(500):
            client.log_event(event(seq))
        say("ready")
        while True:
            idle()
        """,
        endpoint.url,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    ended = finish(process)
    assert (ended.status, ended.errors) == (-signal.SIGTERM, "")
    assert sequence(endpoint.events) == list(range(500))


def test_chains_to_the_handler_that_was_there_before(endpoint: Endpoint) -> None:
    """It runs after the drain, in the main thread, and decides what becomes of the process; each time."""
    ended = run(
        """
        import antinode, os, signal, threading
        handled = []
        def former(number, frame):
            handled.append((number, threading.current_thread() is threading.main_thread(),
                            client.stats().delivered))
        signal.signal(signal.SIGTERM, former)
        client = antinode.init(KEY, server_url=URL, upload_interval_in_sec=60, drain_on_sigterm=True)
        for number in range(1, 4):
            client.log_event(event(number))
            os.kill(os.getpid(), signal.SIGTERM)
            while len(handled) < number:
                idle()
        say(handled == [(signal.SIGTERM, True, 1), (signal.SIGTERM, True, 2), (signal.SIGTERM, True, 3)])
        client.shutdown()
        say(signal.getsignal(signal.SIGTERM) is former)
        """,
        endpoint.url,
    )
    assert ended.lines == ["True", "True"], ended


def test_ignored_signal_stays_ignored(endpoint: Endpoint) -> None:
    """A process that ignores SIGTERM is drained by it, and lives on."""
    ended = run(
        """
        import antinode, os, signal
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        client = antinode.init(KEY, server_url=URL, upload_interval_in_sec=60, drain_on_sigterm=True)
        handle = client.log_event(event(0))
        os.kill(os.getpid(), signal.SIGTERM)
        say(handle.result().status.value)
        """,
        endpoint.url,
    )
    assert (ended.status, ended.lines) == (0, ["success"])


@pytest.mark.parametrize("times", [1, 3], ids=["once", "three times"])
def test_drain_takes_no_longer_than_the_shutdown_timeout(endpoint: Endpoint, times: int) -> None:
    """With a server that never answers the process dies all the same, however often it is told to."""
    endpoint.answer = faults.hang()
    process = start(
        """
        import antinode, logging, signal
        logging.basicConfig(stream=sys.stdout, format="%(message)s")
        client = antinode.init(KEY, server_url=URL, shutdown_timeout=0.3, drain_on_sigterm=True)
        client.log_event(event(0))
        say("ready")
        while True:
            idle()
        """,
        endpoint.url,
    )
    assert process.stdout is not None
    process.stdout.readline()
    for _ in range(times):
        process.send_signal(signal.SIGTERM)
    ended = finish(process)
    assert ended.status == -signal.SIGTERM
    assert "1 events were not delivered before shutdown" in ended.output


def test_sigterm_at_any_moment_of_heavy_logging(endpoint: Endpoint) -> None:
    """The handler interrupts `log_event` anywhere; everything logged before the signal is delivered."""
    draw = random.Random(2)
    for round_number in range(12):
        endpoint.clear()
        process = start(
            """
            import antinode, logging
            # What is logged after the drain is dropped, and antinode says so.
            logging.getLogger("antinode").addHandler(logging.NullHandler())
            client = antinode.init(KEY, server_url=URL, drain_on_sigterm=True, max_queue_events=300,
                                   overflow="block", on_outcome=lambda delivery: None)
            seq = 0
            while True:
                client.log_event(event(seq))
                seq += 1
                if seq % 64 == 0:
                    say(seq)
                    client.flush(0.01)
            """,
            endpoint.url,
        )
        assert process.stdout is not None
        # The moment is counted in lines that the program wrote, then spread by the scheduler.
        for _ in range(draw.randrange(1, 40)):
            logged = int(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        ended = finish(process)
        assert (ended.status, ended.errors) == (-signal.SIGTERM, ""), f"round {round_number}"
        arrived = sequence(endpoint.events)
        assert len(arrived) >= logged
        assert arrived == list(range(len(arrived)))


def test_handler_of_the_application_may_flush_or_shut_down(endpoint: Endpoint) -> None:
    """A SIGTERM handler that calls `shutdown` and exits, in the middle of `log_event`, ends the process."""
    for call in ("flush()", "flush(5)", "shutdown()"):
        process = start(
            f"""
            import antinode, signal
            client = antinode.init(KEY, server_url=URL)
            def stop(*_):
                client.{call}
                sys.exit(4)
            signal.signal(signal.SIGTERM, stop)
            say("ready")
            seq = 0
            while True:
                client.log_event(event(seq))
                seq += 1
            """,
            endpoint.url,
        )
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert finish(process).status == 4


def test_init_off_the_main_thread_warns(endpoint: Endpoint, caplog: pytest.LogCaptureFixture) -> None:
    """Python installs signal handlers on the main thread only; the client works without."""
    client = Client("test")
    thread = threading.Thread(target=lambda: client.init(KEY, server_url=endpoint.url, drain_on_sigterm=True))
    thread.start()
    thread.join()
    assert "drain_on_sigterm has no effect: init() was not called on the main thread" in caplog.text
    with client:
        client.log_event({"event_type": "Tick", "user_id": "user-1"})
    assert client.stats().delivered == 1


def test_two_clients_drain_both(endpoint: Endpoint) -> None:
    """Each chains to the other, and the last one lets the process die."""
    ended = run(
        """
        import antinode, os, signal
        for name in ("one", "two"):
            client = antinode.init(KEY, instance_name=name, server_url=URL, upload_interval_in_sec=60,
                                   drain_on_sigterm=True)
            client.log_event(event(0, f"of-{name}"))
        os.kill(os.getpid(), signal.SIGTERM)
        while True:
            idle()
        """,
        endpoint.url,
    )
    assert ended.status == -signal.SIGTERM
    assert {each["user_id"] for each in endpoint.events} == {"of-one", "of-two"}
