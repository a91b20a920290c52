"""The example applications under real servers: what requests log arrives, each with its own context."""

from __future__ import annotations

import base64
import os
import signal
from pathlib import Path
from urllib.parse import quote

import pytest

from antinode.testing import Endpoint
from tests.integrations.brokers import wait_until
from tests.integrations.servers import GUNICORN, UWSGI, as_json, expected, get, seen, served, stop, use

SERVERS = {
    "fastapi-uvicorn": ("uvicorn", "examples.fastapi_app:app", "--port=PORT"),
    "flask-gunicorn": (*GUNICORN, "examples.flask_app:app"),
    "flask-threads": (*GUNICORN, "examples.flask_app:app", "--threads=4"),
    "fastapi-workers": (
        *GUNICORN, "examples.fastapi_app:app", "--workers=2", "--worker-class=uvicorn_worker.UvicornWorker",
    ),
    "django-gunicorn": (*GUNICORN, "examples.django_app:application", "--threads=4"),
    "django-uvicorn": ("uvicorn", "examples.django_app:asgi", "--port=PORT"),
    "fastapi-preload": (
        *GUNICORN, "examples.fastapi_app:app", "--preload", "--worker-class=uvicorn_worker.UvicornWorker",
    ),
    "flask-gevent": (*GUNICORN, "examples.flask_app:app", "--worker-class=gevent"),
    "flask-uwsgi": (*UWSGI, "--module=examples.flask_app:app", "--threads=2"),
    "aiohttp": ("aiohttp.web", "--hostname=127.0.0.1", "--port=PORT", "examples.aiohttp_app:make_app"),
    "litestar": ("uvicorn", "examples.litestar_app:app", "--port=PORT"),
    "flask-preload": (*GUNICORN, "examples.flask_app:app", "--workers=2", "--threads=4", "--preload"),
}  # fmt: skip


@pytest.mark.parametrize("server", SERVERS)
def test_every_event_has_its_own_request_and_none_is_lost(endpoint: Endpoint, server: str) -> None:
    """Several people at once; after SIGTERM all has arrived, from one process in each person's order."""
    environment = {"EXAMPLE_ASYNC": "1"} if server == "django-uvicorn" else {}
    with served(endpoint, *SERVERS[server], **environment) as (url, process):
        use(url)
        written = stop(process)
    arrived, wanted = seen(endpoint.events), expected()
    if "--workers=2" in SERVERS[server]:
        arrived, wanted = (
            {user: sorted(each, key=str) for user, each in of.items()} for of in (arrived, wanted)
        )
    assert arrived == wanted, written


@pytest.mark.parametrize("server", ["fastapi-uvicorn", "flask-gunicorn", "django-gunicorn", "aiohttp"])
def test_server_events_join_the_session_of_the_browser(endpoint: Endpoint, server: str) -> None:
    """The cookie of Amplitude's browser SDK gives device and session, and no user over one signed in."""
    held = {"deviceId": "b7a1e1c0-5d4c", "userId": "somebody", "sessionId": 1764358072000, "optOut": False}
    cookie = "AMP_0123456789=" + base64.b64encode(quote(as_json(held)).encode()).decode()
    with served(endpoint, *SERVERS[server]) as (url, process):
        get(f"{url}/songs/a", Cookie=f"user=user-7; {cookie}; AMP_MKTG_0123456789=x")
        stop(process)
    (event,) = endpoint.events
    assert (event["user_id"], event["device_id"], event["session_id"]) == (
        "user-7",
        "b7a1e1c0-5d4c",
        1764358072000,
    )
    assert event["event_properties"]["[Amplitude] Session Replay ID"] == "b7a1e1c0-5d4c/1764358072000"


def test_an_interrupted_server_sends_what_it_holds(endpoint: Endpoint) -> None:
    """Ctrl-C as SIGTERM."""
    with served(endpoint, *SERVERS["fastapi-uvicorn"]) as (url, process):
        use(url, users=2)
        written = stop(process, signal.SIGINT)
    assert seen(endpoint.events) == expected(users=2), written


def test_a_reload_loses_nothing(endpoint: Endpoint) -> None:
    """gunicorn replaces its workers on SIGHUP: the old ones send what they hold, the new ones go on."""
    workers = (*SERVERS["flask-threads"], "--workers=2")
    with served(endpoint, *workers) as (url, process):
        use(url, users=3)
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: sum(map(len, seen(endpoint.events).values())) == 18, process)
        use(url, users=3)
        written = stop(process)
    arrived = {user: sorted(each, key=str) for user, each in seen(endpoint.events).items()}
    assert arrived == {user: sorted([*each, *each], key=str) for user, each in expected(users=3).items()}, (
        written
    )


@pytest.mark.parametrize("server", ["fastapi-uvicorn", "flask-gunicorn", "django-gunicorn"])
def test_a_killed_server_has_lost_nothing_with_a_spool(
    endpoint: Endpoint, tmp_path: Path, server: str
) -> None:
    """Everything that it has answered for is there when it is started again, in each person's order."""
    spool = str(tmp_path / "spool")
    with served(endpoint, *SERVERS[server], ANTINODE_STORAGE=spool) as (url, process):
        use(url, users=3)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert endpoint.events == []
    with served(endpoint, *SERVERS[server], ANTINODE_STORAGE=spool) as (_, process):
        written = stop(process)
    assert seen(endpoint.events) == expected(users=3), written
