"""SIGTERM: untouched unless asked for, and drained without a deadlock if asked for."""

from __future__ import annotations

import random
import signal
import socket
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
    assert "1 event was not delivered before shutdown" in ended.output


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
    client = Client("lifecycle")
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


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("order", ["init first", "init last"])
def test_event_loop_hears_each_signal_once(endpoint: Endpoint, loop: str, order: str) -> None:
    """What is queued is sent if `init` came after `loop.add_signal_handler`. If it came before, SIGTERM was
    taken from it, and the log says so."""
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    ended = run(
        f"""
        import antinode, asyncio, logging, os, signal
        logging.basicConfig(stream=sys.stdout, format="%(message)s", level=logging.WARNING)

        def begin():
            return antinode.init(KEY, server_url=URL, upload_interval_in_sec=60, drain_on_sigterm=True)

        async def main():
            heard = asyncio.Queue()
            if {order!r} == "init first":
                client = begin()
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, heard.put_nowait, "once")
            if {order!r} == "init last":
                client = begin()
            for number in range(2):
                handle = client.log_event(event(number))
                os.kill(os.getpid(), signal.SIGTERM)
                say(await heard.get())
                if {order!r} == "init last":
                    await handle
            # A second signal of the drain's would have come by now.
            await asyncio.to_thread(lambda: [each.join() for each in __import__("threading").enumerate()
                                             if each.name == "antinode-sigterm"])
            await asyncio.sleep(0.05)
            say(heard.empty(), client.stats().delivered)

        if {loop!r} == "uvloop":
            import uvloop
            loop = uvloop.new_event_loop()
        else:
            loop = asyncio.new_event_loop()
        loop.run_until_complete(main())
        loop.close()
        """,
        endpoint.url,
    )
    told = [line for line in ended.lines if "drain_on_sigterm" in line]
    heard = [line for line in ended.lines if line not in told]
    assert heard == ["once", "once", "True 0" if order == "init first" else "True 2"], ended
    assert len(told) == (order == "init first")
    assert all("an event loop has taken SIGTERM over since init()" in line for line in told)
    assert sequence(endpoint.events) == [0, 1]


def test_clean_up_of_aiohttp_is_left_alone(endpoint: Endpoint) -> None:
    """`run_app` cleans up once, to its end, and what that logs is sent at the exit."""
    pytest.importorskip("aiohttp")
    process = start(
        """
        import warnings
        warnings.simplefilter("ignore")
        from aiohttp import web
        import antinode, asyncio, signal

        async def life(app):
            client = antinode.init(KEY, server_url=URL, upload_interval_in_sec=60, drain_on_sigterm=True)
            client.log_event(event(0))
            say("ready")
            yield
            await asyncio.sleep(0.5)
            client.log_event(event(1))
            say("cleaned up")

        app = web.Application()
        app.cleanup_ctx.append(life)
        web.run_app(app, host="127.0.0.1", port=0, print=None)
        """,
        endpoint.url,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    ended = finish(process)
    assert (ended.status, ended.lines, ended.errors) == (0, ["cleaned up"], "")
    assert sequence(endpoint.events) == [0, 1]


def test_what_is_logged_while_uvicorn_ends_leaves_at_once(endpoint: Endpoint) -> None:
    """uvicorn dies of the signal when its last requests are answered. What these log waits for no interval,
    and the log says what covers them in any case."""
    process = start(
        """
        import warnings
        warnings.simplefilter("ignore")
        import antinode, asyncio, logging, socket, uvicorn
        logging.basicConfig(stream=sys.stdout, format="%(message)s", level=logging.WARNING)

        async def app(scope, receive, send):
            if scope["type"] == "lifespan":
                await receive()
                client = antinode.init(KEY, server_url=URL, upload_interval_in_sec=60, drain_on_sigterm=True)
                await send({"type": "lifespan.startup.complete"})
                await receive()
                await send({"type": "lifespan.shutdown.complete"})
                return
            say("asked")
            while not server.should_exit:
                await asyncio.sleep(0.01)
            assert (await antinode.log_event(event(0))).ok
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"ok"})

        with socket.create_server(("127.0.0.1", 0)) as listener:
            say(listener.getsockname()[1])
            server = uvicorn.Server(uvicorn.Config(app, log_config=None))
            server.run([listener])
        """,
        endpoint.url,
    )
    assert process.stdout is not None
    with socket.create_connection(("127.0.0.1", int(process.stdout.readline()))) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert process.stdout.readline() == "asked\n"
        process.send_signal(signal.SIGTERM)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
    ended = finish(process)
    assert (ended.status, ended.errors) == (-signal.SIGTERM, ""), ended
    assert any("call `await client.aflush(5)` at the end of" in line for line in ended.lines)
    assert sequence(endpoint.events) == [0]


def test_client_from_before_uvicorn_drains_when_that_has_ended(endpoint: Endpoint) -> None:
    """uvicorn gives SIGTERM back after its last requests, and raises it again: all of it is sent."""
    process = start(
        """
        import warnings
        warnings.simplefilter("ignore")
        import antinode, logging, uvicorn
        logging.basicConfig(stream=sys.stdout, format="%(message)s", level=logging.WARNING)
        client = antinode.init(KEY, server_url=URL, upload_interval_in_sec=60, drain_on_sigterm=True)

        async def app(scope, receive, send):
            await receive()
            client.log_event(event(0))
            await send({"type": "lifespan.startup.complete"})
            say("ready")
            await receive()
            client.log_event(event(1))
            await send({"type": "lifespan.shutdown.complete"})

        uvicorn.run(app, port=0, log_config=None)
        """,
        endpoint.url,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    ended = finish(process)
    assert (ended.output, ended.errors) == ("", "")
    assert sequence(endpoint.events) == [0, 1]


def test_says_when_another_handler_has_taken_its_place(endpoint: Endpoint) -> None:
    """Once in a process; not for another client's drain, which calls the one before it."""
    ended = run(
        """
        import antinode, logging, signal
        logging.basicConfig(stream=sys.stdout, format="%(message)s", level=logging.WARNING)
        clients = [
            antinode.init(KEY, instance_name=name, server_url=URL, drain_on_sigterm=True)
            for name in ("one", "two")
        ]
        for client in clients:
            client.log_event(event(0, "user-chain"))
            client.flush(120)
        say("fine")
        late = antinode.init(KEY, instance_name="late", server_url=URL, drain_on_sigterm=True)
        def stop(*_):
            raise SystemExit
        signal.signal(signal.SIGTERM, stop)
        for _ in range(3):
            late.log_event(event(0))
            late.flush(120)
        """,
        endpoint.url,
    )
    assert ended.lines[0] == "fine", ended
    assert [line.partition(". ")[0] for line in ended.lines[1:]] == [
        "antinode: drain_on_sigterm does not cover all: __main__.stop has taken SIGTERM over since init()"
    ]
