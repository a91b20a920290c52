"""`antinode demo`, without the data of the checkout."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from antinode._protocol.objections import problems
from antinode.cli.demo.clickstream import busiest_early_user, made_up, read_shop
from tests.cli.reading import run, words

DATA = Path(__file__).parents[2] / "examples" / "data" / "ecom.csv.gz"


def test_it_runs_anywhere(tmp_path: Path) -> None:
    """Everything arrives: exit code 0 and four ticks."""
    done = run("demo", "--fast", "--no-faults", "--events", "1500")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert [line[0] for line in done.stdout.splitlines()[-4:]] == ["✓"] * 4
    assert "✓ 1,500 of 1,500 events arrived" in done.stdout


def test_the_clickstream_is_always_the_same() -> None:
    """Made up, but the same each time: good events of many users who take turns, in the order of time."""
    events = made_up()
    assert events == made_up()
    assert len(events) == 9_000
    assert len({event["user_id"] for event in events}) > 100
    times = [event["time"] for event in events]
    assert times == sorted(times)
    assert [event["event_id"] for event in events] == list(range(9_000))
    assert [event for event in events if problems(event)] == []
    turns = sum(one["user_id"] != next["user_id"] for one, next in pairwise(events))
    assert turns > len(events) / 4
    assert busiest_early_user(events) in {event["user_id"] for event in events[:450]}
    assert len(made_up(10)) == 10


def test_a_file_of_its_own() -> None:
    """The shop of the examples has 9,030 events of 175 users."""
    events = read_shop(DATA)
    assert (len(events), len({event["user_id"] for event in events})) == (9_030, 175)


def test_a_file_that_is_no_clickstream(tmp_path: Path) -> None:
    """It exits 2 and says so."""
    path = tmp_path / "shop.csv.gz"
    path.write_text("no gzip")
    done = run("demo", "--data", str(path))
    assert done.returncode == 2
    assert "cannot be read as a clickstream" in words(done.stderr)
