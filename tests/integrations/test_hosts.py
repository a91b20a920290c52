"""`drain_on_sigterm` under real servers: where it has no effect, a line says once what to do instead."""

from __future__ import annotations

import sys

import pytest

from antinode.testing import Endpoint
from tests.integrations.servers import GUNICORN, UWSGI, get, served, stop

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="these servers do not run on this system")

UVICORN_WORKER = "--worker-class=uvicorn_worker.UvicornWorker"
APPS = "tests.integrations.apps"

WITHOUT_EFFECT = {
    "gunicorn": ((*GUNICORN, f"{APPS}:wsgi", "--preload"), "Leave drain_on_sigterm out"),
    "threads": ((*GUNICORN, f"{APPS}:wsgi", "--preload", "--threads=2"), "Leave drain_on_sigterm out"),
    "uvicorn workers": (
        (*GUNICORN, f"{APPS}:asgi_with_lifespan", "--preload", UVICORN_WORKER),
        "antinode.integrations.asgi.with_lifespan(app)",
    ),
    "uwsgi": ((*UWSGI, f"--module={APPS}:wsgi"), "Start it with --master and --hook-master-start"),
}
COVERED = {
    "gunicorn": (*GUNICORN, f"{APPS}:wsgi"),
    "uvicorn": ("uvicorn", f"{APPS}:asgi", "--port=PORT"),
    "uvicorn workers": (*GUNICORN, f"{APPS}:asgi", UVICORN_WORKER),
}


def used(endpoint: Endpoint, *command: str) -> str:
    """What a server wrote that was asked a few things and stopped; all events have arrived."""
    with served(endpoint, *command) as (url, process):
        for number in range(5):
            get(f"{url}/{number}")
        written = stop(process)
    assert [each["event_type"] for each in endpoint.events] == [f"/{n}" for n in range(5)], written
    return written


@pytest.mark.parametrize("server", WITHOUT_EFFECT)
def test_line_says_what_to_do_instead_and_that_loses_nothing(endpoint: Endpoint, server: str) -> None:
    """After a preload and under uWSGI, in the one worker once."""
    command, remedy = WITHOUT_EFFECT[server]
    written = used(endpoint, *command)
    (line,) = [each for each in written.splitlines() if "drain_on_sigterm" in each]
    assert remedy in line


@pytest.mark.parametrize("server", COVERED)
def test_no_line_where_it_covers_all(endpoint: Endpoint, server: str) -> None:
    """Where the application is loaded by the worker itself, each event arrives and nothing is told."""
    assert "drain_on_sigterm" not in used(endpoint, *COVERED[server])
