"""How a process ends: what is queued leaves first, and nothing keeps the process."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from antinode.testing import Endpoint, faults
from tests.lifecycle.driver import finish, run, sequence, start


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ("", 0),
        ("sys.exit()", 0),
        ("sys.exit(3)", 3),
        ("raise RuntimeError('the application broke')", 1),
        ("import threading; threading.Thread(target=lambda: client.log_event(event(100))).start()", 0),
    ],
    ids=["normal", "sys.exit", "sys.exit(3)", "exception", "other thread still runs"],
)
def test_queued_events_are_sent_however_the_program_ends(
    endpoint: Endpoint, ending: str, status: int
) -> None:
    """Events that were only queued are delivered at exit, and the process ends as it would have without."""
    ended = run(
        f"""
        import antinode
        client = antinode.init(KEY, server_url=URL, upload_interval_in_sec=60)
        for seq in range(100):
            client.log_event(event(seq))
        {ending}
        """,
        endpoint.url,
    )
    assert ended.status == status
    assert ("Traceback" in ended.errors) == (status == 1)
    assert sequence(endpoint.events) == list(range(101 if "Thread" in ending else 100))


@pytest.mark.parametrize("trouble", ["never answers", "is down", "answers 500"])
def test_server_in_trouble_does_not_keep_the_process(endpoint: Endpoint, trouble: str) -> None:
    """The exit takes `shutdown_timeout`, no more; what could not be sent is counted and logged."""
    if trouble == "is down":
        endpoint.down()
    else:
        endpoint.answer = faults.hang() if trouble == "never answers" else faults.Answer(500)
    ended = run(
        """
        import atexit, logging
        logging.basicConfig(stream=sys.stdout, format="%(message)s", level=logging.WARNING)
        # Registered before antinode is imported, so it runs after antinode's own handler.
        atexit.register(lambda: say(client.stats().balanced, client.stats().dropped, client.stats().pending))
        import antinode
        client = antinode.init(KEY, server_url=URL, shutdown_timeout=0.3)
        for seq in range(10):
            client.log_event(event(seq))
        """,
        endpoint.url,
    )
    assert (ended.status, ended.errors) == (0, "")
    assert "10 events were not delivered before shutdown" in ended.lines[-2]
    assert ended.lines[-1] == "True {'shutdown': 10} 0"


FAULTS = {
    "a wrong key": faults.invalid_api_key(),
    "a wrong path": faults.Answer(404, b"<html>404</html>"),
    "a page under 200": faults.Answer(200, b"<!doctype html><title>Log in</title>", store=False),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_configuration_fault_does_not_keep_the_process(endpoint: Endpoint, fault: str) -> None:
    """`flush()` and the exit take one attempt each, however long they might; then all ends as `shutdown`."""
    endpoint.answer = FAULTS[fault]
    ended = run(
        """
        import atexit
        atexit.register(lambda: say(client.stats().balanced, client.stats().dropped, client.stats().pending))
        import antinode
        client = antinode.init(KEY, server_url=URL, shutdown_timeout=3600)
        for seq in range(10):
            client.log_event(event(seq))
        say(client.flush(), client.stats().dropped)
        """,
        endpoint.url,
    )
    assert ended.status == 0
    assert ended.lines[-2].endswith("pending=10, spooled=0) {}")
    assert ended.lines[-1] == "True {'shutdown': 10} 0"
    assert ended.errors.count("configuration fault") == 1
    assert "events stay in memory" in ended.errors


@pytest.mark.parametrize("fault", FAULTS)
def test_what_met_a_configuration_fault_is_delivered_once_it_is_mended(
    endpoint: Endpoint, fault: str
) -> None:
    """The process need not be started anew, and loses nothing: all of it arrives, in order."""
    endpoint.answer = FAULTS[fault]
    process = start(
        """
        import antinode
        client = antinode.init(KEY, server_url=URL)
        for seq in range(100):
            client.log_event(event(seq))
        say(client.flush().pending)
        sys.stdin.readline()
        for seq in range(100, 200):
            client.log_event(event(seq))
        while client.flush().pending:
            idle()
        say(client.stats().delivered)
        """,
        endpoint.url,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "100\n"
    endpoint.answer = None
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()
    assert finish(process).lines[-1] == "200"
    assert sequence(endpoint.events) == list(range(200))


@pytest.mark.parametrize("first", [True, False], ids=["the very first event", "an event after others"])
@pytest.mark.parametrize("handler", ["registered before", "registered after"])
def test_event_logged_by_an_exit_handler_is_delivered(endpoint: Endpoint, handler: str, first: bool) -> None:
    """No thread can be started at exit on some versions of Python, and none is needed."""
    register = "atexit.register(lambda: client.log_event(event(1)))"
    ended = run(
        f"""
        import atexit
        {register if handler == "registered before" else ""}
        import antinode
        client = antinode.init(KEY, server_url=URL)
        {register if handler == "registered after" else ""}
        {"" if first else "client.log_event(event(0))"}
        """,
        endpoint.url,
    )
    assert (ended.status, ended.errors) == (0, "")
    assert sequence(endpoint.events) == ([1] if first else [0, 1])


def test_late_events_at_exit_share_the_shutdown_timeout(endpoint: Endpoint) -> None:
    """Exit handlers that log to a server which hangs cost one `shutdown_timeout` together, not one each."""
    endpoint.answer = faults.hang()
    ended = run(
        """
        import atexit
        for seq in range(50):
            atexit.register(lambda seq=seq: client.log_event(event(seq)))
        atexit.register(lambda: say(client.stats().balanced, client.stats().dropped))
        import antinode
        client = antinode.init(KEY, server_url=URL, shutdown_timeout=0.2)
        client.log_event(event(100))
        """,
        endpoint.url,
    )
    assert (ended.status, ended.lines) == (0, ["True {'shutdown': 1}"])


def test_exit_goes_on_while_others_log(endpoint: Endpoint) -> None:
    """What a thread logs while the exit sends is sent, too, as long as there is time left."""
    endpoint.answer = faults.delay(0.1)
    ended = run(
        """
        import antinode, threading
        client = antinode.init(KEY, server_url=URL, upload_interval_in_sec=30, shutdown_timeout=120)
        has_begun = threading.Event()

        def work():
            for seq in range(300):
                client.log_event(event(seq))
                has_begun.set()
                time.sleep(0.002)

        threading.Thread(target=work, daemon=True).start()
        has_begun.wait()
        """,
        endpoint.url,
    )
    assert (ended.status, ended.errors) == (0, "")
    assert sequence(endpoint.events) == list(range(300))


def test_order_is_kept_at_exit_with_a_spool(endpoint: Endpoint, tmp_path: Path) -> None:
    """What is logged to the very end does not overtake what stays in the spool for the next process."""
    program = f"""
        import antinode, sys, threading
        client = antinode.init(KEY, server_url=URL, storage={str(tmp_path)!r}, upload_interval_in_sec=30)
        has_begun = threading.Event()

        def work():
            seq = 0
            while True:
                client.log_event(event(seq))
                has_begun.set()
                seq += 1
                time.sleep(0.0001)
        """
    begin = """
        threading.Thread(target=work, daemon=True).start()
        has_begun.wait()
        """
    for _ in range(3):
        run(program + begin, endpoint.url)
        run(program + "client.flush(120)\n", endpoint.url)
        arrived = sequence(endpoint.events)
        assert arrived == list(range(len(arrived)))
        endpoint.clear()


def test_a_destructor_logs_when_the_interpreter_ends(endpoint: Endpoint) -> None:
    """An event that is logged while modules are taken apart arrives, be it the first of its process."""
    ended = run(
        """
        import antinode
        client = antinode.init(KEY, server_url=URL)

        class Session:
            def __del__(self, log=client.log_event, last=event(7)):
                log(last)

        session = Session()
        """,
        endpoint.url,
    )
    assert (ended.status, ended.errors) == (0, "")
    assert sequence(endpoint.events) == [7]


@pytest.mark.parametrize(
    "ending",
    [
        """
class Session:
    def __del__(self, event=event):
        antinode.log_event(event(7))
session = Session()
""",
        """
class Session:
    def __del__(self, log=client.log_event, event=event):
        log({**event(7), "time": 1700000000, "evnt_type": 5}, once="session-1")
sys.modules["held"] = Session()
""",
        "weakref.finalize(event, client.log_event, event(7))",
        "threading._register_atexit(client.log_event, event(7))",
        """
class Handler(logging.Handler):
    def close(self, log=client.log_event, last=event(7)):
        log(last)
        super().close()
logging.getLogger("mine").addHandler(Handler())
""",
        """
def session(log=client.log_event, last=event(7)):
    try:
        yield
    finally:
        log(last)
running = session()
next(running)
""",
    ],
    ids=["function of the module", "odd event", "finalizer", "end of threads", "end of logging", "generator"],
)
def test_what_is_logged_late_arrives(endpoint: Endpoint, ending: str) -> None:
    """Whatever logs when the interpreter ends, be it the first event of its process."""
    ended = run(
        f"""
        import antinode, logging, threading, weakref
        logging.getLogger("antinode").addHandler(logging.NullHandler())
        client = antinode.init(KEY, server_url=URL)
        exec({ending!r})
        """,
        endpoint.url,
    )
    assert (ended.status, ended.errors) == (0, "")
    assert sequence(endpoint.events) == [7]


def test_ctrl_c_ends_the_wait_at_exit(tmp_path: Path) -> None:
    """It settles what is pending as the end of `shutdown_timeout` does, for all clients, and quietly."""
    letters = tmp_path / "dead-letters.jsonl"
    process = start(
        f"""
        import antinode, threading
        one = antinode.init(KEY, server_url=URL, shutdown_timeout=600, dead_letters={str(letters)!r},
                            on_outcome=lambda delivery: say(delivery.outcome.reason))
        two = antinode.get_instance("two").init(KEY, server_url=URL, shutdown_timeout=600,
                                                on_outcome=lambda delivery: say(delivery.outcome.reason))
        one.log_event(event(1))
        two.log_event(event(2))

        def watch():
            while True:
                frame = sys._current_frames()[threading.main_thread().ident]
                while frame is not None:
                    if frame.f_code.co_name == "finish":
                        return say("exit")
                    frame = frame.f_back
                idle()

        threading.Thread(target=watch, daemon=True).start()
        """
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "exit\n"
    process.send_signal(signal.SIGINT)
    ended = finish(process)
    assert ended.lines == ["shutdown", "shutdown"]
    assert "Traceback" not in ended.errors
    assert len(letters.read_text().splitlines()) == 1


def test_events_for_callbacks_are_told_at_exit(endpoint: Endpoint) -> None:
    """`on_outcome` and the callbacks of handles run for what the exit delivers."""
    ended = run(
        """
        import antinode
        client = antinode.init(KEY, server_url=URL, upload_interval_in_sec=60,
                               on_outcome=lambda delivery: say("outcome", delivery.status.value))
        client.log_event(event(0)).add_done_callback(lambda delivery: say("callback", delivery.done()))
        """,
        endpoint.url,
    )
    assert ended.lines == ["outcome success", "callback True"]


def test_flush_at_exit_needs_no_thread(endpoint: Endpoint) -> None:
    """`flush`, in an exit handler, delivers the first events of the process."""
    ended = run(
        """
        import antinode, atexit
        client = antinode.init(KEY, server_url=URL)

        @atexit.register
        def last_words():
            handles = [client.log_event(event(seq)) for seq in range(3)]
            say(client.flush(120).delivered, all(handle.done() for handle in handles))
        """,
        endpoint.url,
    )
    assert (ended.status, ended.lines, ended.errors) == (0, ["3 True"], "")


def test_aflush_at_exit_needs_no_thread(endpoint: Endpoint) -> None:
    """`await client.aflush()` does so too."""
    ended = run(
        """
        import antinode, atexit, asyncio
        client = antinode.init(KEY, server_url=URL)

        @atexit.register
        def last_words():
            client.log_event(event(0))
            say(asyncio.run(client.aflush(120)).delivered)
        """,
        endpoint.url,
    )
    assert (ended.status, ended.lines, ended.errors) == (0, ["1"], "")


def test_blocking_on_a_full_queue_at_exit_ends(endpoint: Endpoint) -> None:
    """With `overflow="block"`, an exit handler that fills the queue makes its room by sending."""
    ended = run(
        """
        import antinode, atexit
        client = antinode.init(KEY, server_url=URL, overflow="block", max_queue_events=2)
        atexit.register(lambda: [client.log_event(event(seq)) for seq in range(9)])
        """,
        endpoint.url,
    )
    assert (ended.status, ended.errors) == (0, "")
    assert sequence(endpoint.events) == list(range(9))


def test_import_and_init_start_no_thread_and_print_nothing() -> None:
    """Neither does a process that never logs start one, not even at its end."""
    ended = run(
        """
        import threading
        def refuse(self):
            raise AssertionError(f"{self.name} was started")
        threading.Thread.start = refuse
        import antinode
        client = antinode.init(KEY, server_url=URL)
        client.flush(); client.stats(); repr(client)
        """
    )
    assert (ended.status, ended.output, ended.errors) == (0, "", "")


def test_nothing_is_printed_in_any_trouble(endpoint: Endpoint) -> None:
    """With logging switched off, refused events, failing requests and broken callbacks leave no line."""
    endpoint.answer = faults.Answer(500)
    ended = run(
        """
        import antinode, logging
        logging.getLogger("antinode").addHandler(logging.NullHandler())
        logging.getLogger("antinode").propagate = False

        class Odd(BaseException):
            pass

        def odd(*_):
            raise Odd

        client = antinode.init(KEY, server_url=URL, shutdown_timeout=0.2, on_outcome=odd, on_retry=odd)
        client.log_event({"event_type": ""})
        client.log_event(event(0)).add_done_callback(odd)
        client.flush(0.3)
        """,
        endpoint.url,
    )
    assert (ended.status, ended.output, ended.errors) == (0, "", "")
