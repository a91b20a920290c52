"""A local Amplitude for each test that asks for one, and ways to talk to it."""

import socket
from urllib.parse import urlsplit

import pytest
import urllib3

from antinode.server import running

API_KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def server(request):
    """A local Amplitude with nothing in it. What goes wrong in it fails the test.

    A parameter is its plan, or "plan.json": a file of that name in `tmp_path`, with an empty plan.
    """
    plan = getattr(request, "param", None)
    if plan == "plan.json":
        plan = request.getfixturevalue("tmp_path") / plan
        plan.write_text('{"version": 1}', encoding="utf-8")
    with running(plan=plan) as server:
        yield server


@pytest.fixture
def http():
    """Sends requests, and never one twice."""
    with urllib3.PoolManager(retries=False, timeout=120) as pool:
        yield pool


@pytest.fixture
def post(server, http):
    """Posts events to the server."""

    def post(*events, path="/2/httpapi", **options):
        body = {"api_key": API_KEY, "events": list(events)}
        return http.request("POST", server.url + path, json=body, **options)

    return post


@pytest.fixture
def connect(server):
    """Opens connections to the server, and closes them at the end."""
    opened = []

    def connect():
        at = urlsplit(server.url)
        connection = socket.create_connection((at.hostname, at.port), timeout=120)
        opened.append(connection)
        return connection

    yield connect
    for connection in opened:
        connection.close()


def event(number=1, **keys):
    """An ordinary event."""
    return {
        "event_type": "Song Played",
        "user_id": "user-20391",
        "device_id": "device-0001",
        "insert_id": f"insert-{number}",
        "time": 1793817970000 + number,
        **keys,
    }
