"""What holds for all tests."""

import gc
import logging
import re
import signal
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.examples import examples

# How long an example takes, to make or to run, says more of the machine than of the code.
settings.register_profile(
    "antinode", max_examples=examples(30), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("antinode")

# A job that a shell starts in its background ignores Ctrl-C, and so would every process started here.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

TESTS = Path(__file__).parent
MARKED = {
    "slow": (
        "accidents",
        "amplitude/test_libraries.py",
        "barrier",
        "cli",
        "crash",
        "delivery/core/test_core_properties.py",
        "delivery/http",
        "encoding/test_changing_events.py",
        "importing/readers",
        "importing/test_bounds.py",
        "importing/test_importer.py",
        "integrations/test_celery.py",
        "integrations/test_dramatiq.py",
        "integrations/test_hosts.py",
        "integrations/test_lambda.py",
        "integrations/test_on_commit_django.py",
        "integrations/test_pools.py",
        "integrations/test_prometheus.py",
        "integrations/test_pyinstaller.py",
        "integrations/test_readme.py",
        "integrations/test_rq.py",
        "integrations/test_sqlalchemy.py",
        "integrations/test_web.py",
        "lifecycle",
        "native",
        "outbox/test_contract.py",
        "outbox/test_delivering.py",
        "outbox/test_django.py",
        "outbox/test_writing.py",
        "process",
        "protocol/test_foreign.py",
        "relay/kafka/test_chaos.py",
        "relay/test_processes.py",
        "server/http/test_schemathesis.py",
        "server/storage/test_property_operations.py",
        "server/test_background.py",
        "server/test_fuzz.py",
        "server/test_soak.py",
        "spool/test_crash.py",
        "spool/test_many_owners.py",
        "spool/test_refusals.py",
        "spool/test_spool.py",
        "storage",
        "test_bench.py",
        "test_crash.py",
        "test_deadletters.py",
        "test_demo.py",
        "test_docs.py",
        "test_fuzz_native.py",
        "test_wheel.py",
        "testing/test_plugin.py",
        "testing/test_process.py",
        "typing",
    ),
    "long": (
        "integrations/test_pyinstaller.py",
        "relay/kafka/test_chaos.py",
        "server/http/test_schemathesis.py",
        "server/test_soak.py",
    ),
    "browser": (
        "integrations/test_browser_sdk.py",
        "server/page/test_live_view.py",
        "server/page/test_safety.py",
        "server/page/test_schema_view.py",
        "server/page/test_views.py",
    ),
    "clients": ("relay/test_real_clients.py", "server/clients", "server/test_real_clients.py"),
    "bench": ("test_bench.py",),
    "kafka": (
        "relay/kafka/test_chaos.py",
        "relay/kafka/test_commands.py",
        "relay/kafka/test_contract.py",
        "relay/kafka/test_delivery.py",
        "relay/kafka/test_growing.py",
        "relay/kafka/test_standing.py",
        "relay/kafka/test_intake.py",
        "relay/kafka/test_letters.py",
    ),
}
"""Rooms and modules, below `tests`, whose tests all have the marker."""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What is collected stays to the end: no garbage collection looks at it, be it now or in a test."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Rooms and modules that `-m "not slow and not …"` leaves out as a whole are not even imported."""
    wanted: str = config.option.markexpr
    if not re.fullmatch(r"not \w+(?: and not \w+)*", wanted):
        return None
    left_out = set(re.split(r"(?: and )?not ", wanted))
    return True if left_out.intersection(markers_of(collection_path)) else None


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown() -> None:
    """No test leaves the next the level that a client with `debug=True` sets for the whole process."""
    logging.getLogger("antinode").setLevel(logging.NOTSET)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of the rooms that are marked as a whole."""
    for item in items:
        for marker in markers_of(item.path):
            item.add_marker(marker)


@cache
def markers_of(path: Path) -> list[str]:
    """The markers of a module: there are thousands of tests, but hundreds of modules."""
    places = {path, *path.parents}
    return [marker for marker, names in MARKED.items() if any(TESTS / name in places for name in names)]
