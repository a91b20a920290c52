"""`antinode import` as a command: what it prints, its exit codes, and being killed at any moment."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from antinode.server import Running, running
from tests.cli.nursery import Ended, run
from tests.cli.reading import COMMAND, environment, words
from tests.importing.comparing import check, shop_events, stored
from tests.importing.runs import KEY, SHOP, rejected, song, write_lines

SHOP_ARGUMENTS = (
    *("--event-type", "event", "--user-id", "user_id", "--time", "timestamp"),
    *("--field", "platform=platform", "--properties", "*"),
)


@pytest.fixture
def server() -> Any:
    with running() as server:
        yield server


class Place:
    """A directory to import from, with a state directory of its own."""

    def __init__(self, folder: Path, server_url: str) -> None:
        self.folder = folder
        self.state = folder / "state"
        self._arguments = ("import", "--server-url", server_url)
        state = str(self.state)
        self._given = {"XDG_STATE_HOME": state, "AMPLITUDE_API_KEY": KEY, "LOCALAPPDATA": state}

    def start(self, *arguments: str, **more: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*COMMAND, *self._arguments, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            cwd=self.folder,
            env=environment(**self._given, PYTHONPATH=os.pathsep.join(each for each in sys.path if each)),
            **more,
        )

    def run(self, *arguments: str, stdin: str = "") -> Ended:
        return run(*self._arguments, *arguments, stdin=stdin, cwd=self.folder, **self._given)


@pytest.fixture
def place(tmp_path: Path, server: Running) -> Place:
    return Place(tmp_path, server.url)


def test_import_says_what_became_of_the_rows(place: Place, server: Running) -> None:
    """All delivered is 0; some rejected is 1, with the reasons and the file to mend; done already is 0."""
    rows = [song(n) for n in range(20)]
    path = write_lines(place.folder / "a.jsonl", rows)
    done = place.run("a.jsonl")
    assert done.returncode == 0
    assert "Imported 20 events into 127.0.0.1:" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr
    assert done.stderr == ""
    assert "done already: 20 events" in place.run("a.jsonl").stdout
    rows[3]["user_id"] = "x"
    write_lines(path, rows)
    done = place.run("a.jsonl")
    assert done.returncode == 1
    assert "row 4 of a.jsonl" in done.stdout
    assert "`user_id` 'x' is shorter than 5 characters" in done.stdout
    assert "a.rejected" in done.stdout
    (kept,) = rejected(place.folder / "a.rejected")
    assert kept["_rejected"]["row"] == 4
    # Neither the next import nor that of the file itself writes over it.
    assert "a-2.rejected" in place.run("a.jsonl", "--again").stdout
    assert "a-3.rejected" in place.run("a.rejected").stdout
    assert rejected(place.folder / "a.rejected") == [kept]
    done = place.run("a.rejected", "--rejected", "a.rejected", "--again")
    assert "is to be read and written" in words(done.stderr)
    assert len(stored(server.api)) == 20


def test_machines_get_one_object(place: Place) -> None:
    """`--json` prints the result as JSON, of an import and of a dry run; the key is nowhere in it."""
    write_lines(place.folder / "a.jsonl", [song(1), {"event_type": "x"}])
    dry = json.loads(place.run("a.jsonl", "--json", "--dry-run").stdout)
    assert (dry["type"], dry["rows"], dry["good"], len(dry["samples"])) == ("dry_run", 2, 1, 1)
    done = place.run("a.jsonl", "--json")
    assert done.returncode == 1
    facts = json.loads(done.stdout)
    assert (facts["type"], facts["delivered"], facts["rejected"]) == ("import", 1, 1)
    assert facts["problems"][0]["rows"] == [{"source": "a.jsonl", "row": 2}]
    assert KEY not in done.stdout + Path(facts["checkpoint"]).read_text(encoding="utf-8")


def test_dry_run_shows_the_first_events(place: Place, server: Running) -> None:
    """A person sees the mapped events and that all is well; nothing is sent, and no key is needed."""
    done = place.run(str(SHOP), *SHOP_ARGUMENTS, "--dry-run")
    assert done.returncode == 0
    assert '"event_type": "home"' in done.stdout
    assert "Looked at 9,030 rows" in done.stdout
    assert max(map(len, done.stdout.splitlines())) < 200
    assert server.api.uploads() == []


def test_standard_input(place: Place, server: Running) -> None:
    """`-` reads standard input, of any format; without --checkpoint it is not noted how far it is."""
    done = place.run("-", stdin="".join(f"{json.dumps(song(n))}\n" for n in range(5)))
    assert done.returncode == 0
    done = place.run("-", stdin=json.dumps([song(n) for n in range(5, 9)]))
    assert done.returncode == 0
    assert len(stored(server.api)) == 9
    assert not place.state.exists()


def test_what_has_to_be_said_stops_the_import(place: Place, server: Running) -> None:
    """Nothing is sent, the exit code is 2, and what to write is told; then it goes on."""
    (place.folder / "a.csv").write_text("event,user,at\nA,user-20391,2024-05-01\n")
    for arguments, reason in (
        (["a.csv"], "antinode import a.csv --event-type event --user-id user --time at"),
        (["a.csv", "--event-type", "Event", "--user-id", "user", "--time", "at"], "is it event?"),
        (["a.csv", "--event-type", "event", "--user-id", "user"], "Write --time at, or --time now"),
        (["-", "--event-type", "event", "--user-id", "user"], "standard input: no row has a time"),
    ):
        done = place.run(*arguments, stdin="event,user\nA,user-20391\n")
        assert done.returncode == 2
        assert reason in words(done.stderr)
    assert server.api.uploads() == []
    mapped = ("--event-type", "event", "--user-id", "user")
    assert place.run("a.csv", *mapped, "--time", "at", "--where", "event=A").returncode == 0
    assert place.run("-", *mapped, "--time", "now", stdin="event,user\nA,user-20392\n").returncode == 0
    assert len(stored(server.api)) == 2


def test_what_was_not_sent_is_told(place: Place) -> None:
    """Files passed over, rows left out, columns without a name, patterns that took nothing."""
    (place.folder / "in").mkdir()
    (place.folder / "in" / "a.csv").write_text(
        ",event,user,at\n1,A,user-20391,2024-05-01\n2,B,user-2,2024-05-01\n"
    )
    (place.folder / "in" / "notes.md").write_text("x")
    arguments = (
        "--event-type",
        "event",
        "--user-id",
        "user",
        "--time",
        "at",
        "--properties",
        "song_*",
        "--where",
        "event=A",
    )
    facts = json.loads(place.run("in", *arguments, "--json").stdout)
    assert (facts["delivered"], facts["left_out"]) == (1, 1)
    told = " ".join(facts["remarks"])
    for each in ("notes.md", "column 1 without a name", "--properties 'song_*' took nothing"):
        assert each in told
    dry = place.run("in", *arguments, "--dry-run")
    assert dry.returncode == 0
    assert "1 row was left out" in dry.stdout
    assert "All others are good to send." in dry.stdout


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["a.jsonl", "--encoding", "klingon"], "no encoding 'klingon'"),
        (["a.jsonl", "--where", "x"], "is no condition"),
        (["a.jsonl", "--user-id", "who"], "--event-type COLUMN"),
        (["a.jsonl", "--constant", "oops"], "is not KEY=VALUE"),
        (["a.jsonl", "--field", "userid=x", "--event-type", "e"], "did you mean user_id?"),
        (["a.jsonl", "--time-zone", "Mars"], "no time zone 'Mars'"),
        (["a.jsonl", "--api-key", " "], "API key is blank"),
        (["a.jsonl", "--zone", "EU"], "server_url and server_zone"),
        ([], "FILES"),
    ],
)
def test_wrong_usage_is_2(place: Place, arguments: list[str], reason: str) -> None:
    """What has to be written differently is said before anything is sent."""
    write_lines(place.folder / "a.jsonl", [song(1)])
    done = place.run(*arguments)
    assert done.returncode == 2
    assert reason in words(done.stderr)


def test_what_cannot_be_read(place: Place) -> None:
    """What is missing is wrong usage. What is damaged is named, all other rows are imported, and it is 1."""
    done = place.run("b.jsonl")
    assert (done.returncode, "no file b.jsonl" in words(done.stderr)) == (2, True)
    lines = b"".join(json.dumps(song(n)).encode() + b"\n" for n in range(2000))
    (place.folder / "a.gz").write_bytes(gzip.compress(lines)[:-1000])
    write_lines(place.folder / "b.jsonl", [song(n, platform="Web") for n in range(10)])
    reason = r"a\.gz: it ends in the middle of its gzip compression.* \(behind row ([0-9,]+)\)"
    for finds in "first", "again":
        done = place.run("a.gz", "b.jsonl")
        assert done.returncode == 1, finds
        told = re.search(reason, words(done.stdout))
        assert told is not None, finds
    assert f"{int(told[1].replace(',', '')) + 10:,} events delivered" in done.stdout
    dry = json.loads(place.run("a.gz", "b.jsonl", "--dry-run", "--json").stdout)
    assert len(dry["unread"]) == 1


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them")
def test_stopped_by_a_signal_it_goes_on_later(place: Place, server: Running, how: signal.Signals) -> None:
    """It ends tidily with 130, says how to go on, and the same command does."""
    arguments = (str(SHOP), *SHOP_ARGUMENTS, "--project-rate", "4000")
    process = place.start(*arguments)
    server.api.wait(events=2000, timeout=120)
    process.send_signal(how)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "Stopped after" in out
    assert "The same command goes on from here." in out
    assert "Traceback" not in err
    before = len(stored(server.api))
    assert 2000 <= before < 9030
    done = place.run(*arguments[:-2])
    assert done.returncode == 0
    assert (
        f"Imported 9,030 events into {server.url.partition('//')[2]}, {9030 - before:,} of them"
        in done.stdout
    )
    check(stored(server.api), list(shop_events(SHOP)))


@pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them")
@pytest.mark.parametrize("processes", ["0", "1"])
def test_killed_at_any_moment_nothing_is_lost_and_nothing_counts_twice(
    place: Place, server: Running, processes: str
) -> None:
    """kill -9 again and again, while faults hit: in the end each row is there once, in each user's order."""
    rows = shop_events(SHOP)
    arguments = (str(SHOP), *SHOP_ARGUMENTS, "--processes", processes)
    server.api.add_faults("500@10%", "drop-after@10%")
    events = 0
    while events < 5000:
        # With 2000 events in a request, it is somewhere else each time.
        process = place.start(*arguments, "--project-rate", "6000")
        events = server.api.wait(events=events + 1700, timeout=120).events
        process.kill()
        process.communicate()
    done = place.run(*arguments)
    assert done.returncode == 0, done.stderr
    check(stored(server.api), list(rows))


def test_memory_is_flat_over_a_large_file(tmp_path: Path) -> None:
    """Ten times the rows take no more memory."""
    script = """
import resource, sys
from antinode.cli import main
try:
    main()
finally:
    sys.stderr.write(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}")
"""
    line = json.dumps(song(1, event_properties={"text": "x" * 150})).encode() + b"\n"

    def peak(rows: int) -> int:
        path = tmp_path / f"{rows}.jsonl"
        with open(path, "wb") as file:
            file.writelines(line * 1000 for _ in range(rows // 1000))
        done = subprocess.run(
            [sys.executable, "-c", script, "import", str(path), "--dry-run", "--json", "--processes", "0"],
            capture_output=True,
            text=True,
            check=True,
            timeout=100,
            env=environment(PYTHONPATH=os.pathsep.join(each for each in sys.path if each)),
        )
        assert json.loads(done.stdout)["good"] == rows
        return int(done.stderr.partition("peak ")[2])

    pytest.importorskip("resource")
    assert peak(300_000) < peak(30_000) * 1.15
