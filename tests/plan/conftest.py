"""Plans of real events, and the modules that are generated from them."""

from __future__ import annotations

from pathlib import Path

import pytest

from antinode.server import running
from tests.cli.nursery import run
from tests.importing.runs import FLIGHTS, KEY
from tests.plan.test_commands import COLUMNS, DATA
from tests.plan.test_reading import SHOP

FLIGHT_COLUMNS = [
    *("--constant", "event_type=Flight", "--user-id", "tailnum", "--time", "time_hour"),
    *("--group", "carrier=carrier", "--null", "NA", "--properties", "*"),
]


def commanded(folder: Path, *arguments: str) -> str:
    """What a command that succeeds prints on standard output."""
    done = run(*arguments, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the plan of the shop's clickstream and that of the guide, and a module of each."""
    folder = tmp_path_factory.mktemp("shop")
    commanded(folder, "plan", "infer", str(DATA), *COLUMNS, "-o", "plan.json")
    (folder / "orders.yaml").write_text(SHOP.replace("sku: {", "sku id: {}, sku: {"), encoding="utf-8")
    for plan, module in (("plan.json", "shop_events.py"), ("orders.yaml", "order_events.py")):
        assert commanded(folder, "codegen", plan, "-o", module) == ""
    return folder


@pytest.fixture(scope="session")
def flights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same of New York's flights, imported into a local Amplitude, of which the plan is inferred."""
    folder = tmp_path_factory.mktemp("flights")
    with running() as server:
        target = ("--server-url", server.server_url, "--api-key", KEY)
        imported = run("import", str(FLIGHTS), *FLIGHT_COLUMNS, *target, cwd=folder)
        assert "Imported 4,977 events" in imported.stdout, imported  # the rest have no tail number
        commanded(folder, "plan", "infer", "--url", server.url, "-o", "tracking-plan.yaml")
    commanded(folder, "codegen", "-o", "flights_events.py")
    return folder
