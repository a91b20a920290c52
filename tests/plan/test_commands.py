"""`antinode plan`: from a shop's clickstream to a plan, and what it finds."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

import antinode
from antinode.plan import read_plan
from antinode.server import running
from tests.cli.nursery import run

DATA = Path(__file__).parents[2] / "examples" / "data" / "ecom.csv.gz"
COLUMNS = ["--event-type", "event", "--user-id", "user_id", "--time", "timestamp", "--properties", "*"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the plan of the shop's clickstream."""
    folder = tmp_path_factory.mktemp("shop")
    done = run("plan", "infer", str(DATA), *COLUMNS, "-o", "tracking-plan.yaml", cwd=folder)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "19 event types of 9,030 events: tracking-plan.yaml\n"
    return folder


def row() -> dict[str, Any]:
    """An event of the shop, as it is to be."""
    with gzip.open(DATA, "rt", encoding="utf-8", newline="") as file:
        first = next(each for each in csv.DictReader(file) if each["event"] == "add_to_cart")
    properties = {key: first[key] for key in first if key not in ("event", "user_id", "timestamp")}
    return {"event_type": "add_to_cart", "user_id": "user-20391", "event_properties": properties}


def test_the_shop_conforms_to_its_plan(shop: Path) -> None:
    """Each of nine thousand events; the plan names its schema for editors, which lies beside it."""
    first = (shop / "tracking-plan.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert (shop / first.rpartition("=")[2]).exists()
    done = run("plan", "check", str(DATA), *COLUMNS, cwd=shop)
    assert (done.returncode, done.stdout) == (0, "9,030 events: all conform to the plan.\n")


def test_every_seeded_mistake_is_found(shop: Path) -> None:
    """One line for each kind, with the name that was meant; so in JSON."""
    good = row()
    properties = good["event_properties"]
    without = {key: value for key, value in properties.items() if key != "platform"}
    events = [
        good,
        good | {"event_type": "add_to_crt"},
        good | {"event_type": "add_to_crt"},
        good | {"event_properties": properties | {"platform": "moblie"}},
        good | {"event_properties": without},
        good | {"event_properties": properties | {"session_id": 7}},
        good | {"event_properties": properties | {"user_chort": "\x1b[31m"}},
    ]
    (shop / "events.jsonl").write_text("".join(json.dumps(each) + "\n" for each in events), encoding="utf-8")
    done = run("plan", "check", "events.jsonl", cwd=shop)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "2x add_to_crt: is not in the plan; did you mean `add_to_cart`?; at row 2, row 3",
        "1x add_to_cart: `platform` is missing, which is required; at row 5",
        "1x add_to_cart: `platform` must be one of 'desktop', 'mobile', 'tablet', not 'moblie'; "
        "did you mean `mobile`?; at row 4",
        "1x add_to_cart: `session_id` must be string, not 7; at row 6",
        "1x add_to_cart: `user_chort` is not in the plan; did you mean `user_cohort`?; such as "
        "'\\x1b[31m'; at row 7",
        "",
        "7 events: 6 do not conform to the plan.",
    ]
    assert "18 planned events were not seen: account_page, cart, " in done.stderr
    told = [
        json.loads(line)
        for line in run("plan", "check", "events.jsonl", "--json", cwd=shop).stdout.splitlines()
    ]
    assert [each["type"] for each in told] == ["finding"] * 5 + ["summary"]
    assert (told[-1]["events_with_findings"], told[0]["count"], told[0]["code"]) == (6, 2, "unknown_event")


def test_rows_that_are_no_events(shop: Path) -> None:
    """They are counted and told, and the exit code is 1: for `check` and for `infer`."""
    (shop / "broken.jsonl").write_text(f"{json.dumps(row())}\n{{broken\n", encoding="utf-8")
    for command in ("check", "infer"):
        done = run("plan", command, "broken.jsonl", cwd=shop)
        assert done.returncode == 1
        assert "1 row could not be read; row 2: " in done.stderr


def test_a_local_amplitude(tmp_path: Path) -> None:
    """What it has accepted is inferred from, and checked."""
    with running() as server:
        client = antinode.Client().init("0" * 32, server_url=server.server_url)
        with client:
            for number in range(3):
                client.log_event(
                    {"event_type": "Played", "user_id": "user-20391", "event_properties": {"n": number}}
                )
        done = run("plan", "infer", "--url", server.url, "-o", "plan.json", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        done = run("plan", "check", "--url", server.url, "--plan", "plan.json", cwd=tmp_path)
        assert done.stdout == "3 events: all conform to the plan.\n"
    assert read_plan(tmp_path / "plan.json").events["Played"].schema.required == ("n",)
    done = run("plan", "check", "--url", server.url, "--plan", "plan.json", cwd=tmp_path)
    assert done.returncode == 1
    assert "no local Amplitude answers at" in " ".join(done.stderr.split())


def test_diff_and_docs(shop: Path) -> None:
    """What breaks comes first and is the exit code; a page has every event."""
    text = (shop / "tracking-plan.yaml").read_text(encoding="utf-8")
    changed = text.replace("  wishlist_add:", "  wishlist_added:").replace("tablet]", "tablet, tv]")
    (shop / "new.yaml").write_text(changed, encoding="utf-8")
    done = run("plan", "diff", "tracking-plan.yaml", "new.yaml", cwd=shop)
    assert done.returncode == 1
    assert done.stdout.splitlines()[:2] == [
        "breaks  wishlist_add: removed",
        "        account_page `platform`: takes 'tv', too",
    ]
    done = run("plan", "diff", "new.yaml", "new.yaml", "--json", cwd=shop)
    assert (done.returncode, json.loads(done.stdout)["changes"]) == (0, 0)
    page = run("plan", "docs", cwd=shop).stdout
    assert page.count("\n## ") == 19


def test_what_is_missing(shop: Path, tmp_path: Path) -> None:
    """No plan, no file and no events are usage errors, with what to do."""
    done = run("plan", "check", str(shop / "tracking-plan.yaml"), cwd=tmp_path)
    assert done.returncode == 2
    assert "write one with `antinode plan infer`" in " ".join(done.stderr.split())
    assert run("plan", "check", "gone.jsonl", cwd=shop).returncode == 2
    assert run("plan", "infer", cwd=shop).returncode == 2
    (tmp_path / "tracking-plan.yaml").write_text("version: 1\nevnts: {}\n", encoding="utf-8")
    done = run("plan", "docs", cwd=tmp_path)
    assert done.returncode == 2
    assert "tracking-plan.yaml:2: evnts: is no key of a plan: write `events`" in " ".join(done.stderr.split())
