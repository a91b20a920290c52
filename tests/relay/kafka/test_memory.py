"""However much waits in Kafka, a worker holds no more of it than its bounds say."""

import json
import subprocess
import sys

import pytest

from antinode.relay.kafka.settings import KafkaSettings
from antinode.relay.projects import Project
from antinode.testing.endpoint import Endpoint
from tests.relay.kafka.backlog import EVENT_BYTES, PER_RECORD, Backlog, working_off
from tests.relay.kafka.scene import KEY, PATIENCE, eventually

BOUND = 500_000


def fetches_nothing(worker, backlog):
    """Whether it goes three rounds without a fetch."""
    fetched = backlog.fetched
    for _ in range(3):
        before = worker.went_round_at
        eventually(lambda before=before: worker.went_round_at != before)
    return backlog.fetched == fetched


def test_while_amplitude_is_away_no_more_is_fetched_than_the_bound():
    """What waits for delivery fills the bound, plus one fetch at most, and then everything arrives."""
    settings = KafkaSettings(bootstrap="nowhere:1", max_buffered_bytes=BOUND)
    with Endpoint(keep="ids") as endpoint:
        endpoint.down()
        web = Project(name="web", api_key=KEY, server_url=endpoint.url)
        backlog = Backlog(settings, web, partitions=4, records=40)
        backlog.at_once = 4
        with working_off(backlog, web, max_queue_bytes=BOUND) as worker:
            # Once full it fetches nothing before half of that is taken over, which the client may have done.
            eventually(lambda: worker.buffered_bytes >= BOUND // 2 and fetches_nothing(worker, backlog))
            one_fetch = backlog.at_once * PER_RECORD * EVENT_BYTES
            assert worker.buffered_bytes < BOUND + one_fetch
            assert backlog.fetched * PER_RECORD * EVENT_BYTES < 3 * BOUND + one_fetch
            endpoint.up()
            eventually(lambda: endpoint.summary()["received"] == 4 * 40 * PER_RECORD, PATIENCE)


@pytest.mark.slow
def test_memory_is_the_same_however_long_the_backlog_is():
    """Once the bounds are reached, ten times as many events take no more of it."""
    pytest.importorskip("resource")
    command = [sys.executable, "-m", "tests.relay.kafka.backlog", "--events", "200000", "--bound", str(BOUND)]
    told = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    tenths = json.loads(told)["megabytes"]
    assert tenths[-1] - tenths[1] < 16
