"""Example applications, served as in production, and clients of theirs."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from antinode.testing import Endpoint
from tests.lifecycle.driver import KEY
from tests.needs import absent

ROOT = Path(__file__).parents[2]
GUNICORN = ("gunicorn", "--bind=127.0.0.1:PORT")
UWSGI = (
    str(Path(sys.executable).parent / "uwsgi"), "--http-socket=127.0.0.1:PORT", "--enable-threads",
    f"--home={sys.prefix}", f"--pythonpath={ROOT}", "--need-app", "--master",
    "--hook-master-start=unix_signal:15 gracefully_kill_them_all",
)  # fmt: skip
_STARTS_WITHIN = 120.0


@contextmanager
def served(
    endpoint: Endpoint, *command: str, **environment: str
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A server at its URL, once it answers, and its process.

    The command is a module of Python's or the path of a program; `PORT` in it stands for a free port.
    """
    if command[:1] == UWSGI[:1] and not os.path.exists(command[0]):
        absent("needs uWSGI: `pip install pyuwsgi`")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    words = [word.replace("PORT", port) for word in command]
    process = subprocess.Popen(
        [*(() if os.path.isabs(command[0]) else (sys.executable, "-m")), *words],
        cwd=ROOT,
        env={
            **os.environ,
            "AMPLITUDE_API_KEY": KEY,
            "ANTINODE_SERVER_URL": endpoint.url,
            "PYTHONPATH": str(ROOT),
            # So that what arrives has been sent because the server ended.
            "UPLOAD_INTERVAL": "600",
            **environment,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(url, process)
        yield url, process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=120)


def _wait_for(url: str, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + _STARTS_WITHIN
    while True:
        try:
            get(f"{url}/health")
            return
        except (urllib.error.URLError, ConnectionError):
            if process.poll() is not None or time.monotonic() > deadline:
                os.killpg(process.pid, signal.SIGKILL) if process.poll() is None else None
                raise AssertionError(f"the server did not start:\n{process.communicate()[0]}") from None
            time.sleep(0.05)


def get(url: str, *, method: str = "GET", **headers: str) -> str:
    """What the server answers."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, method=method, headers=named)  # noqa: S310 - of our own server
    with urllib.request.urlopen(request, timeout=120) as response:  # noqa: S310
        text: str = response.read().decode()
        return text


def stop(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> str:
    """End a server as its supervisor does, and return what it wrote."""
    process.send_signal(number)
    return process.communicate(timeout=120)[0]


def use(url: str, users: int = 8, songs: int = 5) -> None:
    """Several people at once, each of whom logs in and plays songs."""

    def play(user: str) -> None:
        get(f"{url}/login/{user}", method="POST", Accept_Language="de-DE,de;q=0.9")
        for number in range(songs):
            get(f"{url}/songs/song-{number}", Cookie=f"user={user}", Accept_Language="de-DE,de;q=0.9")
            get(f"{url}/health", Cookie=f"user={user}")

    with ThreadPoolExecutor(users) as pool:
        list(pool.map(play, (f"user-{number}" for number in range(users))))


def expected(users: int = 8, songs: int = 5) -> dict[str, list[Any]]:
    """What `use` makes of each person's events: type, title, path, method, language."""
    return {
        f"user-{user}": [
            ("Logged In", None, f"/login/user-{user}", "POST", "de-DE"),
            *(("Song Played", f"song-{n}", f"/songs/song-{n}", "GET", "de-DE") for n in range(songs)),
        ]
        for user in range(users)
    }


def seen(events: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """The events that arrived, as in `expected`."""
    found: dict[str, list[Any]] = {}
    for each in events:
        properties = each.get("event_properties", {})
        fields = (
            properties.get("title"),
            properties.get("path"),
            properties.get("method"),
            each.get("language"),
        )
        found.setdefault(each.get("user_id", ""), []).append((each["event_type"], *fields))
    return found


def as_json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
