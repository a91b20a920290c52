"""New York's flights: a plan inferred from them, the module generated from it, and what both find."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import antinode
from antinode.plan import read_plan
from antinode.server import running
from tests.cli.nursery import run
from tests.importing.comparing import check, flight_events, stored
from tests.importing.runs import FLIGHTS, KEY
from tests.plan.conftest import FLIGHT_COLUMNS, commanded

ROOT = Path(__file__).parents[2]
SENT = 300

# What a team would write: each flight of a file, with the generated class.
SENDING = '''"""Send flights."""

import csv
import gzip
import sys
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Literal, cast

from flights_events import Flight

import antinode

Airport = Literal["EWR", "JFK", "LGA"]


def number(cell: str) -> int | None:
    return None if cell == "NA" else int(cell)


def flights(path: str) -> Iterator[Flight]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["tailnum"] == "NA":
                continue
            yield Flight(
                user_id=row["tailnum"],
                time=datetime.fromisoformat(row["time_hour"].replace("Z", "+00:00")),
                groups={"carrier": row["carrier"]},
                year=int(row["year"]),
                month=int(row["month"]),
                day=int(row["day"]),
                hour=int(row["hour"]),
                minute=int(row["minute"]),
                flight=int(row["flight"]),
                origin=cast(Airport, row["origin"]),
                dest=row["dest"],
                distance=int(row["distance"]),
                sched_dep_time=int(row["sched_dep_time"]),
                sched_arr_time=int(row["sched_arr_time"]),
                dep_time=number(row["dep_time"]),
                dep_delay=number(row["dep_delay"]),
                arr_time=number(row["arr_time"]),
                arr_delay=number(row["arr_delay"]),
                air_time=number(row["air_time"]),
            )


if __name__ == "__main__":
    path, server_url, count = sys.argv[1:]
    with antinode.init("0" * 32, server_url=server_url) as client:
        for each in islice(flights(path), int(count)):
            client.log_event(each)
'''

# ruff: noqa: E501
USAGE = """import antinode
from flights_events import Flight
from shop_events import Cart
from order_events import OrderPlaced, OrderPlacedItems
client = antinode.init("KEY")
right = Cart(acquisition_channel="email", platform="mobile", session_id_="s", user_cohort="2024-01", user_lifecycle="new")
client.log_event(right)
antinode.log_event(right, once="cart-1")
platform: str = right.platform
item: OrderPlacedItems = {"sku": "a", "quantity": 2, "sku id": 7}
order = OrderPlaced(order_id="1", total=2, currency="EUR", items=[item, {"sku": "b"}, OrderPlacedItems(sku="c")])
client.log_event(order)
Cart(acquisition_channel="email", platform="tv", session_id_="s", user_cohort="2024-01", user_lifecycle="new")  # wrong
Cart(acquisition_channel="email", platform="mobile", session_id_=7, user_cohort="2024-01", user_lifecycle="new")  # wrong
Cart(acquisition_channel="email", platform="mobile")  # wrong
right.platform = "mobile"  # wrong
OrderPlaced(order_id="1", total=2, currency="EUR", items=[{"sku": 1}])  # wrong
OrderPlaced(order_id="1", total=2, currency="EUR", items=[{"quantity": 1}])  # wrong
OrderPlaced(order_id="1", total=2, currency="EUR", items=[{"sku": "a", "quantty": 1}])  # wrong
OrderPlacedItems(sku="a", quantity="1")  # wrong
flight = Flight(day=1, dest="ORD", distance=733, flight=1, hour=5, minute=0, month=1, origin="EWR", sched_arr_time=1, sched_dep_time=1, year=2013)
Flight(day=1, dest="ORD", distance="733", flight=1, hour=5, minute=0, month=1, origin="EWR", sched_arr_time=1, sched_dep_time=1, year=2013)  # wrong
Flight(day=1, dest="ORD", distance=733, flight=1, hour=5, minute=0, month=1, origin="BOS", sched_arr_time=1, sched_dep_time=1, year=2013)  # wrong
delay: int = flight.dep_delay  # wrong
"""


def first_flight() -> dict[str, object]:
    """The properties of the first row."""
    return next(flight_events(FLIGHTS))["event_properties"]


def test_the_plan_is_that_of_the_file(flights: Path) -> None:
    """Imported, delivered and read back, the flights give the plan that the file gives; and conform to it."""
    commanded(flights, "plan", "infer", str(FLIGHTS), *FLIGHT_COLUMNS, "-o", "of-file.yaml")
    assert read_plan(flights / "of-file.yaml") == read_plan(flights / "tracking-plan.yaml")
    told = commanded(flights, "plan", "check", str(FLIGHTS), *FLIGHT_COLUMNS)
    assert told == "5,027 events: all conform to the plan.\n"
    schema = read_plan(flights / "tracking-plan.yaml").events["Flight"].schema
    assert (schema.properties["origin"].enum, "dep_delay" in schema.required) == (
        ("EWR", "JFK", "LGA"),
        False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_type_checkers_check_the_modules(shop: Path, flights: Path, checker: str) -> None:
    """In their strict modes on Python 3.10, right usage passes, and every mistake is an error to both."""
    for path in (*shop.glob("*_events.py"), *flights.glob("*_events.py")):
        (shop / path.name).write_bytes(path.read_bytes())
    (shop / "usage.py").write_text(USAGE, encoding="utf-8")
    (shop / "sending.py").write_text(SENDING, encoding="utf-8")
    (shop / "pyrightconfig.json").write_text(
        json.dumps({"typeCheckingMode": "strict", "pythonVersion": "3.10"}), encoding="utf-8"
    )
    command = {
        "mypy": ["mypy", "--strict", "--python-version=3.10", "--cache-dir", str(ROOT / ".mypy_cache"), "."],
        "pyright": ["pyright", "--pythonpath", sys.executable],
    }[checker]
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=shop, capture_output=True, text=True, check=False
    )
    found = {(name, int(line)) for name, line in re.findall(r"(\w+\.py):(\d+):", done.stdout)}
    lines = enumerate(USAGE.splitlines(), 1)
    assert sorted(found) == [("usage.py", at) for at, line in lines if line.endswith("# wrong")], done.stdout


def test_flights_are_sent_with_their_class(flights: Path) -> None:
    """By a program of its own to a local Amplitude: the events that the file has, which conform."""
    (flights / "sending.py").write_text(SENDING, encoding="utf-8")
    with running() as server:
        command = [sys.executable, "sending.py", str(FLIGHTS), server.server_url, str(SENT)]
        subprocess.run(command, cwd=flights, check=True, timeout=120)
        wanted = [each for each, _ in zip(flight_events(FLIGHTS), range(SENT), strict=False)]
        check(stored(server.api), wanted)
        told = commanded(flights, "plan", "check", "--url", server.url)
    assert told == f"{SENT} events: all conform to the plan.\n"


def test_every_seeded_mistake_is_found(flights: Path) -> None:
    """Of flights as they are sent: one line for each kind, with what was meant; nothing else is told."""
    good = first_flight()
    retired = (flights / "tracking-plan.yaml").read_text(
        encoding="utf-8"
    ) + "  Cancellation: {status: retired}\n"
    (flights / "with-retired.yaml").write_text(retired, encoding="utf-8")
    mistakes: list[tuple[str, dict[str, object]]] = [
        ("Flight", good),
        ("Fligth", good),
        ("flight", good),
        ("Cancellation", {}),
        ("Flight", {key: value for key, value in good.items() if key != "dest"}),
        ("Flight", good | {"dep_dely": 4}),
        ("Flight", good | {"distance": "1400"}),
        ("Flight", good | {"dep_delay": 2.5}),
        ("Flight", good | {"origin": "JKF"}),
        ("Flight", good | {"origin": "EWK"}),
    ]
    with running() as server:
        with antinode.Client().init(KEY, server_url=server.server_url) as client:
            for event_type, properties in mistakes:
                client.log_event(
                    {"event_type": event_type, "user_id": "N14228", "event_properties": properties}
                )
        done = run("plan", "check", "--plan", "with-retired.yaml", "--url", server.url, cwd=flights)
    assert done.returncode == 1
    assert [line.rpartition("; at")[0] for line in done.stdout.splitlines()[:-2]] == [
        "2x Flight: `origin` must be one of 'EWR', 'JFK', 'LGA', not 'JKF'; did you mean `JFK`?; such as 'JKF', 'EWK'",
        "1x Cancellation: is retired: log it no more",
        "1x Flight: `dep_delay` must be integer, not 2.5",
        "1x Flight: `dep_dely` is not in the plan; did you mean `dep_delay`?; such as 4",
        "1x Flight: `dest` is missing, which is required",
        "1x Flight: `distance` must be integer, not '1400'",
        "1x Fligth: is not in the plan; did you mean `Flight`?",
        "1x flight: is not in the plan; did you mean `Flight`?",
    ]
    assert done.stdout.splitlines()[-1] == "10 events: 9 do not conform to the plan."
