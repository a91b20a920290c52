"""`antinode codegen`: a module of typed events."""

from __future__ import annotations

import csv
import gzip
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import antinode
from antinode.plan import PlannedEvent, PropertySchema, TrackingPlan, parse_plan
from antinode.plan._codegen import to_module
from antinode.plan._inferring import EventShapes
from antinode.plan._writing import to_json
from antinode.testing import capture
from tests.cli.nursery import run
from tests.plan.test_commands import DATA
from tests.plan.test_reading import SHOP

ROOT = Path(__file__).parents[2]
NAMES = st.one_of(
    st.text(min_size=1, max_size=8),
    st.sampled_from(
        ["class", "None", "user_id", "str", "int", "Any", "to_dict", "__init__", "a b", "a_b", "a-b"]
    ),
    st.sampled_from(['"""', "\\", "1", "_", "größe", "ﬁ", "\x1b", "self", "event", "properties", "x"]),
).filter(lambda name: bool(name.strip()))


def executed(text: str) -> dict[str, Any]:
    module: dict[str, Any] = {"__name__": "events"}
    exec(compile(text, "events.py", "exec"), module)  # noqa: S102 - what is tried
    return module


@settings(max_examples=25)
@given(st.dictionaries(NAMES, st.lists(NAMES, max_size=5, unique=True), max_size=4), st.text(max_size=20))
def test_any_name_becomes_a_class_and_an_attribute(events: dict[str, list[str]], text: str) -> None:
    """The module is Python, has each event once, and its events have the names that the plan has."""
    plan = TrackingPlan(
        events={
            name: PlannedEvent(
                name,
                PropertySchema(
                    properties={each: PropertySchema(types=("string",), description=text) for each in held},
                    required=tuple(held[:2]),
                    takes_others=False,
                ),
                description=text,
            )
            for name, held in events.items()
        },
        name=text,
    )
    module = to_module(plan)
    assert module == to_module(plan)
    made = executed(module)
    kinds = [made[name] for name in made["__all__"]]
    assert {kind._event_type for kind in kinds} == set(events)
    for kind in kinds:
        names = kind._names
        assert set(names.values()) == set(events[kind._event_type])
        event = kind(**names)
        assert event.to_dict()["event_properties"] == {key: key for key in names.values()}


def test_the_guide_s_plan() -> None:
    """Docstrings, keyword-only attributes, what is optional last, nothing of retired events."""
    text = to_module(parse_plan(SHOP))
    assert (
        text.partition("\n\n\n")[2]
        == '''class OrderPlaced(antinode.TypedEvent, event_type="Order Placed"):
    """A customer has paid.

    Owners: checkout.
    """

    currency: Literal["EUR", "USD"]
    order_id: str
    """As in the shop's database."""
    total: float
    coupon: str | None = None
    items: list[dict[str, Any]] | None = None
'''
    )


def rows() -> list[dict[str, str]]:
    with gzip.open(DATA, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def properties_of(row: dict[str, str]) -> dict[str, str]:
    return {key: row[key] for key in row if key not in ("event", "user_id", "timestamp")}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the plan of the shop's clickstream, and the module that was generated from it."""
    folder = tmp_path_factory.mktemp("shop")
    shapes = EventShapes()
    for row in rows():
        shapes.add({"event_type": row["event"], "event_properties": properties_of(row)})
    (folder / "plan.json").write_text(to_json(shapes.plan()), encoding="utf-8")
    done = run("codegen", "plan.json", "-o", "shop_events.py", cwd=folder)
    assert (done.returncode, done.stdout) == (0, "")
    return folder


def test_regenerating_changes_nothing(shop: Path) -> None:
    """The same plan gives the same bytes, which `--check` sees; another module fails it."""
    before = (shop / "shop_events.py").read_bytes()
    assert run("codegen", "plan.json", cwd=shop).stdout.encode() == before
    assert run("codegen", "plan.json", "-o", "shop_events.py", "--check", cwd=shop).returncode == 0
    (shop / "other.py").write_bytes(before + b"#")
    done = run("codegen", "plan.json", "-o", "other.py", "--check", cwd=shop)
    assert done.returncode == 1
    assert "is not what the plan gives" in " ".join(done.stderr.split())
    assert run("codegen", "plan.json", "--check", cwd=shop).returncode == 2


def test_the_shop_is_sent_with_its_classes(shop: Path) -> None:
    """Five hundred rows as typed events are the events that dicts of them are."""
    module = executed((shop / "shop_events.py").read_text(encoding="utf-8"))
    kinds = {module[name]._event_type: module[name] for name in module["__all__"]}
    with capture() as captured:
        for row in rows()[:500]:
            kind = kinds[row["event"]]
            given = {key: properties_of(row)[name] for key, name in kind._names.items()}
            antinode.log_event(kind(**given, user_id=row["user_id"]))
        for row, event in zip(rows()[:500], captured.events, strict=True):
            assert event["event_type"] == row["event"]
            assert event["user_id"] == row["user_id"]
            assert event["event_properties"] == properties_of(row)


# ruff: noqa: E501
USAGE = """import antinode
from shop_events import Cart
client = antinode.init("KEY")
right = Cart(acquisition_channel="email", platform="mobile", session_id_="s", user_cohort="2024-01", user_lifecycle="new")
client.log_event(right)
antinode.log_event(right, once="cart-1")
platform: str = right.platform
Cart(acquisition_channel="email", platform="tv", session_id_="s", user_cohort="2024-01", user_lifecycle="new")
Cart(acquisition_channel="email", platform="mobile", session_id_=7, user_cohort="2024-01", user_lifecycle="new")
Cart(acquisition_channel="email", platform="mobile")
right.platform = "mobile"
"""


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_type_checkers_check_it(shop: Path, checker: str) -> None:
    """Right usage passes, wrong values, missing properties and changes are errors; so for both checkers."""
    (shop / "usage.py").write_text(USAGE, encoding="utf-8")
    command = {
        "mypy": ["mypy", "--strict", "--cache-dir", str(ROOT / ".mypy_cache")],
        "pyright": ["pyright", "--pythonpath", sys.executable],
    }[checker]
    done = subprocess.run(
        [sys.executable, "-m", *command, "usage.py", "shop_events.py"],
        cwd=shop,
        capture_output=True,
        text=True,
        check=False,
    )
    wrong = sorted({(name, int(line)) for name, line in re.findall(r"(\w+\.py):(\d+):", done.stdout)})
    assert wrong == [("usage.py", line) for line in (8, 9, 10, 11)], done.stdout
