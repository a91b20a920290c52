"""Events of a wrong key, and of another project, are left for whoever has the right one."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from antinode.testing import Endpoint
from tests.lifecycle.driver import KEY, sequence
from tests.storage.spooling import NOBODY, MakeClient, run_with, tick

OTHER_KEY = "fedcba9876543210fedcba9876543210"


def test_wrong_key_costs_no_event(
    directory: Path, make_client: MakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Uploading pauses, `flush` returns, one line says so; with the right key everything is delivered."""
    with Endpoint(api_key=OTHER_KEY) as endpoint:
        client = make_client(KEY, server_url=endpoint.url)
        handles = [client.log_event(tick(seq)) for seq in range(100)]
        report = client.flush(120)
        assert (report.delivered, report.dropped, report.pending) == (0, 0, 100)
        assert not any(handle.done() for handle in handles)
        stalled = client.stats().stalled
        assert stalled is not None
        assert stalled.startswith("configuration")
        # Once more while the fault stands.
        assert client.flush(120).pending == 100
        report = client.shutdown(120)
        assert (report.spooled, report.dropped) == (100, 0)
        errors = [line for line in caplog.records if line.levelno == logging.ERROR]
        assert len(errors) == 1
        assert "events stay in the spool" in errors[0].getMessage()
        assert make_client(OTHER_KEY, server_url=endpoint.url).flush(120).delivered == 100
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
            client.flush(120)
            for seq in range(100, 5000):
                client.log_event(event(seq))
            os.kill(os.getpid(), signal.SIGKILL)
            """,
            endpoint.url,
        )
        assert make_client(OTHER_KEY, server_url=endpoint.url).flush(120).delivered == 5000
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
    assert other.shutdown(120).delivered == 1
    assert make_client(KEY, server_url=endpoint.url).flush(120).delivered == 1
