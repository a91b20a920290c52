"""`antinode tail`: the local Amplitude's events on a terminal."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import urllib3

from antinode.cli.program import antinode
from antinode.cli.tail.following import Follower
from antinode.cli.tail.selection import Selection
from antinode.server import Running, running
from tests.cli.nursery import run
from tests.cli.reading import COMMAND, environment, words
from tests.cli.serving import Serving, song
from tests.cli.terminals import Screen


@pytest.fixture
def amplitude() -> Iterator[Running]:
    with running() as server:
        yield server


def post(server: Running, *events: dict[str, Any]) -> None:
    body = {"api_key": "k" * 32, "events": list(events)}
    with urllib3.PoolManager() as pool:
        pool.request("POST", server.server_url, json=body)


def shown(server: Running, *arguments: str) -> list[str]:
    """The lines of what has come so far."""
    done = run("tail", "--url", server.url, "--no-follow", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


@contextmanager
def following(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`antinode tail` beside the test, its output a pipe."""
    process = subprocess.Popen(
        [*COMMAND, "tail", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=environment(),
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_line_for_each_event(amplitude: Running) -> None:
    """Time, outcome, user, type and properties, in columns; what was refused is explained below."""
    post(amplitude, song(1, event_properties={"title": "Blue in Green", "seconds": 337, "genre": "jazz"}))
    post(amplitude, song(1))
    post(amplitude, song(2, user_id="abc"), song(3, user_id=None, device_id="device-7"))
    first, second, third, why, fourth = shown(amplitude)
    assert first[8:] == (
        '  accepted   user-20391        Song Played       title="Blue in Green" seconds=337 genre=jazz'
    )
    assert second[8:].split() == ["duplicate", "user-20391", "Song", "Played"]
    assert third[8:].split() == ["rejected", "abc", "Song", "Played"]
    assert why.startswith("          `user_id` 'abc' is shorter than 5 characters")
    assert fourth[8:].split() == ["returned", "device-7", "Song", "Played"]
    assert len({line.index("Song Played") for line in (first, second, third, fourth)}) == 1


def test_identifies_and_money(amplitude: Running) -> None:
    """Operations, groups and amounts are shown as what they say."""
    post(
        amplitude,
        song(1, event_type="$identify", user_properties={"$set": {"plan": "pro"}, "$add": {"n": 1}}),
        song(2, event_type="$groupidentify", groups={"org": "x"}, group_properties={"$set": {"seats": 5}}),
        song(3, price=9.99, quantity=2),
    )
    lines = shown(amplitude)
    assert lines[0].endswith("$set plan=pro $add n=1")
    assert lines[1].endswith("org=x $set seats=5")
    assert lines[2].endswith("price=9.99 quantity=2")


def test_filters(amplitude: Running, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """By user, type, text, outcome, problem and property; properties as JSON or as text."""
    post(
        amplitude,
        song(1, time=1_793_817_970_000, event_properties={"plan": "pro", "n": 1}),
        song(2, time=1_793_817_970_000, user_id="user-2", event_properties={"plan": "pro", "n": "1"}),
        song(3, time=5, event_type="Paused", event_properties={"plan": "free"}),
    )

    def users(*arguments: str) -> list[str]:
        command = ["tail", "--url", amplitude.url, "--no-follow", "--json", *arguments]
        antinode.main(command, standalone_mode=False)
        found = [json.loads(line) for line in capsysbinary.readouterr().out.splitlines()]
        return [each["insert_id"] for each in found]

    assert users() == ["song-1", "song-2", "song-3"]
    assert users("-n", "2") == ["song-2", "song-3"]
    assert users("-n", "0") == []
    assert users("--user", "user-2") == ["song-2"]
    assert users("--type", "Paused") == ["song-3"]
    assert users("--text", "FREE") == ["song-3"]
    assert users("--outcome", "rejected") == []
    assert users("--problems") == ["song-3"]
    assert users("-p", "plan=pro") == ["song-1", "song-2"]
    assert users("-p", "plan=pro", "-p", "n=1", "-n", "1") == ["song-2"]
    assert users("-p", "n=2") == []


def test_problems_are_explained(amplitude: Running) -> None:
    """--problems tells warnings, too."""
    post(amplitude, song(1, time=5))
    assert "time_in_seconds" not in "".join(shown(amplitude))
    assert shown(amplitude, "--problems")[1].startswith("          `time` 5 is in 1970")


def test_what_a_client_sends_is_only_text(amplitude: Running) -> None:
    """Escapes and control characters of an event do not reach the terminal."""
    hostile = "\x1b[2J\x07[bold]loud[/]\r\n"
    post(amplitude, song(1, event_type=hostile, user_id=hostile, event_properties={hostile: hostile}))
    (line,) = shown(amplitude)
    assert "[bold]loud[/]" in line
    assert line.isprintable()


def test_following(amplitude: Running) -> None:
    """Events come as they arrive, all of them and in order, however fast, also to a pipe."""
    with following("--url", amplitude.url, "--json", "-n", "1") as process:
        assert process.stdout is not None
        post(amplitude, song(0))
        seen = [json.loads(process.stdout.readline())["insert_id"]]
        for upload in range(30):
            post(amplitude, *[song(1 + upload * 100 + number) for number in range(100)])
        while len(seen) < 3_001:
            seen.append(json.loads(process.stdout.readline())["insert_id"])
        assert seen == [f"song-{number}" for number in range(3_001)]
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0
        assert errors.strip() == ""


def test_a_terminal_and_ctrl_c(amplitude: Running) -> None:
    """On a terminal lines are cut to its width and coloured; Ctrl-C ends it with 0 and no traceback."""
    post(amplitude, song(1, event_properties={"title": "x" * 200}))
    with Screen("tail", "--url", amplitude.url, columns=80) as screen:
        screen.until("Song Played")
        post(amplitude, song(2, event_type="Paused"))
        screen.until("Paused")
        screen.interrupt()
        assert screen.end() == 0
    assert "\x1b[32m" in screen.raw
    assert all(len(line) <= 80 for line in screen.text.splitlines())
    assert "Traceback" not in screen.text


def test_a_restart_is_survived() -> None:
    """When the server goes it is said once, and once when it is back; then it goes on, from the new start."""
    with Serving("--quiet") as first:
        first.post([song(1)])
        port = int(first.url.rpartition(":")[2])
        with Screen("tail", "--url", first.url) as screen:
            screen.until("Song Played")
            assert first.stop()[0] == 0
            screen.until("is gone; waiting for it to come back")
            with Serving("--quiet", port=port) as second:
                second.post([song(1, event_type="Resumed")])
                screen.until("is back.")
                screen.until("Resumed")
                assert screen.text.count("is gone") == 1
                screen.interrupt()
                assert screen.end() == 0


def test_no_server() -> None:
    """It exits 1 and says how to start one."""
    done = run("tail", "--url", "127.0.0.1:1")
    assert done.returncode == 1
    assert "connection refused by 127.0.0.1:1" in words(done.stderr)
    assert "`antinode serve`" in words(done.stderr)


def test_something_else_answers() -> None:
    """Neither is a server that is no local Amplitude one."""
    import http.server
    import threading

    class Other(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Other) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        done = run("tail", "--url", f"http://127.0.0.1:{server.server_port}/2/httpapi")
        server.shutdown()
        thread.join()
    assert done.returncode == 1
    assert "answered 404" in words(done.stderr)


def test_no_address() -> None:
    """What cannot be an address is wrong usage."""
    assert run("tail", "--url", "http://").returncode == 2


def test_reader_gone(amplitude: Running) -> None:
    """Output that nobody reads any more ends it without a word: its reader has what it wanted."""
    post(amplitude, *[song(number) for number in range(2_000)])
    with following("--url", amplitude.url, "--json", "-n", "2000") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        process.stdout = None
        _, errors = process.communicate(timeout=120)
        assert errors == ""
        assert process.returncode == 0


def test_a_reset_begins_anew(amplitude: Running) -> None:
    """After a reset the server counts from 1 again, and what comes then is shown."""
    follower = Follower(amplitude.url, Selection(filters={}), skips=False, tell=lambda _: None)
    post(amplitude, song(1), song(2))
    assert [each.insert_id for each in follower.last(5)] == ["song-1", "song-2"]
    events = follower.follow()
    post(amplitude, song(3))
    assert [each.insert_id for each in next(events)] == ["song-3"]
    amplitude.api.reset()
    post(amplitude, song(4))
    assert [each.insert_id for each in next(events)] == ["song-4"]
    events.close()  # type: ignore[attr-defined]  # a generator


def test_far_behind(amplitude: Running) -> None:
    """For a terminal, events that nobody could read any more are left out and counted."""
    follower = Follower(amplitude.url, Selection(filters={}), skips=True, tell=lambda _: None)
    assert follower.last(0) == []
    for upload in range(4):
        post(amplitude, *[song(upload * 2_000 + number) for number in range(2_000)])
    events = next(follower.follow())
    assert follower.omitted == 7_000
    assert [each.insert_id for each in events][:1] == ["song-7000"]
