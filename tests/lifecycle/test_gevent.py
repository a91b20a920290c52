"""antinode in a process that gevent has patched: its threads are greenlets there."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme

from antinode.testing import Endpoint, faults
from tests.delivery.rawserver import RawServer, answering
from tests.lifecycle.driver import run, sequence

pytest.importorskip("gevent")

# The child processes import it: what its compiled parts warn about is not our subject.
_QUIET = "import warnings; warnings.simplefilter('ignore')"


def test_log_flush_and_exit_work(endpoint: Endpoint) -> None:
    """Other greenlets run while one of them flushes, and the exit sends what is queued."""
    endpoint.answer = faults.delay(0.2)
    ended = run(
        f"""
        {_QUIET}
        from gevent import monkey
        monkey.patch_all()
        import gevent, antinode
        client = antinode.init(KEY, server_url=URL)
        ticks = []
        def tick():
            while True:
                ticks.append(1)
                gevent.sleep(0)
        ticker = gevent.spawn(tick)
        gevent.joinall([gevent.spawn(lambda seq=seq: client.log_event(event(seq))) for seq in range(50)])
        before = len(ticks)
        say(client.flush(120).delivered, len(ticks) > before + 10)
        ticker.kill()
        client.log_event(event(50))
        """,
        endpoint.url,
    )
    assert (ended.status, ended.lines, ended.errors) == (0, ["50 True"], "")
    assert sequence(endpoint.events) == list(range(51))


def test_result_and_shutdown_let_others_run(endpoint: Endpoint) -> None:
    """Waiting for one event, or for the end, blocks one greenlet only; the end is bounded as ever."""
    endpoint.answer = faults.hang()
    ended = run(
        f"""
        {_QUIET}
        from gevent import monkey
        monkey.patch_all()
        import gevent, antinode
        client = antinode.init(KEY, server_url=URL)
        handle = client.log_event(event(0))
        waiting = gevent.spawn(handle.result)
        client.shutdown(0.2)
        say(waiting.get(timeout=120).reason, client.stats().balanced)
        """,
        endpoint.url,
    )
    assert (ended.status, ended.lines) == (0, ["shutdown True"]), ended


def test_fork_of_a_patched_process(endpoint: Endpoint) -> None:
    """The child starts clean there too."""
    ended = run(
        f"""
        {_QUIET}
        from gevent import monkey
        monkey.patch_all()
        import antinode, os
        client = antinode.init(KEY, server_url=URL)
        client.log_event(event(0, "parent"))
        pid = os.fork()
        if pid == 0:
            client.log_event(event(0, "child-1"))
            os._exit(0 if client.flush(120).delivered == 1 else 1)
        say(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), client.flush(120).complete)
        """,
        endpoint.url,
    )
    assert ended.lines == ["0 True"], ended
    assert sequence(endpoint.received, "parent") == sequence(endpoint.received, "child-1") == [0]


@pytest.mark.parametrize("late", ["import", "init"])
def test_patching_after_antinode(endpoint: Endpoint, late: str) -> None:
    """antinode may be imported, and even initialised, before the process is patched, if it has not logged."""
    initialise = "client = antinode.init(KEY, server_url=URL)"
    ended = run(
        f"""
        {_QUIET}
        import antinode
        {initialise if late == "init" else ""}
        from gevent import monkey
        monkey.patch_all()
        {initialise if late == "import" else ""}
        import gevent
        gevent.joinall([gevent.spawn(lambda seq=seq: client.log_event(event(seq))) for seq in range(20)])
        say(client.flush(120).delivered)
        client.log_event(event(20))
        """,
        endpoint.url,
    )
    assert (ended.status, ended.lines, ended.errors) == (0, ["20"], ""), ended
    assert sequence(endpoint.events) == list(range(21))


def test_sigterm_in_a_patched_process(endpoint: Endpoint) -> None:
    """The drain is a greenlet, and the process dies of the signal after it."""
    ended = run(
        f"""
        {_QUIET}
        from gevent import monkey
        monkey.patch_all()
        import antinode, gevent, os, signal
        client = antinode.init(KEY, server_url=URL, upload_interval_in_sec=60, drain_on_sigterm=True)
        client.log_event(event(0))
        gevent.spawn_later(0.05, os.kill, os.getpid(), signal.SIGTERM)
        while True:
            gevent.sleep(60)
        """,
        endpoint.url,
    )
    assert ended.status == -15, ended
    assert sequence(endpoint.events) == [0]


def test_logging_from_a_callback_of_the_hub(endpoint: Endpoint) -> None:
    """Where no greenlet may wait, `log_event` does not, and does not raise."""
    ended = run(
        f"""
        {_QUIET}
        from gevent import monkey
        monkey.patch_all()
        import antinode, gevent
        client = antinode.init(KEY, server_url=URL)
        gevent.get_hub().loop.run_callback(lambda: client.log_event(event(0)))
        gevent.sleep(0.01)
        say(client.flush(120).delivered)
        """,
        endpoint.url,
    )
    assert (ended.status, ended.lines, ended.errors) == (0, ["1"], ""), ended


def test_patching_after_the_first_event_is_told() -> None:
    """It comes too late for antinode's threads, and a warning says when to patch; once."""
    ended = run(
        f"""
        {_QUIET}
        import antinode, logging
        logging.basicConfig(stream=sys.stdout, format="%(message)s", level=logging.WARNING)

        class Kept:
            def send(self, request):
                return antinode.HttpResponse(200, {{}}, b'{{"code": 200}}')
            def close(self):
                pass

        client = antinode.init(KEY, transport=Kept())
        for seq in range(3):
            client.log_event(event(seq))
            say(client.flush(120).delivered)
            if seq == 0:
                from gevent import monkey
                monkey.patch_all()
        # The threading module does not find its threads again when they end, and prints that.
        sys.stdout.flush()
        import os
        os._exit(0)
        """
    )
    told = "antinode: gevent has patched this process after antinode's first event"
    assert [told if line.startswith(told) else line for line in ended.lines] == ["1", told, "1", "1"], ended


def test_transport_over_tls_is_patched_late(tmp_path: Path) -> None:
    """One that was used before makes its TLS context anew: the former one would recurse without end."""
    authority = trustme.CA()
    bundle = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(bundle))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls)
    with RawServer(answering(), tls) as server:
        ended = run(
            f"""
            {_QUIET}
            from antinode._delivery.http.transport import HttpTransport
            from antinode._delivery.messages import Request
            transport = HttpTransport(ca_bundle={str(bundle)!r}, proxy=False)
            request = Request({server.tls_url!r}, b"{{}}")
            say(transport.send(request).status)
            transport.close()
            from gevent import monkey
            monkey.patch_all()
            say(transport.send(request).status)
            transport.close()
            """
        )
    assert (ended.lines, ended.errors) == (["200", "200"], "")
