"""The books as Prometheus scrapes them: by its own library, and by a real Prometheus from an application."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

import antinode
from antinode.integrations.prometheus import register
from antinode.testing import Endpoint
from tests.integrations.brokers import wait_until
from tests.integrations.servers import expected, served, use
from tests.needs import program

ROOT = Path(__file__).parents[2]
DASHBOARD = (ROOT / "examples" / "grafana-dashboard.json").read_text(encoding="utf-8")
KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def client(endpoint: Endpoint) -> Iterator[antinode.Client]:
    with antinode.Client("billing").init(KEY, server_url=endpoint.url) as client:
        yield client


def scraped(registry: CollectorRegistry) -> dict[tuple[str, ...], float]:
    """Each sample by its name and the values of its labels."""
    text = generate_latest(registry).decode()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_books_are_told(client: antinode.Client) -> None:
    """Each count of `stats()` at the moment of the scrape, and again at the next."""
    registry = CollectorRegistry()
    register(registry, [client])
    client.log_event({"event_type": "Song Played", "user_id": "user-20391"})
    client.log_event({"event_type": "No User"})
    client.flush()
    found = scraped(registry)
    assert found["antinode_events_accepted_total", "billing"] == 2
    assert found["antinode_events_settled_total", "billing", "delivered", ""] == 1
    assert found["antinode_events_settled_total", "billing", "rejected", "invalid_event"] == 1
    assert found["antinode_events_pending", "billing", "queued"] == 0
    assert found["antinode_requests_size_bytes_total", "billing"] == client.stats().bytes_sent
    assert found["antinode_stalled", "billing"] == 0
    client.log_event({"event_type": "Song Played", "user_id": "user-20391"})
    client.flush()
    assert scraped(registry)["antinode_events_settled_total", "billing", "delivered", ""] == 2


def test_what_has_not_happened_is_told_as_zero(client: antinode.Client) -> None:
    """Each reason that docs/delivery.md has, so that the first event that does not arrive is an increase."""
    registry = CollectorRegistry()
    register(registry, [client])
    found = scraped(registry)
    page = (ROOT / "docs" / "delivery.md").read_text(encoding="utf-8")
    reasons = re.findall(r"^\| (rejected|dropped) \| `(\w+)` \|", page, re.MULTILINE)
    assert len(reasons) > 10
    for outcome, reason in reasons:
        assert found["antinode_events_settled_total", "billing", outcome, reason] == 0


def test_names_are_as_prometheus_wants_them(client: antinode.Client) -> None:
    """promtool has nothing to say of names, units and help texts."""
    registry = CollectorRegistry()
    register(registry, [client])
    checked = subprocess.run(
        [program("promtool"), "check", "metrics"],
        input=generate_latest(registry),
        capture_output=True,
        check=False,
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")


def test_instances_that_are_not_used_are_left_out() -> None:
    """By default every initialised instance is told of, under its name, from before its first event on."""
    registry = CollectorRegistry()
    register(registry)
    antinode.get_instance("never initialised")
    name = "told of"
    antinode.get_instance(name).init(enabled=False).log_event({"event_type": "A", "user_id": "user-20391"})
    antinode.get_instance("idle").init(enabled=False)
    found = scraped(registry)
    assert found["antinode_events_settled_total", name, "skipped", "disabled"] == 1
    assert found["antinode_events_accepted_total", "idle"] == 0
    assert not [labels for labels in found if "never initialised" in labels]


def test_the_dashboard_names_what_there_is(client: antinode.Client) -> None:
    """Each metric that is told is in it, and nothing else; and of their labels, only such as they have."""
    registry = CollectorRegistry()
    register(registry, [client])
    client.log_event({"event_type": "Song Played", "user_id": "user-20391"})
    client.flush()
    samples = [
        sample
        for family in text_string_to_metric_families(generate_latest(registry).decode())
        for sample in family.samples
    ]
    labels = {sample.name: set(sample.labels) for sample in samples}
    assert set(re.findall(r"antinode_\w+", DASHBOARD)) == set(labels)
    panels = json.loads(DASHBOARD)["panels"]
    for query in (target["expr"] for panel in panels for target in panel["targets"]):
        (name,) = re.findall(r"antinode_\w+", query)
        selected = re.findall(r"(\w+)=~?\"", query)
        grouped = re.findall(r"by \(([^)]*)\)", query)
        named = {*selected, *(each.strip() for group in grouped for each in group.split(","))}
        assert named <= labels[name], query
    assert len({panel["id"] for panel in panels}) == len(panels)


@contextmanager
def scraping(home: Path, target: str) -> Iterator[Callable[[str], list[dict[str, Any]]]]:
    """A Prometheus that scrapes `target`; asks it a query."""
    config = {
        "global": {"scrape_interval": "200ms", "scrape_timeout": "200ms"},
        "scrape_configs": [{"job_name": "shop", "static_configs": [{"targets": [target]}]}],
    }
    (home / "prometheus.yml").write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML, too
    log = home / "log"
    with log.open("w") as told:
        server = subprocess.Popen(
            [
                program("prometheus"),
                f"--config.file={home}/prometheus.yml",
                f"--storage.tsdb.path={home}/data",
                "--web.listen-address=127.0.0.1:0",
            ],
            stdout=told,
            stderr=told,
        )
        try:
            address: list[str] = []

            def is_there() -> bool:
                address[:] = re.findall(r"address=(127\.0\.0\.1:\d+)", log.read_text())
                return bool(address) and "ready to receive" in log.read_text()

            wait_until(is_there, server)

            def ask(query: str) -> list[dict[str, Any]]:
                asked = urllib.parse.urlencode({"query": query})
                with urllib.request.urlopen(f"http://{address[-1]}/api/v1/query?{asked}") as answer:
                    found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
                return found

            yield ask
        finally:
            server.terminate()
            server.wait(timeout=120)


def test_a_real_prometheus_scrapes_an_application(endpoint: Endpoint, tmp_path: Path) -> None:
    """What the example application has logged is counted there, and every panel of the dashboard has data."""
    dashboard = json.loads(DASHBOARD)
    uvicorn = ("uvicorn", "examples.fastapi_app:app", "--port=PORT")
    delivered = 'antinode_events_settled_total{outcome="delivered",client="default"}'
    logged = sum(map(len, expected().values()))
    with served(endpoint, *uvicorn, UPLOAD_INTERVAL="0") as (url, process):
        use(url)
        with scraping(tmp_path, url.removeprefix("http://")) as ask:
            wait_until(lambda: [each["value"][1] for each in ask(delivered)] == [str(logged)], process)
            for panel in dashboard["panels"]:
                for target in panel["targets"]:
                    query = target["expr"].replace("$client", ".*").replace("$__rate_interval", "1m")
                    # A rate needs a second scrape.
                    wait_until(lambda query=query: bool(ask(query)), process)
