"""`antinode validate`: what Amplitude would object to, row by row, by the rules of the local Amplitude."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antinode._protocol.endpoints import Endpoint
from antinode.cli.validate.judging import Judged, Row, judge
from antinode.cli.validate.tally import Tally
from antinode.server import running
from antinode.server.models import Problem
from tests.cli.nursery import run
from tests.cli.reading import COMMAND, environment, words
from tests.cli.terminals import Screen

GOOD = {
    "event_type": "Song Played",
    "user_id": "user-20391",
    "insert_id": "song-1",
    "time": 1_793_817_970_000,
}


def lines(*events: Any) -> str:
    return "".join(f"{each if isinstance(each, str) else json.dumps(each)}\n" for each in events)


def judged(*events: Any, endpoint: Endpoint = Endpoint.HTTP_V2) -> list[Judged]:
    rows = [Row(number, event) for number, event in enumerate(events, 1)]
    return [each for batch in judge(rows, min_id_length=5, endpoint=endpoint) for each in batch]


def codes(*events: Any) -> list[list[str]]:
    return [[problem.code for problem in each.problems] for each in judged(*events)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Seven rows: one good, four that are refused, one with a warning, and a blank line between."""
    path = tmp_path / "events.jsonl"
    path.write_text(
        lines(
            GOOD,
            GOOD | {"time": "yesterday"},
            "",
            GOOD | {"user_id": "abc"},
            "{broken",
            [1, 2],
            GOOD | {"userId": "x"},
            GOOD | {"time": "tomorrow"},
        )
    )
    return path


def test_rows_and_summary(file: Path) -> None:
    """Each refused row is named with what to change; then the problems with their counts and first rows."""
    done = run("validate", str(file))
    assert done.returncode == 1
    assert done.stderr == ""
    text = done.stdout
    assert "row 2: `time` must be a whole number, not the str 'yesterday': write milliseconds" in text
    assert "row 4: `user_id` 'abc' is shorter than 5 characters" in text
    assert "row 5: this is no JSON, from character 2 on" in text
    assert "row 6: an event must be an object, not a list" in text
    assert "row 7: " not in text
    assert "✗ 2  invalid_time\n" in text
    assert "rows 2, 8\n" in text
    assert "! 1  misspelt_key (userId)\n" in text
    assert text.endswith("7 rows: Amplitude would refuse 5, and 1 has something to mend.\n")


def test_json_lines(file: Path) -> None:
    """--json prints a finding for each problem and the sum at the end."""
    done = run("validate", str(file), "--json")
    *findings, summary = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1
    assert [(each["row"], each["code"], each["severity"]) for each in findings] == [
        (2, "invalid_time", "error"),
        (4, "short_user_id", "error"),
        (5, "unreadable", "error"),
        (6, "invalid_event", "error"),
        (7, "misspelt_key", "warning"),
        (8, "invalid_time", "error"),
    ]
    assert findings[0]["insert_id"] == "song-1"
    assert (summary["type"], summary["rows"], summary["rows_with_errors"]) == ("summary", 7, 5)
    assert summary["problems"][0]["count"] == 2


def test_all_shows_each_row(tmp_path: Path) -> None:
    """Three rows with the same error are shown, and all rows, warnings too, with --all."""
    path = tmp_path / "events.jsonl"
    path.write_text(lines(*[GOOD | {"time": "x"} for _ in range(14)], GOOD | {"insert_id": None}))
    done = run("validate", str(path))
    assert "row 3: " in done.stdout
    assert "row 4: " not in done.stdout
    assert "… and 11 rows more: --all shows each." in done.stdout
    done = run("validate", str(path), "--all")
    assert "row 14: " in done.stdout
    assert "row 15: there is no `insert_id`" in done.stdout


def test_warnings_alone(tmp_path: Path) -> None:
    """They are no reason to fail, unless --strict makes them one."""
    path = tmp_path / "events.jsonl"
    path.write_text(lines(GOOD | {"time": 1_793_817_970}))
    done = run("validate", str(path))
    assert done.returncode == 0
    assert "time_in_seconds" in done.stdout
    assert "1 row: Amplitude would take them all, and 1 has something to mend." in done.stdout
    assert run("validate", str(path), "--strict").returncode == 1


def test_nothing_wrong(tmp_path: Path) -> None:
    """A good file is one line, and exit code 0."""
    path = tmp_path / "events.jsonl.gz"
    path.write_bytes(gzip.compress(lines(GOOD).encode() * 3))
    done = run("validate", str(path))
    assert (done.returncode, done.stdout) == (0, "3 rows: Amplitude would take them all.\n")


def test_formats(tmp_path: Path) -> None:
    """A JSON array, a table and a directory of both are read as `antinode import` reads them."""
    (tmp_path / "a.json").write_text(json.dumps([GOOD, GOOD | {"user_id": "abc"}]))
    (tmp_path / "b.csv").write_text(
        "event_type,user_id,insert_id,time\nA,user-1,i-1,1793817970000\n,user-1,i-2,\n"
    )
    done = run("validate", str(tmp_path), "--json")
    *findings, summary = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(Path(each["file"]).name, each["row"], each["code"]) for each in findings] == [
        ("a.json", 2, "short_user_id"),
        ("b.csv", 2, "missing_event_type"),
    ]
    assert (summary["files"], summary["rows"]) == (2, 4)


def test_columns(tmp_path: Path) -> None:
    """With the options of `antinode import`, the rows of any table are judged as the events they become."""
    path = tmp_path / "shop.csv"
    path.write_text("what,who,at,channel\nbought,user-1,2026-11-04T18:46:10Z,ads\nbought,abc,x,ads\n")
    mapped = ["--event-type", "what", "--user-id", "who", "--properties", "*"]
    done = run("validate", str(path), "--json", *mapped)
    findings = [json.loads(line) for line in done.stdout.splitlines()][:-1]
    assert {(each["row"], each["code"]) for each in findings if each["severity"] == "error"} == {
        (2, "short_user_id")
    }
    done = run("validate", str(path), "--time", "at", *mapped)
    assert "row 2: `at`: 'x' is no ISO 8601 time" in done.stdout
    assert run("validate", str(path), "--user-id", "who").returncode == 2


def test_formats_are_those_of_the_reader() -> None:
    """What --format takes is what can be read."""
    from antinode._importing.readers import detect
    from antinode.cli.params.mapping import FORMATS

    assert FORMATS == detect.FORMATS


def test_standard_input() -> None:
    """`-` reads it."""
    done = subprocess.run(
        [*COMMAND, "validate", "-", "--min-id-length", "3"],
        input=lines(GOOD | {"user_id": "abc"}),
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )
    assert (done.returncode, done.stdout) == (0, "1 row: Amplitude would take them all.\n")


def test_no_such_file(tmp_path: Path) -> None:
    """It exits 2 and names the file."""
    done = run("validate", str(tmp_path / "none.jsonl"))
    assert done.returncode == 2
    assert "none.jsonl" in words(done.stderr).replace(" ", "")


def test_reader_gone(tmp_path: Path) -> None:
    """Output that nobody reads to its end costs no traceback."""
    path = tmp_path / "events.jsonl"
    path.write_text(lines(*[{} for _ in range(20_000)]))
    process = subprocess.Popen(
        [*COMMAND, "validate", "--json", str(path)], stdout=-1, stderr=-1, env=environment()
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(120) == 1


def test_a_terminal_has_colours() -> None:
    """Only there."""
    with Screen("validate", "/dev/null") as screen:
        assert screen.end() == 0
    assert "\x1b[33m" in screen.raw
    assert "0 rows: there is nothing to validate." in screen.text


def test_a_row_that_no_request_holds() -> None:
    """An event of more than 1 MB is refused on HTTP V2; on Batch it has 20 MB."""
    large = GOOD | {"event_properties": {f"k{n}": "x" * 1000 for n in range(1000)}}
    assert [problem.code for problem in judged(large)[0].problems] == ["too_large"]
    assert judged(large, endpoint=Endpoint.BATCH)[0].problems == []


def test_depth() -> None:
    """However deep a row is nested, it is an objection and no error of ours."""
    deep: Any = 1
    for _ in range(900):
        deep = {"k": deep}
    assert codes(GOOD | {"event_properties": deep}, GOOD) == [["nested_too_deep"], []]


def test_long_digits_and_nan(tmp_path: Path) -> None:
    """Ids of any length are judged by all their digits, and what is nearly JSON says why it is none."""
    path = tmp_path / "a.jsonl"
    row = '{"event_type":"A","user_id":%s,"time":1700000000000,"insert_id":"x","event_properties":{"a":%s}}\n'
    path.write_text(
        row % ("18446744073709551617", "1") + row % ("1.8446744073709552e19", "1") + row % ('"user-1"', "NaN")
    )
    done = run("validate", str(path), "--json")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    messages = {each["row"]: each["message"] for each in found if each["type"] == "finding"}
    assert "18446744073709551617" in messages[1]
    assert "lost digits" in messages[2]
    assert "NaN" in messages[3]
    assert found[-1]["rows_with_errors"] == 2


def test_an_unmapped_table_is_answered_with_its_columns(tmp_path: Path) -> None:
    """And the options that would fit; rows of JSON without a type are judged one by one."""
    (tmp_path / "a.csv").write_text("event,user,at\nA,user-1,1700000000\n")
    done = run("validate", str(tmp_path / "a.csv"))
    assert done.returncode == 2
    assert "--event-type event --user-id user --time at" in words(done.stderr)
    (tmp_path / "a.jsonl").write_text('{"user_id":"user-1"}\n')
    assert run("validate", str(tmp_path / "a.jsonl")).returncode == 1
    assert run("validate", str(tmp_path / "a.csv"), "--encoding", "klingon").returncode == 2


EVENTS = st.fixed_dictionaries(
    {},
    optional={
        "event_type": st.sampled_from(["A", "", " ", "[Amplitude] Page Viewed", 5, None, {}]),
        "user_id": st.sampled_from(["user-1", "abc", "", "anonymous", 123456, 1, None, []]),
        "device_id": st.sampled_from(["device-1", "d", "unknown", None]),
        "time": st.sampled_from([1_793_817_970_000, "now", 1.5, None, True]),
        "event_properties": st.sampled_from([{}, {"a": 1}, [], "x", None]),
        "price": st.sampled_from([1, "1", None]),
    },
)


def test_it_agrees_with_the_server() -> None:
    """A row has an error exactly if the local Amplitude refuses it alone."""
    with running() as server:
        import urllib3

        pool = urllib3.PoolManager()

        @given(event=EVENTS)
        def agrees(event: dict[str, Any]) -> None:
            answer = pool.request("POST", server.server_url, json={"api_key": "k" * 32, "events": [event]})
            refused = any(problem.severity == "error" for problem in judged(event)[0].problems)
            assert refused == (answer.status != 200)

        agrees()
        pool.clear()


def test_the_tally_is_bounded() -> None:
    """However many kinds of problems there are, a thousand are told apart and the others counted."""
    tally = Tally()
    for number in range(1_500):
        tally.add("f", Judged(number, None, [Problem("misspelt_key", "warning", f"k{number}", "…")]))
    assert len(tally.kinds) == 1_000
    assert tally.untold == 500
    assert tally.rows_with_warnings == 1_500


def test_a_damaged_file(tmp_path: Path) -> None:
    """What stands before the damage is judged, and so are other files; exit code 1, and the place is told."""
    packed = gzip.compress(lines(*(GOOD | {"insert_id": f"song-{n}"} for n in range(2000))).encode())
    (tmp_path / "a.gz").write_bytes(packed[:-500])
    (tmp_path / "b.jsonl").write_text(lines(GOOD))
    done = run("validate", str(tmp_path), "--json")
    told = re.search(r"a\.gz: it ends in the middle.* \(behind row ([0-9,]+)\)", words(done.stderr))
    assert told is not None
    assert done.returncode == 1
    rows = json.loads(done.stdout.splitlines()[-1])["rows"]
    assert rows == int(told[1].replace(",", "")) + 1


def test_what_was_not_looked_at_is_told(tmp_path: Path) -> None:
    """Columns without a name, and patterns that took nothing, as an import tells them; also with --json."""
    (tmp_path / "a.csv").write_text("event,user,at,\nPlayed,user-20391,1793817970000,x\n")
    options = ["--event-type", "event", "--user-id", "user", "--time", "at", "--properties", "props.*"]
    for more in ([], ["--json"]):
        done = run("validate", "a.csv", *options, *more, cwd=tmp_path)
        assert done.returncode == 0
        assert "a.csv: column 4 without a name left out" in words(done.stderr)
        assert "--properties 'props.*' took nothing" in words(done.stderr)
