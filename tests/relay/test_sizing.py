"""What a load takes: never fewer than two of anything, and proportionate to the load beyond."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from antinode.cli.program import antinode
from antinode.cli.relay.size import size
from antinode.relay.sizing import (
    EVENT_BYTES,
    FRONT_EVENTS_PER_CORE,
    WORKER_EVENTS_PER_CORE,
    Load,
    size_for,
)

PAGE = Path(__file__).parents[2] / "docs" / "relay-kafka.md"


def test_the_page_has_these_figures() -> None:
    """The table of the page is what is computed."""
    pattern = r"^\| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \|$"
    rows = re.findall(pattern, PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    numbers = [[int(each.replace(",", "")) for each in row] for row in rows]
    assert [row[0] for row in numbers] == [10_000, 100_000, 1_000_000]
    for rate, *told in numbers:
        found = size_for(Load(events_per_second=rate))
        assert told == [found.fronts, found.workers, found.partitions]


def test_a_small_load_has_two_of_each() -> None:
    """One may fail."""
    found = size_for(Load(events_per_second=1))
    assert (found.fronts, found.workers, found.partitions) == (2, 2, 12)


def test_it_grows_with_the_load() -> None:
    """Ten times the load takes ten times as much, but for what is rounded; disk goes by the outage."""
    one, ten = (size_for(Load(events_per_second=rate)) for rate in (1_000_000, 10_000_000))
    assert ten.workers == 10 * one.workers
    assert ten.fronts == 10 * one.fronts
    assert ten.disk_gb == pytest.approx(10 * one.disk_gb)
    hour = size_for(Load(events_per_second=1_000_000, outage_hours=1))
    assert one.disk_gb == pytest.approx(24 * hour.disk_gb)
    assert one.partitions % one.workers < one.partitions
    assert one.partitions >= 2 * one.workers


def test_the_command_has_the_same_figures() -> None:
    """Its defaults are those that were measured, and `--json` is what is computed."""
    defaults = {each.name: each.default for each in size.params}
    assert defaults["front_events"] == FRONT_EVENTS_PER_CORE
    assert defaults["worker_events"] == WORKER_EVENTS_PER_CORE
    assert defaults["event_bytes"] == EVENT_BYTES
    command = ["relay", "size", "--events-per-second"]
    said = CliRunner().invoke(antinode, [*command, "1e6", "--json"]).output
    assert json.loads(said)["partitions"] == size_for(Load(events_per_second=1_000_000)).partitions
    assert "partitions" in CliRunner().invoke(antinode, [*command, "20000"]).output
