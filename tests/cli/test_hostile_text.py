"""Text from outside on a terminal: whatever it is and wherever it stands, it is shown and does nothing."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import urllib3

from antinode import Outcome, Status
from antinode._deadletters import encode
from antinode.server import running
from tests.cli.nursery import Ended, run
from tests.cli.serving import Serving
from tests.delivery.rawserver import Peer, RawServer
from tests.lifecycle.driver import KEY

if sys.platform == "win32":
    pytest.skip("file names may hold these characters as POSIX has them", allow_module_level=True)

from tests.cli.terminals import Screen
from tests.cli.test_spool import leave

H = "\x1b]0;owned\x07\x1b[31m\r\x08\x9b1m\x7f\x85\u202e\u2066\u200b\xad\ufeff\u2028\U000e0041\u034f\u3164é日"
"""Escapes, controls, marks that turn the writing, letters that cannot be seen; and two that can."""
UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def hidden(text: str) -> list[str]:
    """The characters of `text` that a terminal obeys or does not show, line feeds aside."""
    return [
        ascii(each)
        for each in text
        if (each != "\n" and unicodedata.category(each) in UNSEEN) or each in "\u034f\u3164"
    ]


def assert_plain(done: Ended, *, says: str = "") -> None:
    assert (hidden(done.stdout), hidden(done.stderr)) == ([], [])
    assert "Traceback" not in done.stderr
    assert says in done.stdout + done.stderr


def event(**more: Any) -> dict[str, Any]:
    return {
        "event_type": f"Type {H}",
        "user_id": f"user-1 {H}",
        "device_id": f"device {H}",
        "insert_id": f"id {H}",
        "time": 1_700_000_000_000,
        "platform": H,
        "event_properties": {f"key {H}": f"value {H}", "list": [H, {H: H}]},
        "user_properties": {H: H},
        "groups": {H: [H]},
        **more,
    }


BAD = [
    event(user_id=H[:3], device_id=None),
    event(time=H),
    event(event_type=""),
    event(price=H),
    event(**{H: H}),
    event(event_properties={H: {H: {"\ud800"[:0]: H}}}),
    {H: H},
]


def lines(*events: Any) -> bytes:
    return b"".join(orjson.dumps(each) + b"\n" for each in events)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with such a name."""
    made = tmp_path / f"dir {H}"
    made.mkdir()
    return made


def write(path: Path, content: bytes | str) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


@pytest.fixture
def rude() -> Iterator[RawServer]:
    """Refuses everything, in such words."""
    body = json.dumps(
        {"code": 400, "error": f"no {H}", "missing_field": H, "events_with_invalid_fields": {H: [0]}},
        ensure_ascii=False,
    ).encode()
    with RawServer(answering("400 Bad Request", body)) as server:
        yield server


def answering(status: str, body: bytes, *headers: str) -> Callable[[Peer], None]:
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "Connection: close", "", ""]

    def handle(peer: Peer) -> None:
        peer.read_request()
        peer.send("\r\n".join(head).encode("latin-1") + body)

    return handle


FILES = {
    "events.jsonl": lines(event(), *BAD, H, [H]),
    "events.json": orjson.dumps([event(), *BAD]),
    "events.csv": f'event_type,user_id,time,"{H}"\r\n"{H}",user-{H},now {H},"{H}"\n'.replace(
        "\u2028", ""
    ).encode(),
    "broken.jsonl": f'{{"event_type": {H}\n{H}\n'.encode(),
    "broken.json": f"[{H}".encode(),
    "broken.jsonl.gz": b"\x1f\x8b\x08\x00" + H.encode(),
    "broken.parquet": b"PAR1" + H.encode() * 9,
    "broken.zip": b"PK\x03\x04" + H.encode(),
    f"{H}.unknown": H.encode(),
}


@pytest.mark.parametrize("name", FILES, ids=ascii)
@pytest.mark.parametrize(
    "arguments",
    [
        ["validate"],
        ["validate", "--all"],
        ["validate", "--json"],
        ["import", "--dry-run"],
        ["import", "--dry-run", "--json"],
    ],
    ids=" ".join,
)
def test_files_are_shown_as_text(place: Path, name: str, arguments: list[str]) -> None:
    """Names of files and columns, keys, values and broken pieces reach the terminal escaped."""
    path = write(place / name, FILES[name])
    other = write(place / f"two {name}", FILES[name])
    done = run(*arguments, path, other, cwd=place)
    assert_plain(done)
    if "--json" in arguments:
        for line in done.stdout.splitlines():
            json.loads(line)


def test_a_dry_run_shows_json_that_says_the_same(place: Path) -> None:
    """The sample of a dry run, its controls escaped, is still the event."""
    given = event(library="shop/1")
    done = run("import", "--dry-run", write(place / "a.jsonl", lines(given)), cwd=place)
    assert_plain(done, says="\\u009b1m")
    sample = done.stdout[done.stdout.index("{") : done.stdout.rindex("}") + 1]
    assert json.loads(sample) == given


MAPPINGS = {
    "unknown key": {H: H},
    "unknown field": {"fields": {H: H}},
    "no such column": {"fields": {"event_type": H, "user_id": f"user {H}"}},
    "no such pattern": {"properties": [f"{H}*"]},
    "groups": {"groups": {H: H}},
    "constants": {"constants": {H: H, "event_type": H}},
    "time format": {"time_format": H},
    "time zone": {"time_zone": H},
    "wrong type": {"fields": H, "null": H},
}


@pytest.mark.parametrize("command", ["validate", "import"])
@pytest.mark.parametrize("case", MAPPINGS)
def test_mappings_are_shown_as_text(place: Path, case: str, command: str) -> None:
    """Whatever a mapping names, in its file, is told escaped; so is the file's own name."""
    rows = write(place / "rows.csv", "event,who\nPlayed,user-20391\n")
    mapping = write(place / f"{H}.json", json.dumps(MAPPINGS[case]))
    more = ["--dry-run"] if command == "import" else []
    assert_plain(run(command, rows, "--mapping", mapping, *more, cwd=place))
    for name, text in ((f"{H}.toml", f"{H} = ["), (f"{H}.json", H), (H, "")):
        assert_plain(run(command, rows, "--mapping", write(place / name, text), *more, cwd=place))


@pytest.mark.parametrize("is_json", [False, True])
def test_an_import_tells_answers_as_text(place: Path, rude: RawServer, is_json: bool) -> None:
    """What the server says, the file of rejected rows and the checkpoint, for people and programs."""
    path = write(place / "a.jsonl", lines(event(), event(insert_id="b")))
    extra = ["--json"] if is_json else []
    done = run(
        *["import", path, "--server-url", rude.url, "--api-key", KEY, "--user-rate", "0"],
        *["--rejected", str(place / f"{H}.rejected"), "--checkpoint", str(place / f"{H}.checkpoint"), *extra],
        cwd=place,
    )
    assert_plain(done)
    assert done.returncode == 1


ARGUMENTS = {
    "command": [H],
    "option": ["validate", f"--{H}"],
    "no such file": ["validate", H],
    "no such pattern": ["validate", f"{H}*.jsonl"],
    "import, no such file": ["import", H, "--dry-run"],
    "format": ["import", "--format", H, "x"],
    "field": ["import", "--field", H, "x", "--dry-run"],
    "constant": ["import", "--constant", H, "x", "--dry-run"],
    "columns": ["import", "--columns", H, "x", "--dry-run"],
    "server url": ["send", "-t", "A", "--server-url", H],
    "server host": ["send", "-t", "A", "-u", "user-1", "--server-url", f"http://{H}/"],
    "proxy": ["send", "-t", "A", "--proxy", H],
    "ca bundle": ["send", "-t", "A", "--ca-bundle", H],
    "zone": ["send", "-t", "A", "--zone", H],
    "key": ["send", "-t", "A", "-u", "user-1", "--api-key", H],
    "event": ["send", H],
    "event's JSON": ["send", f'{{"event_type": {H}}}'],
    "list": ["send", json.dumps([H])],
    "property": ["send", "-t", "A", "-p", H],
    "group": ["send", "-t", "A", "-g", H],
    "time": ["send", "-t", "A", "--time", H],
    "dry run": ["send", "-t", H, "-u", H, "-p", f"{H}={H}", "-g", f"{H}={H}", "--dry-run"],
    "dry run, JSON": ["send", json.dumps(BAD[1]), "--dry-run", "--json"],
    "dry run, refused": ["send", json.dumps(BAD[0]), "--dry-run"],
    "timeout": ["send", "-t", "A", "--timeout", H],
    "spool ls": ["spool", "ls", H],
    "spool cat": ["spool", "cat", H],
    "spool drain": ["spool", "drain", H, "--local"],
    "spool verify": ["spool", "verify", H],
    "spool, command": ["spool", H],
    "replay": ["replay", H, "--dry-run"],
    "replay --set": ["replay", H, "--set", H, "--dry-run"],
    "tail --url": ["tail", "--url", H],
    "tail, nobody": ["tail", "--url", f"http://127.0.0.1:9/{H}"],
    "tail --outcome": ["tail", "--outcome", H],
    "serve --faults": ["serve", "--port", "0", "--faults", H],
    "serve --host": ["serve", "--port", "0", "--host", H],
    "serve --data": ["serve", "--port", "0", "--data", f"{H}/{H}"],
    "doctor": ["doctor", "--offline", "--storage", f"{H}/{H}", "--dead-letters", f"{H}/{H}"],
    "doctor --json": ["doctor", "--offline", "--storage", f"{H}/{H}", "--json"],
    "doctor, host": ["doctor", "--server-url", f"http://{H}/", "--timeout", "1"],
    "completion": ["completion", H],
    "demo": ["demo", f"--{H}"],
}


@pytest.mark.parametrize("case", ARGUMENTS)
def test_arguments_are_repeated_as_text(place: Path, case: str) -> None:
    """An error that quotes what was written on the command line quotes it escaped."""
    assert_plain(run(*ARGUMENTS[case], cwd=place))


def test_names_of_files_need_not_be_text(place: Path) -> None:
    """A name that is no UTF-8 is told, and the commands go on with what it holds."""
    name = "\udc9b\udcff.jsonl"
    write(place / name, lines(event(), *BAD))
    for arguments in (["validate"], ["validate", "--json"], ["validate", "--all"]):
        assert_plain(run(*arguments, str(place), cwd=place), says="udc9b" if "--json" in arguments else "")
    for arguments in (["import", "--dry-run"], ["import", "--dry-run", "--json"]):
        assert_plain(run(*arguments, str(place), cwd=place), says="udc9b")


@pytest.mark.parametrize("arguments", [[], ["--json"]], ids=str)
def test_send_tells_answers_as_text(rude: RawServer, arguments: list[str]) -> None:
    """What the server says of an event, for people and programs."""
    done = run("send", json.dumps(event()), "--server-url", rude.url, "--api-key", KEY, *arguments)
    assert_plain(done)
    assert done.returncode == 1


def test_doctor_tells_answers_as_text(place: Path) -> None:
    """Redirects, headers and bodies of whoever answers; the names of files on this machine."""
    storage, letters = place / "spool", place / f"{H}.jsonl"
    leave(storage, 2, more=event())
    write(letters, lines(event()))
    answer = answering(
        "302 Found", H.encode(), f"Location: http://h/{H.encode().decode('latin-1')[:9]}", "Date: \x9b"
    )
    for more in ([], ["--json"], ["--send", "--api-key", KEY]):
        with RawServer(answer) as server:
            options = ["--server-url", server.url, "--timeout", "5"]
            done = run("doctor", *options, "--storage", str(storage), "--dead-letters", str(letters), *more)
        assert_plain(done)


@pytest.mark.parametrize(
    "arguments",
    [
        ["ls"],
        ["ls", "--json"],
        ["verify"],
        ["verify", "--json"],
        ["cat"],
        ["cat", "--with-state"],
        ["cat", "--segment", H],
    ],
    ids=ascii,
)
def test_a_spool_is_shown_as_text(place: Path, arguments: list[str]) -> None:
    """The directory's name, and events, damage and all; what is printed of an event is the same event."""
    given = event()
    leave(place, 2, more=given)
    done = run("spool", *arguments, str(place))
    assert_plain(done)
    if arguments == ["cat"]:
        found = json.loads(done.stdout.splitlines()[0])
        assert found["event_properties"] == given["event_properties"]
    for segment in place.glob("*.seg*"):
        content = bytearray(segment.read_bytes())
        at = content.find(b"event_type")
        content[at : at + 9] = b"\x9b\x1b[31m\x7f\r\n"
        segment.write_bytes(content)
    assert_plain(run("spool", *arguments, str(place)))


def test_what_a_crafted_spool_holds_is_printed_escaped(tmp_path: Path) -> None:
    """A body that never was JSON does not act on the terminal, either."""
    from antinode._spool import Spool

    spool = Spool(tmp_path, max_bytes=1 << 30)
    spool.open()
    for body in (H.encode(), b"\x9b1m\xff\x1b[2J", b'{"a":"\x1b[2J"}', b'{"a":\r1,\t"b":"\x7f"}'):
        spool.append(body, 0.0, direct=True)
    spool.renew_after_fork()
    done = run("spool", "cat", str(tmp_path))
    assert_plain(Ended(0, done.stdout.replace("\t", ""), done.stderr))
    assert json.loads(done.stdout.splitlines()[-1]) == {"a": 1, "b": "\x7f"}


@pytest.mark.parametrize("arguments", [[], ["--json"]], ids=str)
def test_draining_tells_answers_as_text(place: Path, rude: RawServer, arguments: list[str]) -> None:
    """What the server says of a spool's events, and the names of what is written."""
    leave(place, 2, more=event())
    done = run(
        *["spool", "drain", str(place), "--server-url", rude.url, "--api-key", KEY, "--timeout", "20"],
        *["--dead-letters", str(place / f"{H}.jsonl"), *arguments],
    )
    assert_plain(done)


@pytest.mark.parametrize("arguments", [["--dry-run"], [], ["--json"]], ids=str)
def test_a_replay_tells_letters_as_text(place: Path, rude: RawServer, arguments: list[str]) -> None:
    """Dead letters and their reasons, broken lines, the server's answers, and the names of files."""
    letters = [
        encode(Outcome("rejected", Status.INVALID, H, 400, f"said {H}"), orjson.dumps(each))
        for each in (event(), *BAD)
    ]
    path = write(place / f"{H}.jsonl", b"".join(letters) + H.encode() + b"\n[" + H.encode() + b"\n")
    done = run("replay", path, "--server-url", rude.url, "--api-key", KEY, "--timeout", "20", *arguments)
    assert_plain(done)
    if arguments == ["--dry-run"]:
        assert [json.loads(line)["event_type"] for line in done.stdout.splitlines()][:1] == [f"Type {H}"]


@pytest.mark.parametrize("arguments", [[], ["--json"], ["--problems"]], ids=str)
def test_tail_shows_events_as_text(arguments: list[str]) -> None:
    """What clients sent, and why it was refused, for people and programs."""
    with running() as amplitude:
        post(amplitude.server_url)
        done = run("tail", "--url", amplitude.url, "--no-follow", *arguments)
    assert_plain(done)
    if arguments == ["--json"]:
        assert event() in [json.loads(line)["event"] for line in done.stdout.splitlines()]


@pytest.mark.parametrize("status", ["200 OK", "500 Oh"])
def test_tail_tells_of_strangers_as_text(status: str) -> None:
    """Who answers in place of a local Amplitude is quoted escaped."""
    body = json.dumps({"error": H}, ensure_ascii=False).encode()

    def handle(peer: Peer) -> None:
        peer.read_head()
        peer.send(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)

    with RawServer(handle) as server:
        assert_plain(run("tail", "--url", server.url, "--no-follow"), says="what is there")


def post(url: str) -> None:
    with urllib3.PoolManager() as pool:
        agent = {"User-Agent": "shop \x9b1m \x80"}
        for each in (event(), *BAD):
            body = orjson.dumps({"api_key": KEY, "events": [each]})
            pool.request("POST", url, body=body, headers={"Content-Type": "application/json"} | agent)
        library = event(library=f"lib {H}/1")
        pool.request("POST", url, body=orjson.dumps({"api_key": KEY, "events": [library]}), headers=agent)
        pool.request("POST", f"{url}/%9b%1b%7f", body=H.encode(), headers=agent)


@pytest.mark.parametrize("arguments", [[], ["--json"]], ids=str)
def test_serve_shows_uploads_as_text(place: Path, arguments: list[str]) -> None:
    """Paths, libraries, events and what is wrong with them, and the file that keeps them."""
    with Serving("--data", str(place / f"{H}.db"), *arguments) as serving:
        post(f"{serving.url}/2/httpapi")
        code, rest, errors = serving.stop()
    assert_plain(Ended(code, "".join(serving.lines) + rest, errors), says="\\u009b1m")


def test_nothing_acts_on_a_real_terminal(place: Path) -> None:
    """With colours and a width to wrap at, the only controls are the command's own."""
    path = write(place / "a.jsonl", lines(event(), *BAD))
    for arguments in (["validate", "--all", path], ["import", "--dry-run", path], ["spool", "ls", H], [H]):
        with Screen(*arguments) as screen:
            screen.end()
            assert "owned\x07" not in screen.raw
            assert "\x1b]" not in screen.raw
            assert hidden(screen.text.replace("\r", "")) == []
            assert "\r\x08" not in screen.raw
