"""The README's frameworks: each snippet, as it stands there, logs what a request or a task makes of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from antinode import Client, _instances
from antinode.testing import Endpoint
from tests.integrations.brokers import run, told

README = Path(__file__).parents[2] / "README.md"

# The snippet's `init` names no server: it goes to the test's.
_START = """
import os, warnings
warnings.simplefilter("ignore")
import msgspec
from antinode import _client
make = _client.make_sender
url = os.environ["ANTINODE_SERVER_URL"]
_client.make_sender = lambda key, options, name: make(
    key, msgspec.structs.replace(options, server_url=url, upload_interval_in_sec=600), name)
import antinode, shop
"""
_USE = {
    "FastAPI": """
import asyncio

async def ask():
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    ready, over = asyncio.Event(), asyncio.Event()

    async def receive():
        message = next(messages)
        if message["type"] == "lifespan.shutdown":
            ready.set()
            await over.wait()
        return message

    async def send(message):
        assert message.get("status", 200) == 200, message

    async def body():
        return {"type": "http.request", "body": b""}

    scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
    life = asyncio.create_task(shop.app(scope, receive, send))
    await ready.wait()
    await shop.app({"type": "http", "method": "GET", "path": "/songs/blue", "query_string": b"user=user-7",
                    "headers": []}, body, send)
    over.set()
    await life
    os._exit(0)

asyncio.run(ask())
""",
    "Django": """
import django
from django.conf import settings
from django.test import Client
from django.urls import path
urlpatterns = [path("songs/<title>", shop.play)]
settings.configure(ROOT_URLCONF="__main__", ALLOWED_HOSTS=["*"], INSTALLED_APPS=shop.INSTALLED_APPS,
                   MIDDLEWARE=shop.MIDDLEWARE, ANTINODE=shop.ANTINODE)
django.setup()
assert Client().get("/songs/blue?user=user-7").content == b"blue"
""",
    "Flask": """
assert shop.app.test_client().get("/songs/blue?user=user-7").text == "blue"
""",
    "Celery": """
from celery.contrib.testing.worker import start_worker
shop.app.conf.update(broker_url="memory://", result_backend="cache+memory://")
with start_worker(shop.app, perform_ping_check=False, pool="solo"):
    with antinode.context(user_id="user-7"):
        shop.send_invoice.delay("order-1").get(timeout=120)
""",
}
_OF_A_REQUEST = ("Song Played", "user-7", "{'path': '/songs/blue', 'method': 'GET'}")


def snippet(name: str) -> str:
    """The block below the line that begins with the framework's name in bold."""
    found = re.search(
        rf"^\*\*{name}\*\*.*?```python\n(.*?)```", README.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    assert found, name
    return found[1]


@pytest.mark.parametrize("name", _USE)
def test_snippet_does_what_it_shows(endpoint: Endpoint, tmp_path: Path, name: str) -> None:
    """In ten lines; the event arrives with its context, though nobody flushes."""
    code = snippet(name)
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    (tmp_path / "shop.py").write_text(code)
    run(tmp_path, endpoint, "-c", _START + _USE[name])
    of_a_task = ("Invoice Sent", "user-7", "{'order': 'order-1'}")
    assert told(endpoint.events) == [of_a_task if name == "Celery" else _OF_A_REQUEST]


def test_integration_of_ones_own_does_what_its_page_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """The example of docs/own-integration.md passes the test that stands beside it."""
    monkeypatch.setattr(_instances, "_default", Client())
    page = (README.parent / "docs" / "own-integration.md").read_text("utf-8")
    names: dict[str, Any] = {"__name__": "__page__"}
    for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(code, names)  # noqa: S102 - our own page
    names["test_handlers_log_as_who_published"]()
