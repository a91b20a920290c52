"""Amplitude's own browser SDKs in Chromium: page and server log one device's events of one session."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from antinode.server import Running, running
from tests import needs
from tests.integrations.servers import served, stop
from tests.server.clients.players import API_KEY, install_packages

pytestmark = [pytest.mark.browser, pytest.mark.clients]

SERVERS = {
    "fastapi": ("uvicorn", "tests.integrations.pages:asgi", "--port=PORT"),
    "flask": ("gunicorn", "--bind=127.0.0.1:PORT", "tests.integrations.pages:wsgi", "--threads=4"),
    "django": ("gunicorn", "--bind=127.0.0.1:PORT", "tests.integrations.pages:wsgi", "--threads=4"),
}
SCRIPTS = {
    "analytics.js": "@amplitude/analytics-browser/lib/scripts/amplitude-min.umd.js",
    "replay.js": "@amplitude/plugin-session-replay-browser/lib/scripts/plugin-session-replay-browser-min.js",
    "older.js": "amplitude-js/amplitude.umd.min.js",
}
PLAYER = """
<button onclick="play()">Play</button><output></output>
<script>
async function play() {
  await log("Play Clicked");
  const answer = await fetch("/songs/blue-in-green");
  document.querySelector("output").textContent = await answer.text();
}
</script>
"""
PAGE = """
<!doctype html><meta charset="utf-8"><title>Songs</title>
<script src="/analytics.js"></script><script src="/replay.js"></script>
<script>
const user = new URLSearchParams(location.search).get("user") ?? undefined;
const log = async name => (await amplitude.track(name).promise).code;
const ready = (async () => {
  await amplitude.add(sessionReplay.plugin({ sampleRate: 1 })).promise;
  await amplitude.init("KEY", user, {
    serverUrl: "URL/2/httpapi", autocapture: false, flushIntervalMillis: 1,
  }).promise;
  return log("Page Viewed");
})();
</script>
"""
OLDER_PAGE = """
<!doctype html><meta charset="utf-8"><title>Songs</title>
<script src="/older.js"></script>
<script>
const user = new URLSearchParams(location.search).get("user") ?? undefined;
const sdk = amplitude.getInstance();
const log = name => new Promise(done => sdk.logEvent(name, {}, done, done));
const ready = new Promise(done => sdk.init("KEY", user, { apiEndpoint: "HOST", forceHttps: false }, done))
  .then(() => log("Page Viewed"));
</script>
"""
CONFIG = {"configs": {"sessionReplay": {"sr_sampling_config": {"capture_enabled": True, "sample_rate": 1}}}}
"""What Amplitude answers of a project that replays all sessions."""
REPLAY = "[Amplitude] Session Replay ID"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    executable = needs.chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def packages(pytestconfig: pytest.Config) -> Path:
    assert pytestconfig.cache is not None
    return install_packages(pytestconfig.cache.mkdir("official-sdks"))


@pytest.fixture
def amplitude() -> Iterator[Running]:
    with running() as server:
        yield server


Serve = Callable[[str, str], AbstractContextManager[tuple[str, "subprocess.Popen[str]"]]]


@pytest.fixture
def serve(amplitude: Running, packages: Path, tmp_path: Path) -> Serve:
    """Serves an example application, and this page with the SDKs in front of it."""
    for name, place in SCRIPTS.items():
        os.symlink(packages / "node_modules" / place, tmp_path / name)

    @contextmanager
    def serve(application: str, page: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
        filled = (page + PLAYER).replace("KEY", API_KEY).replace("URL/", f"{amplitude.url}/")
        (tmp_path / "index.html").write_text(filled.replace("HOST", amplitude.url.partition("://")[2]))
        environment = {"PAGES": str(tmp_path), "APPLICATION": f"examples.{application}_app"}
        with served(amplitude, *SERVERS[application], **environment) as running:  # type: ignore[arg-type]
            yield running

    return serve


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A window from which nothing leaves this machine."""
    context = chromium.new_context()
    context.set_default_timeout(60_000)
    context.route(re.compile("^https:"), answer)
    yield context.new_page()
    context.close()


def answer(route: Route) -> None:
    route.fulfill(body=json.dumps(CONFIG), headers={"access-control-allow-origin": "*"})


def click(page: Page) -> None:
    page.evaluate("ready")
    page.get_by_role("button").click()
    expect(page.locator("output")).to_contain_text("blue-in-green", timeout=60_000)


def events(amplitude: Running) -> dict[str, dict[str, Any]]:
    """The accepted events that the page and the application logged, by their type."""
    found = [view.event for view in amplitude.api.events(outcome="accepted")]
    return {each["event_type"]: each for each in found if not each["event_type"].startswith(("$", "["))}


@pytest.mark.parametrize("application", SERVERS)
def test_page_and_server_are_one_device_and_one_session(
    amplitude: Running, serve: Serve, page: Page, application: str
) -> None:
    """Page load, click, server event: the same device, session and session replay."""
    with serve(application, PAGE) as (url, process):
        page.goto(url)
        click(page)
        written = stop(process)
    logged = events(amplitude)
    assert set(logged) == {"Page Viewed", "Play Clicked", "Song Played"}, written
    assert len({each["device_id"] for each in logged.values()}) == 1
    assert len({each["session_id"] for each in logged.values()}) == 1
    replays = {name: each["event_properties"].get(REPLAY) for name, each in logged.items()}
    assert replays["Play Clicked"] == replays["Song Played"] is not None


def test_the_older_sdk_is_known_too(amplitude: Running, serve: Serve, page: Page) -> None:
    """Of amplitude-js, device, session and user; where the application knows no user, the page's is taken."""
    with serve("flask", OLDER_PAGE) as (url, process):
        page.goto(f"{url}/?user=jörg@example.org")
        click(page)
        written = stop(process)
    logged = events(amplitude)
    assert set(logged) == {"Page Viewed", "Play Clicked", "Song Played"}, written
    known = [{key: each[key] for key in ("device_id", "session_id", "user_id")} for each in logged.values()]
    assert known == [known[0]] * 3
    assert known[0]["user_id"] == "jörg@example.org"


def test_the_page_has_no_say_in_who_is_signed_in(amplitude: Running, serve: Serve, page: Page) -> None:
    """What the page says of its user is passed over; the event is of the page's device all the same."""
    with serve("fastapi", PAGE) as (url, process):
        page.context.add_cookies([{"name": "user", "value": "user-7", "url": url}])
        page.goto(f"{url}/?user=somebody")
        click(page)
        written = stop(process)
    logged = events(amplitude)
    assert logged["Play Clicked"]["user_id"] == "somebody", written
    assert logged["Song Played"]["user_id"] == "user-7"
    assert logged["Song Played"]["device_id"] == logged["Play Clicked"]["device_id"]
