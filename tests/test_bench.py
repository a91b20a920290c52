"""The benchmark suite counts, calculates and draws what it should. No test judges how fast anything is."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
import urllib.request
from typing import Any
from xml.etree import ElementTree

import pytest
from bench.suite import quick
from bench.suite.chart import Bar, bars, charts
from bench.suite.document import PAGE, between
from bench.suite.peers import AMPLITUDE, ANTINODE, FLOOR
from bench.suite.quantiles import quantile, summary
from bench.suite.report import markdown, plain, target_table, text
from bench.suite.results import Key, Results
from bench.suite.sink_process import ROOT, SinkProcess
from bench.suite.targets import TARGETS, as_ratio, measured, verdict
from bench.suite.trend import exponent, is_superlinear
from bench.suite.workloads import maker, sized
from hypothesis import given
from hypothesis import strategies as st

numbers = st.lists(st.floats(0, 1e6), min_size=1, max_size=50)


@given(numbers, st.sampled_from([0.5, 0.99, 0.999, 1.0]))
def test_quantile_is_the_least_value_that_so_many_do_not_exceed(values: list[float], share: float) -> None:
    """At least the share of the values is at most the quantile, and of no smaller value is that true."""
    values.sort()
    found = quantile(values, share)

    assert sum(value <= found for value in values) >= share * len(values) - 1e-6
    for smaller in (value for value in values if value < found):
        assert sum(value <= smaller for value in values) < share * len(values)


def test_summary_of_a_thousand() -> None:
    """p99.9 of 1 to 1000 is 999, not the maximum."""
    figures = summary([float(number) for number in range(1000, 0, -1)], 1.0)
    assert figures == {"p50": 500.0, "p99": 990.0, "p999": 999.0, "max": 1000.0}


def test_ratio_pairs_the_runs_of_a_round() -> None:
    """A machine that slows down for one round leaves the ratio as it was."""
    results = Results()
    for factor in (1.0, 10.0, 1.0):
        results.add("delivery", "flights", "floor", {"cpu": 2.0 * factor})
        results.add("delivery", "flights", "antinode", {"cpu": 3.0 * factor})

    assert results.ratio("delivery", "flights", "cpu", "antinode", "floor") == 1.5
    assert results.ratio("delivery", "flights", "cpu", "antinode", "nobody") is None


def some_results() -> Results:
    results = Results()
    for round_number in range(3):
        for peer, cpu in ((FLOOR, 2.4), (ANTINODE, 3.0), (AMPLITUDE, 115.0)):
            results.add("delivery", "flights", peer.name, {"cpu": cpu + round_number / 10, "rate": 1e6 / cpu})
    results.add("hot path", "flights", ANTINODE.name, {"ratio": 2.0})
    for step in (10_000, 100_000, 1_000_000):
        results.add("growth: events", str(step), ANTINODE.name, {"cpu": 3.0})
    results.left_out.append("posthog is left out: it is not installed, and installing it failed")
    return results


def test_figures_survive_being_written() -> None:
    """What was written as JSON and read again gives the same report."""
    results = some_results()
    read = Results.from_json(json.loads(json.dumps(results.to_json())))
    read.left_out = results.left_out

    assert list(read) == list(results)
    assert text(read, {}) == text(results, {})


def test_report_shows_figures_ratios_and_who_is_missing() -> None:
    """Each peer has its line, with the ratio to the floor; a peer that is missing is named."""
    lines = text(some_results(), {"encoder": "orjson"}).splitlines()

    (line,) = (line for line in lines if line.startswith("amplitude-analytics") and "46." in line)
    assert line.split()[1:3] == ["115", "µs"]
    assert any("posthog is left out" in line for line in lines)


def test_tables_are_square() -> None:
    """A table has as many cells in each line as in its heading, plain and in Markdown."""
    table = target_table(some_results())

    assert {len(row) for row in table} == {5}
    assert {line.count("|") for line in markdown(table).splitlines()} == {6}
    assert len(plain(table).splitlines()) == len(TARGETS) + 1


def test_verdicts() -> None:
    """A target is reached, reached as aimed, missed, or was not measured."""
    results = some_results()
    floor, *_ = TARGETS

    assert verdict(measured(results, floor), floor) == "aim"
    assert verdict(1.4, floor) == "yes"
    assert verdict(1.46, floor) == "no"
    assert verdict(None, floor) == "not measured"
    assert [as_ratio(value) for value in (1.75, 1 / 4, 1 / 4.16, 1 / 35)] == ["1.75", "1/4", "1/4.2", "1/35"]


@given(st.floats(0.3, 2.0), st.floats(1e-3, 1e3))
def test_exponent_of_a_power(power: float, factor: float) -> None:
    """Cost in proportion to units**power has the exponent power - 1, and is superlinear from 1.1 on."""
    points = [(float(x), factor * x ** (power - 1)) for x in (10, 100, 1_000, 10_000, 100_000)]

    assert exponent(points) == pytest.approx(power - 1, abs=1e-6)
    if abs(power - 1.1) > 1e-6:
        assert is_superlinear(points) == (power > 1.1)


def test_start_up_cost_is_not_growth() -> None:
    """A cost per unit that only falls is not superlinear; nor is a single step."""
    assert not is_superlinear([(1, 50.0), (10, 8.0), (100, 3.0), (1000, 3.1)])
    assert not is_superlinear([(1, 50.0)])


names = st.text(st.characters(codec="utf-8", categories=("L", "P", "Zs")), min_size=1, max_size=20)


@given(st.lists(st.tuples(names, st.floats(0, 1e9)), max_size=8))
def test_chart_is_well_formed(rows: list[tuple[str, float]]) -> None:
    """Whatever the names, the chart is XML, has a bar for each, and no bar leaves it."""
    drawn = bars("CPU", "shorter is better", [Bar(name, value, f"{value:.0f}") for name, value in rows])
    root = ElementTree.fromstring(drawn)  # noqa: S314 - drawn here
    drawn_bars = root.findall("{http://www.w3.org/2000/svg}rect")

    assert len(drawn_bars) == len(rows)
    assert all(float(bar.attrib["x"]) + float(bar.attrib["width"]) <= 720 for bar in drawn_bars)


def test_charts_are_drawn_of_what_was_measured() -> None:
    """Only the charts whose figures there are are drawn, with antinode's bar marked."""
    made = charts(some_results())
    assert list(made) == ["performance-cpu.svg"]
    assert made["performance-cpu.svg"].count('<rect class="ours"') == 1


def test_page_has_its_places() -> None:
    """The figures of docs/performance.md are replaced between their markers, and nothing else is."""
    page = PAGE.read_text("utf-8")
    for name in ("targets", "figures"):
        page = between(page, name, "| new |")
    assert page.count("| new |") == 2
    assert "## What was tried" in page
    with pytest.raises(ValueError, match="lacks the lines"):
        between("nothing", "targets", "")


@given(st.integers(150, 50_000))
def test_made_events_have_the_size_that_was_asked_for(size: int) -> None:
    """Within a tenth, or 60 bytes for small ones, and no text is long enough to be cut."""
    event = sized(size, 10)(3)
    encoded = len(json.dumps(event, separators=(",", ":")))

    assert abs(encoded - size) <= max(size * 0.1, 60)
    assert all(len(str(value)) <= 1024 for value in event["event_properties"].values())


def test_varied_events_share_no_text() -> None:
    """So that queued events are not the same few strings."""
    make = maker({"kind": "sized", "size": 300, "users": 10, "varied": True})
    texts = [set(make(number)["event_properties"].values()) for number in (1, 2)]
    assert texts[0].isdisjoint(texts[1])


def post(url: str, body: object, *, is_gzip: bool = False) -> bytes:
    data = json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    if is_gzip:
        data, headers["Content-Encoding"] = gzip.compress(data), "gzip"
    request = urllib.request.Request(url, data, headers)  # noqa: S310 - the sink's
    with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310 - the same
        taken: bytes = answer.read()
    return taken


def test_sink_counts_what_each_api_holds() -> None:
    """Requests of all three vendors' forms, compressed or not, are counted exactly and answered in kind."""
    amplitude = [{"event_type": "a", "event_properties": {"row": row}} for row in range(3)]
    posthog = [{"event": "a", "distinct_id": "u", "properties": {"row": row}} for row in (3, 4)]
    segment = [{"event": "a", "messageId": "m", "properties": {"row": 5}}]
    with SinkProcess(keep=True) as sink:
        assert b'"code":200' in post(f"{sink.url}/2/httpapi", {"events": amplitude})
        assert b"status" in post(f"{sink.url}/batch/", {"batch": posthog})
        assert b"success" in post(f"{sink.url}/v1/batch", {"batch": segment})
        post(f"{sink.url}/2/httpapi", {"events": amplitude[:1]}, is_gzip=True)

        stats, arrivals = sink.stats(), sink.arrivals()

    assert (stats["events"], stats["requests"], stats["unknown"]) == (7, 4, 0)
    assert [row for row, _ in arrivals] == [0, 1, 2, 3, 4, 5, 0]
    assert [at for _, at in arrivals] == sorted(at for _, at in arrivals)


def run_worker(module: str, url: str, **spec: object) -> dict[str, Any]:
    whole = {
        "task": "stream",
        "module": module,
        "url": url,
        "workload": {"kind": "sized", "size": 300, "users": 10},
        "settings": {"batch": 200},
        **spec,
    }
    command = [sys.executable, "-m", "bench.suite.worker", json.dumps(whole)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


@pytest.mark.parametrize(
    ("module", "threads"), [(FLOOR.module, 1), (ANTINODE.module, 1), (ANTINODE.module, 4)]
)
def test_worker_delivers_everything(module: str, threads: int) -> None:
    """A run tells its figures, and each of its events arrives exactly once."""
    with SinkProcess(keep=True) as sink:
        figures = run_worker(module, sink.url, events=1_001, timed=True, threads=threads)
        rows = sorted(row for row, _ in sink.arrivals())

    assert rows == list(range(1_001))
    assert figures["cpu"] > 0
    assert figures["p50"] <= figures["p99"] <= figures["p999"] <= figures["max"]


def test_sink_holds_answers_until_released() -> None:
    """A backlog builds up behind a sink that holds, and is delivered when the worker releases it."""
    with SinkProcess(hold=True) as sink:
        run_worker(ANTINODE.module, sink.url, events=2_000, release=f"{sink.url}/release")
        assert sink.stats()["events"] == 2_000


def test_instructions_are_read_from_what_valgrind_says() -> None:
    """The count is found among its lines; output without one is an error."""
    assert quick.read_count("==1== \n==1== I   refs:      137,757,149\n") == 137_757_149
    with pytest.raises(ValueError, match="counted nothing"):
        quick.read_count("valgrind: mmap failed")


def test_quick_benchmark_gives_its_ratios(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each contender runs, here with few events, and its cost and the ratios come as lines."""
    monkeypatch.setattr(quick, "PAIRS", 1)
    monkeypatch.setattr(quick, "PAIRED_EVENTS", 200)
    costs, *ratios = quick.measure(in_time=True)
    assert all(contender in costs for contender in quick.CONTENDERS)
    assert len(ratios) == len(quick.RATIOS)
    assert all(re.search(r": \d", ratio) for ratio in ratios)


def test_keys_name_figures() -> None:
    """The rounds of a figure are kept in their order."""
    results = some_results()
    assert results.rounds(Key("delivery", "flights", "floor", "cpu")) == [2.4, 2.5, 2.6]
