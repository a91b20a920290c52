"""`antinode replay`, as a person and as a script meet it: real processes, real files, real uploads."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antinode import Outcome, Status
from antinode._deadletters import decode, encode
from antinode.cli.replay.mending import Mending
from antinode.cli.replay.reading import Choice, DeadLetterFiles, ReadableLine
from antinode.server import running
from antinode.server.rules import Rules
from antinode.testing import Endpoint, faults
from tests.cli.nursery import Ended, run
from tests.cli.reading import COMMAND, environment, words
from tests.lifecycle.driver import KEY, sequence
from tests.lifecycle.driver import run as run_program

if sys.platform == "win32":
    pytest.skip("signals and modes as POSIX has them", allow_module_level=True)

BAD_DEVICE = "device-bad"
NOBODY = "http://127.0.0.1:9/2/httpapi"


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as running_endpoint:
        yield running_endpoint


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "dead.jsonl"


def tick(seq: int, **more: Any) -> dict[str, Any]:
    event = {"event_type": "Tick", "user_id": "user-1", "event_properties": {"seq": seq}}
    return event | {"time": 1_700_000_000_000 + seq, "insert_id": f"tick-{seq}"} | more


def letter(event: dict[str, Any] | None, kind: str = "dropped", reason: str = "shutdown") -> bytes:
    body = b"" if event is None else json.dumps(event).encode()
    return encode(Outcome(kind, Status.FAILED, reason, 0, f"it was {reason}"), body)


def write(path: Path, *lines: bytes) -> bytes:
    """The content of the file that they make."""
    path.write_bytes(b"".join(lines))
    return path.read_bytes()


def replay(*files: Path | str, url: str = NOBODY, **more: str) -> Ended:
    arguments = [str(each) for each in files]
    return run("replay", *arguments, "--server-url", url, **({"AMPLITUDE_API_KEY": KEY} | more))


def kept(path: Path) -> list[Any]:
    return [decode(line) for line in path.read_bytes().splitlines()]


def editor(tmp_path: Path, program: str) -> str:
    """An editor that is a Python program; the text is in `text`, and so is what becomes of it."""
    script = tmp_path / "editor.py"
    script.write_text(
        "import pathlib, sys\n"
        "file = pathlib.Path(sys.argv[-1])\n"
        f"seen = pathlib.Path({str(tmp_path / 'seen')!r})\n"
        "text = file.read_text()\nseen.write_text(f'{file}\\n{file.stat().st_mode:o}\\n{text}')\n"
        f"{program}\nfile.write_text(text)\n"
    )
    return f"{sys.executable} {script}"


def test_dead_letters_are_delivered(path: Path, endpoint: Endpoint) -> None:
    """All of them, in order, with the insert_id and time they had. The file stays as it was."""
    before = write(path, *(letter(tick(seq)) for seq in range(500)))
    done = replay(path, url=endpoint.url)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Delivered 500 events in ")
    assert [{**event, "library": None} for event in endpoint.events] == [
        tick(seq) | {"library": None} for seq in range(500)
    ]
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]
    assert KEY not in done.stdout


def test_for_machines(path: Path, endpoint: Endpoint) -> None:
    """--json prints one object: what was delivered, and what was not, with its reasons and its file."""
    write(path, letter(tick(1)), letter(tick(2, user_id="abc")), b"broken\n")
    done = replay(path, "--json", url=endpoint.url)
    facts = json.loads(done.stdout)
    assert (done.returncode, facts["delivered"]) == (1, 1)
    assert [(each["outcome"], each["count"]) for each in facts["failed"]] == [("rejected", 1)]
    assert len(kept(Path(facts["failed_file"]))) == 1
    assert len(facts["unreadable"]) == 1


def test_the_way_from_a_client_and_back(path: Path, endpoint: Endpoint) -> None:
    """What an application could not deliver is delivered by the command, as the application logged it."""
    ended = run_program(
        f"""
        import antinode, json
        client = antinode.init(KEY, server_url=URL, dead_letters={str(path)!r})
        for seq in range(50):
            say(client.log_event(event(seq)).event()["insert_id"])
        client.shutdown(0)
        """
    )
    assert replay(path, url=endpoint.url).returncode == 0
    assert [event["insert_id"] for event in endpoint.events] == ended.lines
    assert replay(path, url=endpoint.url).returncode == 0
    assert {duplicate.insert_id for duplicate in endpoint.duplicates()} == set(ended.lines)


def test_what_fails_again_is_kept_anew(path: Path, endpoint: Endpoint) -> None:
    """In a file beside it, with the new reason; nothing else is in there, and the exit code is 1."""
    endpoint.answer = faults.silence([BAD_DEVICE])
    before = write(
        path, *(letter(tick(seq, **{"device_id": BAD_DEVICE} if seq in (3, 4) else {})) for seq in range(10))
    )
    done = replay(path, url=endpoint.url)
    failed = Path(f"{path}.failed-1")
    assert done.returncode == 1
    assert "Delivered 8 of 10 events" in done.stdout
    assert "Rejected 2 (refused): the server silences" in done.stdout
    assert f"2 events not delivered: in {failed}" in done.stdout
    assert [each.event["event_properties"]["seq"] for each in kept(failed)] == [3, 4]
    assert {(each.outcome, each.code) for each in kept(failed)} == {("rejected", 400)}
    assert stat.S_IMODE(failed.stat().st_mode) == 0o600
    assert path.read_bytes() == before
    endpoint.answer = None
    assert replay(failed, url=endpoint.url).returncode == 0
    assert sorted(sequence(endpoint.events)) == list(range(10))


def test_each_failure_has_a_file_of_its_own(path: Path) -> None:
    """The number goes up, for a file that is such a one itself, too; --failed names one to add to."""
    write(path, letter(tick(1, user_id=None)))
    for number in (1, 2):
        assert f"dead.jsonl.failed-{number}" in replay(path).stdout
    assert "dead.jsonl.failed-3" in replay(f"{path}.failed-1").stdout
    elsewhere = path.with_name("elsewhere")
    write(elsewhere, letter(tick(0)))
    assert replay(path, "--failed", str(elsewhere)).returncode == 1
    assert len(kept(elsewhere)) == 2
    done = replay(path, "--failed", str(path))
    assert (done.returncode, len(kept(path))) == (2, 1)


def test_events_refused_where_they_were_logged_are_mended(path: Path, endpoint: Endpoint) -> None:
    """--set gives what was missing; their time is when they were buried, and a second replay counts once."""
    write(path, *(letter({"event_type": "Tick"}, "rejected", "invalid_event") for _ in range(3)))
    buried = kept(path)[0].buried_at
    assert replay(path, url=endpoint.url).returncode == 1
    for _ in range(2):
        assert replay(path, "--set", "user_id=12345", url=endpoint.url).returncode == 0
    first = endpoint.events[:3]
    assert {event["user_id"] for event in first} == {"12345"}
    assert first[0]["time"] == int(buried.timestamp() * 1000)
    assert len({event["insert_id"] for event in first}) == 3, "equal events are not one"
    assert len(endpoint.duplicates()) == 3, "the same line twice is"


def test_chosen_letters(path: Path, endpoint: Endpoint) -> None:
    """--reason and --outcome choose; the others are counted and stay where they are."""
    write(path, letter(tick(1)), letter(tick(2), "rejected", "refused"), letter(tick(3), reason="expired"))
    done = replay(path, "--outcome", "dropped", "--reason", "expired", url=endpoint.url)
    assert done.returncode == 0
    assert sequence(endpoint.events) == [3]
    assert "2 lines not chosen." in done.stderr
    assert "nothing to send" in replay(path, "--reason", "other", url=endpoint.url).stdout


def test_files_that_were_set_aside(path: Path, endpoint: Endpoint) -> None:
    """--all reads them too, the oldest first; a file that is named twice is read once."""
    for number, name in enumerate([f"{path}.2", f"{path}.1", str(path)]):
        write(Path(name), letter(tick(2 * number)), letter(tick(2 * number + 1)))
    assert "2 older files not read: --all" in replay(path, "--dry-run").stderr
    assert replay(path, f"{path}.1", "--all", url=endpoint.url).returncode == 0
    assert sequence(endpoint.events) == list(range(6))


def test_events_alone_are_taken(path: Path, endpoint: Endpoint) -> None:
    """A file of events as JSON lines is replayed as it is; blank lines are nothing."""
    write(path, json.dumps(tick(1)).encode(), b"\n\n", json.dumps(tick(2)).encode())
    assert replay(path, url=endpoint.url).returncode == 0
    assert sequence(endpoint.events) == [1, 2]


def test_lines_that_cannot_be_read(path: Path, endpoint: Endpoint) -> None:
    """They are named and left; the others are sent; the exit code is 1. So for a letter without an event."""
    write(path, letter(tick(1)), b'{"buried_at":"2026-\n', letter(None), letter(tick(2)))
    done = replay(path, url=endpoint.url)
    assert done.returncode == 1
    assert sequence(endpoint.events) == [1, 2]
    assert f"{path}:2: this is not JSON" in done.stderr
    assert "1 line could not be read" in done.stderr
    assert "1 letter without an event" in done.stderr


def test_a_line_without_end_is_passed_over(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more of it is held than the longest letter; it is named, and the lines behind it are read."""
    monkeypatch.setattr("antinode.cli.replay.reading.MAX_LINE", 1000)
    monkeypatch.setattr("antinode.cli.replay.reading._PIECE", 100)
    write(path, letter(tick(1)), b"x" * 5000 + b"\n", letter(tick(2)), b"x" * 1001)
    source = DeadLetterFiles(Choice())
    source.open([str(path)], with_set_aside=False)
    assert [entry.number for entry in source.entries()] == [1, 3]
    assert [problem.partition(": ")[0] for problem in source.problems] == [f"{path}:2", f"{path}:4"]
    source.close()


def test_of_many_lines_that_cannot_be_read_the_first_are_kept(path: Path) -> None:
    """The rest is counted."""
    write(path, b"x\n" * 1000)
    source = DeadLetterFiles(Choice())
    source.open([str(path)], with_set_aside=False)
    assert list(source.entries()) == []
    assert source.unreadable == source.skipped == 1000
    assert len(source.problems) == 100
    source.close()


def test_dry_run(path: Path) -> None:
    """Events that would be sent are on standard output, what is wrong with others on standard error."""
    write(path, letter(tick(1)), letter(tick(2, user_id="anonymous")), letter(tick(3, user_id=47110)))
    done = replay(path, "--dry-run", AMPLITUDE_API_KEY="")
    assert done.returncode == 1
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["insert_id"] for line in lines] == ["tick-1", "tick-3"]
    assert f"{path}:2: would be refused: " in done.stderr
    assert "2 events would be sent, 1 would be refused; this was a dry run." in done.stderr
    assert os.listdir(path.parent) == [path.name]


def test_edit(path: Path, tmp_path: Path, endpoint: Endpoint) -> None:
    """The editor shows each event below its reason; what is saved is sent, and the copy is gone."""
    before = write(
        path,
        letter(tick(1, user_id="anonymous"), "rejected", "invalid_event"),
        letter(tick(2), "rejected", "refused"),
        letter({"event_type": "Tick"}, "rejected", "invalid_event"),
    )
    edit = editor(
        tmp_path,
        'text = text.replace(\'"anonymous"\', \'"user-1"\').replace(\'"event_type": "Tick",\\n  "time"\','
        ' \'"event_type": "Tick", "device_id": "d-12345",\\n  "time"\')',
    )
    done = replay(path, "--edit", url=endpoint.url, VISUAL=edit)
    assert (done.returncode, done.stderr) == (0, "")
    copy, mode, seen = (tmp_path / "seen").read_text().split("\n", 2)
    assert f"# {path}:1: rejected (invalid_event): it was invalid_event\n{{\n" in seen
    assert seen.startswith("# 3 events.")
    assert mode == "100600"
    assert not Path(copy).exists()
    assert [event.get("user_id") for event in endpoint.events] == ["user-1", "user-1", None]
    assert endpoint.events[2]["insert_id"].startswith("replay-")
    assert path.read_bytes() == before


def test_edit_that_cannot_be_read(path: Path, tmp_path: Path) -> None:
    """Nothing is sent; the line is named, and what was written is kept."""
    write(path, letter(tick(1)))
    edit = editor(tmp_path, "text = text.replace('}', ']')")
    done = replay(path, "--edit", VISUAL=edit, TMPDIR=str(tmp_path))
    assert done.returncode == 1
    assert "this is not JSON" in done.stderr
    assert "nothing was sent; what you have written is in" in words(done.stderr)
    (copy,) = tmp_path.glob("antinode-replay-*")
    assert '"tick-1"' in copy.read_text()


def test_edit_that_takes_everything_out(path: Path, tmp_path: Path) -> None:
    """Without an event nothing is sent, which is no failure."""
    write(path, letter(tick(1)))
    done = replay(path, "--edit", VISUAL=editor(tmp_path, "text = '# not now'"))
    assert (done.returncode, done.stdout) == (0, "There was nothing to send.\n")
    assert "1 line not chosen" in done.stderr
    assert not list(path.parent.glob("*.failed-*"))


def test_a_wrong_key_sends_nothing(path: Path) -> None:
    """It is said loudly, and everything is in the file of what failed."""
    write(path, *(letter(tick(seq)) for seq in range(5000)))
    with running(rules=Rules(api_keys=("f" * 32,))) as amplitude:
        done = replay(path, url=amplitude.server_url)
    assert done.returncode == 1
    assert "Invalid API key" in done.stderr
    assert "5,000 events not delivered" in done.stdout
    failed = kept(Path(f"{path}.failed-1"))
    assert sorted(each.event["event_properties"]["seq"] for each in failed) == list(range(5000))
    assert KEY not in done.stdout + done.stderr


def test_an_outage_ends_with_the_timeout(path: Path) -> None:
    """What could not be sent is in the file of what failed, as not sent."""
    write(path, *(letter(tick(seq)) for seq in range(30_000)))
    done = replay(path, "--timeout", "1")
    assert done.returncode == 1
    assert "Dropped 30,000 (not_sent)" in done.stdout
    assert len(kept(Path(f"{path}.failed-1"))) == 30_000


def test_ctrl_c_loses_nothing(path: Path, endpoint: Endpoint) -> None:
    """Each event was delivered or is in the file of what failed; exit code 130, no traceback."""
    write(path, *(letter(tick(seq)) for seq in range(30_000)))
    endpoint.answer = faults.after(2, faults.hang())
    process = subprocess.Popen(
        [*COMMAND, "replay", str(path), "--server-url", endpoint.url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(AMPLITUDE_API_KEY=KEY),
    )
    endpoint.wait_for_requests(3, timeout=120)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert "not delivered" in out
    failed = [each.event["event_properties"]["seq"] for each in kept(Path(f"{path}.failed-1"))]
    assert sorted(failed + sequence(endpoint.events)) == list(range(30_000))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--set", "user_id"], "is not FIELD=VALUE"),
        (["--outcome", "delivered"], "'delivered'"),
        (["--zone", "US"], "both say where to send"),
        (["--server-url", "nonsense"], "is not an http(s) URL"),
    ],
)
def test_wrong_usage(path: Path, arguments: list[str], told: str) -> None:
    """What cannot be understood is named; exit code 2, nothing on standard output, no file left behind."""
    write(path, letter(tick(1)))
    done = replay(path, *arguments) if "--server-url" not in arguments else replay(path, url=arguments[1])
    assert (done.returncode, done.stdout) == (2, "")
    assert told in words(done.stderr)
    assert os.listdir(path.parent) == [path.name]


def test_a_missing_file_and_a_missing_key(path: Path) -> None:
    """Both exit 2, with what to do."""
    assert "does not exist" in words(replay(path).stderr)
    write(path, letter(tick(1)))
    done = replay(path, url="http://amplitude.example", AMPLITUDE_API_KEY="")
    assert (done.returncode, "AMPLITUDE_API_KEY" in done.stderr) == (2, True)


def test_a_place_for_what_fails_is_needed(path: Path) -> None:
    """Where that file cannot be made, nothing is sent."""
    write(path, letter(tick(1)))
    done = replay(path, "--failed", str(path / "nowhere"))
    assert done.returncode == 1
    assert "name another one with --failed" in words(done.stderr)


names = st.sampled_from(["user_id", "time", "event_properties", "event_properties.a.b", "other"])


@given(drops=st.lists(names, max_size=3), value=st.integers() | st.text(max_size=5) | st.none())
def test_mending_leaves_what_it_is_not_told(drops: list[str], value: Any) -> None:
    """A letter's own event never changes; the result has time and insert_id, and lacks what was dropped."""
    given = tick(1, other=value, event_properties={"a.b": value, "c": 1})
    line = letter(given)
    entry = ReadableLine("f:1", line, 1, decode(line))
    item = Mending.read((), drops).mend(entry)
    assert entry.letter.event == given
    assert item.event["insert_id"] == "tick-1"
    assert item.event["time"]
    for drop in drops:
        field, _, key = drop.partition(".")
        assert (key not in item.event.get(field, {})) if key else (field == "time" or field not in item.event)


def test_values_to_set() -> None:
    """JSON where it is JSON, else text; ids stay text; a property's name may have dots."""
    sets = [
        "user_id=12345",
        "time=5",
        "event_properties.a.b=[1]",
        "event_properties.s=x",
        "other=",
        "groups=3",
    ]
    line = letter(tick(1))
    event = Mending.read(sets, ()).mend(ReadableLine("f:1", line, 1, decode(line))).event
    assert event["user_id"] == "12345"
    assert event["time"] == 5
    assert event["event_properties"] == {"seq": 1, "a.b": [1], "s": "x"}
    assert (event["other"], event["groups"]) == ("", 3)


def test_a_fifo_is_not_waited_for(path: Path) -> None:
    """One that nobody writes to is told at once."""
    os.mkfifo(path)
    done = run("replay", str(path), "--server-url", NOBODY, AMPLITUDE_API_KEY=KEY)
    assert done.returncode == 1
    assert "cannot be read: it is not a regular file" in words(done.stderr)
