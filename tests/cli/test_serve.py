"""`antinode serve`, as a person and as a script meet it: real processes, real uploads."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from antinode.server.client import Api
from tests.cli.nursery import run
from tests.cli.reading import words
from tests.cli.serving import KEY, Serving, song

LIBRARY = "amplitude-python/1.2.0"


def test_it_says_where_it_listens_and_how_to_point_an_sdk_at_it() -> None:
    """The banner has the page's address and a line for Python, Node and browsers."""
    with Serving() as serving:
        serving.line_with("Browser")
        banner = "".join(serving.lines)
        server_url = f"{serving.url}/2/httpapi"
        assert f'antinode.init("any-key", server_url="{server_url}")' in banner
        assert f"amplitude.init('any-key', {{ serverUrl: '{server_url}' }})" in banner
        assert "remoteConfig: { fetchRemoteConfig: false }" in banner
        assert "the newest 200,000 events in memory" in banner
        assert "faults" not in banner


def test_upload_is_a_line() -> None:
    """An accepted upload shows its status, path, events and library."""
    with Serving() as serving:
        assert serving.post([song(1, library=LIBRARY), song(2)]) == 200
        line = serving.line_with(LIBRARY)
        assert " 200 /2/httpapi " in line
        assert "2 events" in line


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_end_is_clean(how: signal.Signals) -> None:
    """Ctrl-C and SIGTERM end it with exit code 0 and a last word on what there was."""
    with Serving() as serving:
        serving.post([song()])
        code, rest, errors = serving.stop(how)
        assert code == 0
        assert "Stopped after 1 upload, 1 event accepted." in rest
        assert errors == ""


def test_refusal_is_worded() -> None:
    """A refused upload says which event was wrong, and what about it."""
    with Serving() as serving:
        assert serving.post([song(1), song(2, time="yesterday")]) == 400
        assert " 400 " in serving.line_with(" 400 ")
        assert "1 rejected, 1 to be sent again" in serving.line_with("rejected")
        assert "time" in serving.line_with(r"events\[1\]")


def test_unreadable_body_is_worded() -> None:
    """A body without events has the answer's error and what is missing, not the key that was sent."""
    with Serving() as serving:
        assert serving.post(None) == 400
        assert "0 events" in serving.line_with(" 400 ")
        assert "Request missing required field: events" in serving.line_with("^ {10}")
        assert KEY not in "".join(serving.lines)


def test_faults_are_named() -> None:
    """Faults are in the banner, and a line that one struck names it."""
    with Serving("--faults", "500@next=1,drop-before@next=1", "--faults", "delay:0.01s@100%") as serving:
        serving.line_with(r"faults +500@next=1, drop-before@next=1, delay:0\.01s@100%")
        assert sorted([serving.post([song(1)]), serving.post([song(2)])]) == [0, 500]
        serving.line_with("fault 500")
        serving.line_with("fault drop-before")


def test_only_the_keys_given_are_accepted() -> None:
    """With --api-key others are refused; no key is ever printed."""
    with Serving("--api-key", KEY) as serving:
        serving.line_with("only the API key given")
        assert serving.post([song()], key="f" * 32) == 400
        assert serving.post([song()]) == 200
        code, rest, _ = serving.stop()
        assert code == 0
        assert KEY not in rest + "".join(serving.lines)
        assert "f" * 32 not in rest


def test_what_a_client_sends_is_only_text() -> None:
    """Escapes, carriage returns and markup of a client do not reach the terminal as such."""
    with Serving() as serving:
        hostile = "\x1b[2J\x1b]0;owned\x07[bold red]loud[/]\r"
        serving.post([song(1, library=hostile, time=hostile, event_type=hostile)])
        serving.post([song(2, library=hostile)])
        serving.line_with(" 200 ")
        _, rest, _ = serving.stop()
        printed = "".join(serving.lines) + rest
        assert "[bold red]loud[/]" in printed
        assert all(each.isprintable() or each == "\n" for each in printed)


def test_quiet() -> None:
    """--quiet prints the page's address alone, for a script to read."""
    with Serving("--quiet") as serving:
        serving.post([song()])
        code, rest, errors = serving.stop()
        assert (code, rest, errors) == (0, "", "")
        assert serving.lines == [f"{serving.url}\n"]


def test_json_lines() -> None:
    """--json prints one object a line: where it listens, each upload, and the end."""
    with Serving("--json", "--faults", "500@next=1") as serving:
        serving.post([song()])
        serving.post([song()])
        code, rest, errors = serving.stop()
        assert (code, errors) == (0, "")
        lines: list[dict[str, Any]] = [json.loads(line) for line in [*serving.lines, *rest.splitlines()]]
        assert [line["type"] for line in lines] == ["listening", "upload", "upload", "stopped"]
        assert lines[0]["server_url"] == f"{serving.url}/2/httpapi"
        assert lines[0]["faults"] == ["500@next=1"]
        assert [line["status"] for line in lines[1:3]] == [500, 200]
        assert lines[3] == (
            {"type": "stopped", "uploads": 2, "accepted": 1, "duplicates": 0, "rejected": 0, "returned": 1}
        )


def test_data_is_kept(tmp_path: Path) -> None:
    """With --data the next start knows what came before: the same insert_id is a duplicate."""
    data = tmp_path / "events.db"
    with Serving("--data", str(data)) as serving:
        serving.line_with("all events in .*events.db")
        assert serving.post([song()]) == 200
        assert serving.stop()[0] == 0
    with Serving("--data", str(data), "--max-events", "1000") as serving:
        serving.line_with("the newest 1,000 events in .*events.db")
        assert serving.post([song()]) == 200
        assert "1 duplicate dropped" in serving.line_with("duplicate")


def test_a_plan_is_shown_beside_what_comes(tmp_path: Path) -> None:
    """`--plan` marks what the API tells, and refuses nothing; a plan that cannot be read ends it with 2."""
    plan = tmp_path / "plan.json"
    plan.write_text('{"version": 1, "events": {"Cart Opened": {}}}', encoding="utf-8")
    with Serving("--plan", str(plan)) as serving:
        assert serving.post([song(1)]) == 200
        marks = {each.event_type: each.plan and each.plan.mark for each in Api(serving.url).schema()}
    assert marks == {"Song Played": "new", "Cart Opened": "missing"}
    plan.write_text('{"version": 1, "evnts": {}}', encoding="utf-8")
    done = run("serve", "--port", "0", "--plan", str(plan))
    assert done.returncode == 2
    assert "evnts: is no key of a plan: write `events`" in words(done.stderr)


def test_a_plan_that_changes_is_read_again(tmp_path: Path) -> None:
    """It is put in force; one that cannot be read is told, in the log and by the API, and changes nothing."""
    plan, saved = tmp_path / "plan.json", tmp_path / "saved.json"

    def save(events: str) -> None:
        saved.write_text(f'{{"version": 1, {events}: {{"Song Played": {{}}}}}}', encoding="utf-8")
        saved.replace(plan)

    plan.write_text('{"version": 1}', encoding="utf-8")
    with Serving("--plan", str(plan)) as serving:
        api = Api(serving.url)
        assert serving.post([song(1)]) == 200
        assert [each.plan and each.plan.mark for each in api.schema()] == ["new"]
        save('"events"')
        assert "read again: 1 event in" in serving.error_with("read again")
        assert [each.plan and each.plan.mark for each in api.schema()] == ["planned"]
        save('"evnts"')
        assert "the one before stays in force" in serving.error_with("cannot be read")
        assert "write `events`" in serving.error_with("evnts")
        page = api.schema_page()
        assert page.plan
        assert "write `events`" in page.plan.error
        assert [each.plan and each.plan.mark for each in page.event_types] == ["planned"]
        plan.unlink()
        assert "(No such file or directory)" in serving.error_with("plan.json cannot be read")
        save('"events"')
        serving.error_with("read again")
        page = api.schema_page()
        assert page.plan
        assert page.plan.error == ""


def test_data_of_something_else(tmp_path: Path) -> None:
    """A file that is no data of ours is left alone, named, and exits 1."""
    text = tmp_path / "notes.txt"
    text.write_text("not a database, but long enough to look at " * 50)
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE songs (title)")
    connection.close()
    for path in (text, other, tmp_path / "nowhere" / "events.db"):
        before = path.read_bytes() if path.exists() else None
        done = run("serve", "--port", "0", "--data", str(path))
        assert done.returncode == 1
        assert path.name in words(done.stderr).replace(" ", "")
        assert "Traceback" not in done.stderr
        assert (path.read_bytes() if path.exists() else None) == before


def test_data_in_use(tmp_path: Path) -> None:
    """A second server on the same file says so and exits 1."""
    data = tmp_path / "events.db"
    with Serving("--data", str(data)):
        done = run("serve", "--port", "0", "--data", str(data))
        assert done.returncode == 1
        assert "Traceback" not in done.stderr


def test_port_in_use() -> None:
    """A taken port is named, with what to do; exit code 1."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run("serve", "--port", str(port))
    assert done.returncode == 1
    assert f"port {port} of 127.0.0.1 is in use" in words(done.stderr)
    assert "--port" in done.stderr
    assert done.stdout == ""


def test_address_of_another_machine() -> None:
    """An address that this machine does not have is named; exit code 1."""
    done = run("serve", "--port", "0", "--host", "192.0.2.1")
    assert done.returncode == 1
    assert "192.0.2.1 is no address of this machine" in words(done.stderr)


def test_elsewhere_than_loopback_warns() -> None:
    """--host 0.0.0.0 warns on standard error that everybody can come in; loopback does not."""
    with Serving("--host", "0.0.0.0") as serving:
        code, _, errors = serving.stop()
        assert code == 0
        assert "Warning: on 0.0.0.0 everyone who can reach this machine" in errors


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--faults", "501@10%"], "501"),
        (["--faults", "500,sometimes"], "sometimes"),
        (["--port", "65536"], "65536"),
        (["--max-events", "0"], "0"),
        (["--rates", "wild"], "wild"),
        (["--colour"], "--colour"),
    ],
)
def test_wrong_usage(arguments: list[str], told: str) -> None:
    """What cannot be understood is named; exit code 2, nothing on standard output."""
    done = run("serve", *arguments)
    assert done.returncode == 2
    assert told in words(done.stderr)
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_open_asks_for_the_browser(tmp_path: Path) -> None:
    """--open hands the page's address to the browser that BROWSER names."""
    seen = tmp_path / "seen"
    os.mkfifo(seen)
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {seen}\n')
    browser.chmod(0o755)
    with Serving("--open", BROWSER=f"{browser} %s") as serving:
        assert seen.read_text(encoding="utf-8").strip() == serving.url


def test_reader_that_leaves() -> None:
    """When the output is closed, as by `head`, it serves on, and its end is clean."""
    with Serving() as serving:
        serving.process.stdout.close()  # type: ignore[union-attr]
        serving.process.stdout = None
        for number in range(3):
            assert serving.post([song(number)]) == 200
        code, _, errors = serving.stop()
        assert (code, errors) == (0, "")


def test_output_of_another_encoding() -> None:
    """A terminal that cannot show a character loses that character, nothing else."""
    with Serving(PYTHONIOENCODING="ascii") as serving:
        assert serving.post([song(library="häuser/1.0")]) == 200
        assert "h?user/1.0" in serving.line_with("user/1.0")


pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and fifos as POSIX has them")
