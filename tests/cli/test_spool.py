"""`antinode spool`, as a person and as a script meet it: real processes, real directories, real uploads."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from antinode._factory import fingerprint
from antinode._spool import Spool
from antinode._spool.format import HEADER_BLOCK, decode_header, encode_header, segment_name
from antinode._spool.inspection import inspect
from antinode.server import running
from antinode.server.rules import Rules
from antinode.testing import Endpoint, faults
from tests.cli.nursery import Ended, run
from tests.cli.reading import COMMAND, environment, words
from tests.lifecycle.driver import KEY, sequence, start
from tests.lifecycle.driver import run as run_program

if sys.platform == "win32":
    pytest.skip("signals and terminals as POSIX has them", allow_module_level=True)

OTHER_KEY = "fedcba9876543210fedcba9876543210"
BAD_DEVICE = "device-bad"


def leave(
    directory: Path,
    count: int,
    *,
    first: int = 0,
    key: str = KEY,
    user: str = "user-1",
    more: dict[str, Any] | None = None,
    **options: Any,
) -> None:
    """What a process leaves that has logged events and died."""
    spool = Spool(directory, **{"max_bytes": 1 << 30, "fingerprint": fingerprint(key), **options})
    spool.open()
    for seq in range(first, first + count):
        event = {"event_type": "Tick", "user_id": user, "event_properties": {"seq": seq}, **(more or {})}
        event |= {"time": 1_700_000_000_000 + seq, "insert_id": f"{user}-{seq}"}
        spool.append(orjson.dumps(event), time.monotonic(), direct=True)
    spool.renew_after_fork()  # lets go of everything, as a death does


@contextlib.contextmanager
def writing(directory: Path, count: int, *, user: str = "user-1") -> Iterator[subprocess.Popen[str]]:
    """A process that has logged events and lives, until the block ends or it is killed."""
    process = start(
        f"""
        import antinode
        client = antinode.init(KEY, server_url=URL, storage={str(directory)!r})
        for seq in range({count}):
            client.log_event(event(seq, {user!r}))
        say("ready")
        sys.stdin.read()
        """
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "spool"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as running_endpoint:
        yield running_endpoint


def spool(command: str, directory: Path, *arguments: str, **more: str) -> Ended:
    return run("spool", command, str(directory), *arguments, **({"AMPLITUDE_API_KEY": KEY} | more))


def drain(directory: Path, url: str, *arguments: str, **more: str) -> Ended:
    return spool("drain", directory, "--server-url", url, *arguments, **more)


def starting_drain(directory: Path, url: str, **more: Any) -> subprocess.Popen[str]:
    command = [*COMMAND, "spool", "drain", str(directory), "--server-url", url]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=environment(AMPLITUDE_API_KEY=KEY), **(streams | more))


def json_lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def pending(directory: Path) -> int:
    return sum(segment.pending for segment in inspect.survey(str(directory)))


def damage(segment: Path) -> None:
    """Flip a bit in a record in the middle."""
    with segment.open("r+b") as file:
        content = file.read()
        at = content.index(b'"seq":5')
        file.seek(at)
        file.write(bytes([content[at] ^ 1]))


def segments(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.seg"))


# ls, cat and verify.


def test_a_living_writer_is_looked_at_and_lives_on(directory: Path) -> None:
    """ls, cat and verify change nothing and keep nobody from anything; after kill -9 they tell the same."""
    with writing(directory, 100) as writer:
        listed = json_lines(spool("ls", directory, "--json").stdout)
        assert [line["type"] for line in listed] == ["segment", "total"]
        assert (listed[0]["pid"], listed[0]["is_alive"], listed[0]["pending"]) == (writer.pid, True, 100)
        assert listed[1]["left"] == 0
        assert len(spool("cat", directory).stdout.splitlines()) == 100
        assert spool("verify", directory).returncode == 0
        assert f"{writer.pid}  in use" in spool("ls", directory).stdout
        writer.kill()
        writer.wait()
        assert f"{writer.pid}  left" in spool("ls", directory).stdout
        assert len(spool("cat", directory).stdout.splitlines()) == 100
        assert spool("verify", directory).stdout == "1 segment, no damage.\n"


def test_a_writer_in_the_middle_of_it(directory: Path) -> None:
    """Looked at while records are being written, everything seen is whole and in order."""
    program = f"""
        import antinode
        client = antinode.init(KEY, server_url=URL, storage={str(directory)!r})
        say("ready")
        for seq in range(60_000):
            client.log_event(event(seq))
        """
    writer = start(program)
    try:
        assert writer.stdout is not None
        writer.stdout.readline()
        for _ in range(2):
            seen = sequence(json_lines(spool("cat", directory).stdout))
            assert seen == list(range(len(seen)))
            assert spool("verify", directory).returncode == 0
    finally:
        writer.kill()
        writer.communicate()


def test_the_table(directory: Path) -> None:
    """Each segment is a line with its process, state, events, age and size; the last line sums up."""
    leave(directory, 10)
    leave(directory, 5, key=OTHER_KEY)
    done = spool("ls", directory)
    assert (done.returncode, done.stderr) == (0, "")
    head, first, second, _, total = done.stdout.splitlines()
    assert head.split() == ["SEGMENT", "PROCESS", "STATE", "KEY", "EVENTS", "PENDING", "OLDEST", "SIZE"]
    assert first.split()[0] == segments(directory)[0].name
    assert [first.split()[at] for at in (2, 4, 5)] == ["left", "10", "10"]
    assert second.split()[3] != first.split()[3]
    assert total.startswith("2 segments, 524.3 kB; 15 events pending, none in use, the oldest from ")
    assert KEY not in done.stdout
    assert "\x1b" not in done.stdout


def test_a_narrow_terminal_has_every_line_on_one(directory: Path) -> None:
    """Names are cut at their beginning, so that what tells them apart is there."""
    leave(directory, 10)
    done = spool("ls", directory, FORCE_COLOR="1", COLUMNS="80")
    assert f"…{segments(directory)[0].name[-21:]}" in done.stdout
    assert max(map(len, re.sub(r"\x1b\[[\d;]*m", "", done.stdout).splitlines())) <= 80


def test_a_table_of_very_many_is_cut(directory: Path) -> None:
    """The oldest are listed, and the sums are those of all; JSON lines have each."""
    leave(directory, 1)
    (segment,) = directory.glob("*.seg")
    content = bytearray(segment.read_bytes())
    header = decode_header(bytes(content[:HEADER_BLOCK]))
    for number in range(2, 512):
        block = encode_header(header._replace(number=number))
        content[:HEADER_BLOCK] = content[-HEADER_BLOCK:] = block
        (directory / segment_name(header.owner, number)).write_bytes(content)
    ended = spool("ls", directory)
    assert "… and 11 younger segments; `--json` lists all." in ended.stdout
    assert "511 segments" in ended.stdout
    assert len(spool("ls", directory, "--json").stdout.splitlines()) == 512


def test_very_many_findings_are_cut(directory: Path) -> None:
    """The first are told, and how many there are; JSON lines have each."""
    for number in range(510):
        (directory / f"stranger-{number:03}").touch()
    ended = spool("verify", directory)
    assert ended.returncode == 1
    assert "… and 10 more findings; `--json` lists all." in ended.stdout
    assert "510 findings" in ended.stdout
    assert len(spool("verify", directory, "--json").stdout.splitlines()) == 511


def test_an_empty_directory(directory: Path) -> None:
    """There is nothing to list, to print, to check or to send, which is a success."""
    assert spool("ls", directory).stdout == f"No segments in {directory}.\n"
    assert spool("cat", directory).stdout == ""
    assert spool("verify", directory).stdout == "0 segments, no damage.\n"
    done = drain(directory, "http://127.0.0.1:9/")
    assert (done.returncode, words(done.stdout)) == (0, "Delivered 0 events. There was nothing to send.")
    assert list(directory.iterdir()) == []


@pytest.mark.parametrize("command", ["ls", "drain"])
def test_a_missing_directory_is_wrong_usage(tmp_path: Path, command: str) -> None:
    """It is named, and not made; a file in its place is named, too."""
    done = spool(command, tmp_path / "nowhere", COLUMNS="300")
    assert done.returncode == 2
    assert "does not exist" in words(done.stderr)
    assert "nowhere" in done.stderr
    assert not (tmp_path / "nowhere").exists()
    (tmp_path / "file").touch()
    assert "is a file" in words(spool(command, tmp_path / "file").stderr)


def test_cat_prints_what_goes_on_the_wire(directory: Path) -> None:
    """Pending events as they were encoded; with --all settled ones; with --with-state where and when."""
    leave(directory, 20)
    plain = spool("cat", directory).stdout
    assert sequence(json_lines(plain)) == list(range(20))
    assert all(event["insert_id"] and event["time"] for event in json_lines(plain))
    assert spool("cat", directory, "-n", "3").stdout == "".join(plain.splitlines(keepends=True)[:3])
    stated = json_lines(spool("cat", directory, "--with-state", "--all").stdout)
    assert [line["event"] for line in stated] == json_lines(plain)
    assert {line["state"] for line in stated} == {"pending"}
    assert [line["nth"] for line in stated] == list(range(20))
    assert stated[0]["segment"] == segments(directory)[0].name


def test_cat_of_one_segment(directory: Path) -> None:
    """--segment takes any part of a name."""
    leave(directory, 3)
    leave(directory, 4)
    first, second = segments(directory)
    assert len(spool("cat", directory, "--segment", first.name).stdout.splitlines()) == 3
    assert len(spool("cat", directory, "--segment", second.name[-21:-4]).stdout.splitlines()) == 4


def test_cat_into_a_reader_that_leaves(directory: Path) -> None:
    """`| head -1` gets its line, and nobody complains."""
    leave(directory, 3000)
    done = subprocess.run(
        ["/bin/sh", "-c", f"{sys.executable} -m antinode spool cat --with-state {directory} | head -1"],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )
    assert (len(done.stdout.splitlines()), done.stderr) == (1, "")


def test_damage_is_found_and_passed_over(directory: Path) -> None:
    """verify names place and loss and exits 1; ls counts it; cat prints the other events."""
    leave(directory, 20)
    damage(segments(directory)[0])
    done = spool("verify", directory)
    assert done.returncode == 1
    assert segments(directory)[0].name in done.stdout
    assert "1 pending event lost" in done.stdout
    assert "1 finding in 1 segment, at least 1 event lost." in done.stdout
    finding, total = json_lines(spool("verify", directory, "--json").stdout)
    assert (finding["type"], finding["problem"], finding["records"]) == ("finding", "unreadable", 1)
    assert (total["type"], total["findings"], total["missing"]) == ("total", 1, 1)
    assert "DAMAGE" in spool("ls", directory).stdout
    assert sequence(json_lines(spool("cat", directory).stdout)) == [*range(5), *range(6, 20)]


def test_a_segment_that_cannot_be_read(directory: Path) -> None:
    """ls says that there is more; cat prints the rest and exits 1; verify says why."""
    leave(directory, 3)
    leave(directory, 4)
    first = segments(directory)[0]
    first.write_bytes(bytes(first.stat().st_size))
    assert "1 more file cannot be read" in spool("ls", directory).stdout
    done = spool("cat", directory)
    assert (done.returncode, len(done.stdout.splitlines())) == (1, 4)
    assert f"{first.name} cannot be read" in done.stderr
    assert "no segment begins or ends here" in spool("verify", directory).stdout


def test_a_stranger_is_named(directory: Path) -> None:
    """verify exits 1 for a file that does not belong there."""
    (directory / "notes.txt").touch()
    done = spool("verify", directory)
    assert (done.returncode, done.stdout.splitlines()[0]) == (1, "notes.txt: does not belong to a spool")


# drain.


def test_drain_delivers_what_is_left(directory: Path) -> None:
    """All of it, whoever logged it; then the directory is empty and the exit code 0."""
    leave(directory, 3000)
    leave(directory, 500, first=3000)
    with running() as amplitude:
        done = drain(directory, amplitude.server_url)
        assert (done.returncode, done.stderr) == (0, "")
        assert "Delivered 3,500 events in " in done.stdout
        amplitude.api.wait(events=3500)
    assert list(directory.iterdir()) == []


def test_drain_for_machines(directory: Path, endpoint: Endpoint) -> None:
    """--json prints one object with all counts; the exit code is the same."""
    leave(directory, 20)
    leave(directory, 3, key=OTHER_KEY)
    done = drain(directory, endpoint.url, "--json")
    facts = json.loads(done.stdout)
    assert (done.returncode, done.stdout.count("\n")) == (1, 1)
    assert (facts["delivered"], facts["other_key"], facts["left"], facts["complete"]) == (20, 3, 0, False)


def test_drain_keeps_the_order(directory: Path, endpoint: Endpoint) -> None:
    """Of each user, over all processes that have logged."""
    for number in range(3):
        leave(directory, 400, first=400 * number, user=f"user-{number % 2}")
    before = json_lines(spool("cat", directory).stdout)
    assert drain(directory, endpoint.url).returncode == 0
    assert endpoint.out_of_order() == []
    for user in ("user-0", "user-1"):
        assert sequence(endpoint.events, user) == sequence(before, user)
    assert {event["insert_id"] for event in endpoint.events} == {event["insert_id"] for event in before}


def test_drain_killed_and_run_again(directory: Path, endpoint: Endpoint) -> None:
    """kill -9 in the middle costs nothing: the next one delivers the rest, in order."""
    leave(directory, 30_000)
    reached: list[int] = []

    def kill_in_the_middle(arrival: Any) -> None:
        if len(reached) < 3:
            reached.append(len(endpoint.requests))
            if len(reached) == 3:
                process.kill()

    endpoint.answer = kill_in_the_middle
    process = starting_drain(directory, endpoint.url)
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    assert 0 < pending(directory) <= 30_000
    assert drain(directory, endpoint.url).returncode == 0
    assert sequence(endpoint.events) == sorted(sequence(endpoint.events))
    assert set(sequence(endpoint.events)) == set(range(30_000))
    assert list(directory.iterdir()) == []


def test_two_drains_at_once(directory: Path, endpoint: Endpoint) -> None:
    """They share the work or one finds it taken; nothing comes twice, and nothing is left in the end."""
    for number in range(4):
        leave(directory, 1000, first=1000 * number)
    both = [starting_drain(directory, endpoint.url) for _ in range(2)]
    for process in both:
        _, errors = process.communicate(timeout=120)
        assert "Traceback" not in errors
        assert process.returncode in {0, 1}
    assert drain(directory, endpoint.url).returncode == 0
    assert sorted(sequence(endpoint.events)) == list(range(4000))
    assert endpoint.duplicates() == []


def test_what_is_in_use_is_left(directory: Path, endpoint: Endpoint) -> None:
    """A living process keeps its events; drain sends the others, says so, and exits 1."""
    with writing(directory, 20, user="user-2"):
        leave(directory, 10)
        done = drain(directory, endpoint.url)
        assert done.returncode == 1
        assert "Delivered 10 events" in done.stdout
        assert "Left 20 events in 1 segment in use: living processes hold them" in done.stdout
        assert pending(directory) == 20
    assert sequence(endpoint.events, "user-2") == []


def test_a_wrong_key_leaves_everything(directory: Path) -> None:
    """The server's refusal is said loudly, nothing is lost, and the right key delivers it later."""
    leave(directory, 100)
    with running(rules=Rules(api_keys=(OTHER_KEY,))) as amplitude:
        done = drain(directory, amplitude.server_url)
        assert done.returncode == 1
        assert "Invalid API key" in done.stderr
        assert "Left 100 events in 1 segment: the server takes nothing with this key" in done.stdout
        assert "Delivered 0 events." in done.stdout
        assert KEY not in done.stdout + done.stderr
        assert pending(directory) == 100
    with running() as amplitude:
        assert drain(directory, amplitude.server_url).returncode == 0
        assert pending(directory) == 0


def test_what_another_key_has_logged_is_left(directory: Path, endpoint: Endpoint) -> None:
    """It is said, with what to do; --any-key sends it to the project of the key that is given."""
    leave(directory, 10, key=OTHER_KEY)
    leave(directory, 5, first=10)
    done = drain(directory, endpoint.url)
    assert done.returncode == 1
    assert "Delivered 5 events" in done.stdout
    assert "Left 10 events in 1 segment that another API key has logged" in done.stdout
    assert "--any-key" in done.stdout
    done = drain(directory, endpoint.url, "--any-key")
    assert (done.returncode, sorted(sequence(endpoint.events))) == (0, list(range(15)))


def test_a_refused_key_takes_no_segment_from_its_owner(directory: Path) -> None:
    """After --any-key with a wrong key, what another key has logged still belongs to that one."""
    leave(directory, 10, key=OTHER_KEY)
    with running(rules=Rules(api_keys=(OTHER_KEY,))) as amplitude:
        assert drain(directory, amplitude.server_url, "--any-key").returncode == 1
        assert "another API key" in drain(directory, amplitude.server_url).stdout
        assert drain(directory, amplitude.server_url, AMPLITUDE_API_KEY=OTHER_KEY).returncode == 0


def test_rejected_events_are_told_and_kept(directory: Path, endpoint: Endpoint, tmp_path: Path) -> None:
    """With --dead-letters they are in the file; either way the reasons are counted and the exit code is 1."""
    leave(directory, 3, more={"device_id": BAD_DEVICE})
    leave(directory, 7, user="user-2")
    endpoint.answer = faults.silence([BAD_DEVICE])
    kept = tmp_path / "dead.jsonl"
    done = drain(directory, endpoint.url, "--dead-letters", str(kept))
    assert done.returncode == 1
    assert "Delivered 7 events" in done.stdout
    assert f"Rejected 3 events (refused: 3), kept in {kept}." in done.stdout
    assert sequence([line["event"] for line in json_lines(kept.read_text())]) == [0, 1, 2]
    assert list(directory.iterdir()) == []


def test_a_damaged_directory_is_drained(directory: Path, endpoint: Endpoint) -> None:
    """What can be read is delivered; what was set aside is said, and verify knows of it."""
    leave(directory, 20)
    damage(segments(directory)[0])
    done = drain(directory, endpoint.url)
    assert sequence(endpoint.events) == [*range(5), *range(6, 20)]
    assert "Set aside 1 damaged piece" in done.stdout
    assert "was set aside" in spool("verify", directory).stdout
    assert "1 damaged piece in damaged/" in spool("ls", directory).stdout


def test_events_of_any_age_are_sent(directory: Path, endpoint: Endpoint) -> None:
    """Whoever drains a spool wants its events to arrive, if they were logged a month ago."""
    leave(directory, 1, wall=lambda: time.time() - 30 * 86_400)
    assert "30 days" in spool("ls", directory).stdout
    assert drain(directory, endpoint.url).returncode == 0
    assert sequence(endpoint.events) == [0]


def test_an_outage_ends_with_the_timeout(directory: Path) -> None:
    """Nothing is lost; the exit code is 1, and what is wrong is said."""
    leave(directory, 10)
    done = drain(directory, "http://127.0.0.1:9/2/httpapi", "--timeout", "1.5")
    assert done.returncode == 1
    assert "Left 10 events in 1 segment: run it again." in done.stdout
    assert "connection refused" in done.stderr
    assert pending(directory) == 10


def test_ctrl_c_ends_it_cleanly(directory: Path, endpoint: Endpoint) -> None:
    """What was answered is told, the rest is left, there is no traceback; exit code 130."""
    leave(directory, 10_000)
    endpoint.answer = faults.after(1, faults.hang())
    process = starting_drain(directory, endpoint.url)
    endpoint.wait_for_requests(2, timeout=120)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (130, "")
    assert "Delivered " in out
    assert "run it again" in out
    endpoint.answer = None
    assert drain(directory, endpoint.url).returncode == 0
    assert set(sequence(endpoint.events)) == set(range(10_000))


def test_a_directory_above_its_bound_is_drained(directory: Path, endpoint: Endpoint) -> None:
    """Nothing is dropped to make room, however small the bound of the application was."""
    program = f"""
        import antinode, os
        client = antinode.init(KEY, server_url=URL, storage={str(directory)!r}, max_spool_bytes=1 << 20,
                               overflow="drop_newest")
        for seq in range(10_000):
            client.log_event(event(seq))
        os._exit(0)
        """
    assert run_program(program).status == 0
    left = pending(directory)
    assert 1000 < left < 10_000
    assert drain(directory, endpoint.url).returncode == 0
    arrived = sequence(endpoint.events)
    # Which of the newest ones the application dropped depends on when it looked for room.
    assert (len(arrived), arrived[:1000]) == (left, list(range(1000)))
    assert arrived == sorted(set(arrived))


def test_without_a_key(directory: Path) -> None:
    """It says where the key is looked for, and exits 2; a key that is none is wrong usage, and not shown."""
    leave(directory, 1)
    done = spool("drain", directory, AMPLITUDE_API_KEY="")
    assert done.returncode == 2
    assert "AMPLITUDE_API_KEY" in done.stderr
    done = spool("drain", directory, "--api-key", "se cret")
    assert done.returncode == 2
    assert "se cret" not in done.stderr
    assert pending(directory) == 1


def test_contradictory_options_are_wrong_usage(directory: Path) -> None:
    """What `init` refuses is refused here with the same words."""
    leave(directory, 1)
    done = drain(directory, "http://127.0.0.1:9/2/httpapi", "--zone", "EU")
    assert done.returncode == 2
    assert "both say where to send" in words(done.stderr)
    assert drain(directory, "nonsense").returncode == 2
    assert pending(directory) == 1


# On a terminal.


def in_terminal(command: list[str], until: Callable[[bytes], bool], **more: str) -> tuple[bytes, bytes]:
    """Standard output, and what a terminal that is standard error has been shown."""
    import pty

    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=theirs, env=environment(TERM="xterm", COLUMNS="100", **more)
    )
    os.close(theirs)
    shown = b""
    deadline = time.monotonic() + 120
    try:
        while time.monotonic() < deadline:
            if not select.select([ours], [], [], 1)[0]:
                continue
            try:
                piece = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            shown += piece
            if until(shown):
                process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=120)
    finally:
        process.kill()
        os.close(ours)
    return out, shown


@pytest.mark.parametrize("colour", [{}, {"NO_COLOR": "1"}], ids=["colour", "NO_COLOR"])
def test_progress_is_drawn_on_a_terminal(directory: Path, endpoint: Endpoint, colour: dict[str, str]) -> None:
    """A bar with counts on standard error, none of it on standard output; NO_COLOR leaves the colours out."""
    leave(directory, 6000)
    endpoint.answer = faults.after(1, faults.hang())
    command = [*COMMAND, "spool", "drain", str(directory), "--server-url", endpoint.url]
    out, shown = in_terminal(command, lambda seen: b"of 6,000" in seen, AMPLITUDE_API_KEY=KEY, **colour)
    assert b"Draining" in shown
    assert b"of 6,000" in shown
    assert b"Draining" not in out
    assert b"\x1b" not in out
    assert (b"\x1b[3" in shown) is not bool(colour)


def test_a_quick_drain_draws_nothing(directory: Path, endpoint: Endpoint) -> None:
    """What takes no longer than a moment needs no bar."""
    leave(directory, 10)
    command = [*COMMAND, "spool", "drain", str(directory), "--server-url", endpoint.url]
    out, shown = in_terminal(command, lambda seen: False, AMPLITUDE_API_KEY=KEY)
    assert b"Delivered 10 events" in out
    assert b"Draining" not in shown
