"""What a worker says of itself over HTTP, and how it says that it is not as it should be."""

import time
from collections import Counter

import msgspec
import pytest
import urllib3
from prometheus_client.parser import text_string_to_metric_families

from antinode.relay.kafka.figures import PartitionFigures
from antinode.relay.kafka.report import LONGEST_ROUND_SECONDS, WorkerReport
from antinode.relay.kafka.topics import make_topics
from antinode.relay.projects import Projects
from antinode.relay.reporting import reporting
from antinode.testing import faults
from antinode.testing.endpoint import Endpoint
from tests.relay.kafka.scene import event, eventually, keep, of_users, project, working


class StillWorker:
    """A worker as it might stand."""

    topic = "events"
    is_running = has_joined = True
    is_stopping = False
    went_round_at = None
    buffered_bytes = 0

    def partitions(self):
        return [PartitionFigures(partition=0, lag=0, parked=0, lanes=0)]

    def figures(self):
        return {}


@pytest.fixture
def worker():
    return StillWorker()


def report_on(worker, clock=lambda: 1000.0):
    return WorkerReport(lambda: worker, Projects([project(Somewhere)]), clock)


class Somewhere:
    url = "http://127.0.0.1:9"


def test_a_worker_that_stands_still_is_to_be_restarted(worker):
    """Once it has not looked for news for as long as its group waits for it; before it has begun it may
    take its time."""
    assert report_on(worker).why_unhealthy() == ""
    worker.went_round_at = 0.0
    assert report_on(worker, lambda: LONGEST_ROUND_SECONDS).why_unhealthy() == ""
    assert "301 s" in report_on(worker, lambda: LONGEST_ROUND_SECONDS + 1).why_unhealthy()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"is_stopping": True}, "it is ending"),
        ({"is_running": False}, "it does not run"),
        ({"has_joined": False}, "it is not in its group yet"),
        ({}, ""),
    ],
)
def test_it_is_ready_while_it_delivers(worker, change, why):
    """Not before its group knows it, and not from the moment on when it is told to end."""
    for name, value in change.items():
        setattr(worker, name, value)
    assert report_on(worker).status().why == why
    assert report_on(worker).status().is_ready is (not why)


def test_it_says_so_over_http(worker):
    """As a front does; what is wrong is a 503 with the reason, and our own mistake a 500 that is told."""
    errors = []
    with (
        reporting(report_on(worker), "127.0.0.1", 0, errors.append) as url,
        urllib3.PoolManager(retries=False, timeout=30) as pool,
    ):
        assert pool.request("GET", f"{url}/healthz").json() == {"status": "ok"}
        assert pool.request("GET", f"{url}/readyz").json() == {"status": "ready"}
        worker.has_joined, worker.went_round_at = False, 0.0
        for path in ("/healthz", "/readyz"):
            answer = pool.request("GET", url + path)
            assert (answer.status, bool(answer.json()["why"])) == (503, True)
        worker.figures = None
        assert pool.request("GET", f"{url}/status").status == 500
        assert pool.request("GET", f"{url}/elsewhere").status == 404
    assert len(errors) == 1


@pytest.mark.kafka
def test_its_figures(settings):
    """What was delivered, what is parked, and of how many users."""
    settings = msgspec.structs.replace(settings, max_lane_events=20)
    with Endpoint() as endpoint:
        web = project(endpoint)
        endpoint.answer = faults.throttle(users=["hot"])
        keep(settings, (web, [event("hot", seq) for seq in range(50)] + of_users(10, 1)))
        with working(settings, web) as worker:
            report = WorkerReport(lambda: worker, Projects([web]))
            eventually(lambda: sum(each.parked for each in report.status().partitions) == 50)
            endpoint.wait_for(10)
            eventually(lambda: totals(report)["antinode_relay_delivered_events_total"] == 10)
            found = totals(report)
    assert found["antinode_relay_ready"] == 1
    assert found["antinode_relay_parked_events"] == 50
    assert found["antinode_relay_parked_streams"] == 1


def totals(report):
    """Its metrics, over all partitions and projects."""
    found = Counter()
    for family in text_string_to_metric_families(report.metrics()):
        for each in family.samples:
            found[each.name] += each.value
    return found


@pytest.mark.kafka
def test_a_worker_to_spare_is_ready(settings):
    """It has no partition, since there are no more for it."""
    settings = msgspec.structs.replace(settings, topic=f"{settings.topic}-one")
    make_topics(settings, 1, replication=1)
    with Endpoint() as endpoint:
        web = project(endpoint)
        with working(settings, web) as one, working(settings, web) as other:
            eventually(lambda: one.has_joined and other.has_joined)
            assert [report_on(each, time.monotonic).why_not_ready() for each in (one, other)] == ["", ""]
            eventually(lambda: len(one.partitions()) + len(other.partitions()) == 1)
