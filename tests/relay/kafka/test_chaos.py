"""Three brokers, one of which dies together with a worker: the long run in little; see `chaos.py`."""

import asyncio
import time
from contextlib import suppress

import pytest

from antinode.relay.intake import NotKept
from antinode.relay.kafka.client import KafkaTrouble
from antinode.relay.kafka.intake import KafkaIntake
from antinode.relay.kafka.settings import KafkaSettings
from antinode.relay.kafka.topics import make_topics
from antinode.testing.endpoint import Endpoint
from tests import needs
from tests.relay.kafka.cluster import Cluster
from tests.relay.kafka.fleet import Worker
from tests.relay.kafka.scene import of_users, project

USERS = 40
PARTITIONS = 6
LONG_SECONDS = 120.0


@pytest.fixture
def cluster(tmp_path):
    needs.program("java")
    needs.program("mvn")
    pytest.importorskip("confluent_kafka")
    found = Cluster(tmp_path / "cluster")
    try:
        found.start(3, heap="256m")
        yield found
    finally:
        found.stop()


def coordinator(settings):
    """The number of the broker that the group's commits are kept by."""
    from confluent_kafka.admin import AdminClient

    admin = AdminClient({"bootstrap.servers": settings.bootstrap})
    (answer,) = admin.describe_consumer_groups([settings.group]).values()
    return answer.result(LONG_SECONDS).coordinator.id


async def keep_all(settings, to, requests):
    """Keep requests in turn, each again until it is kept, as a client's are."""
    intake = await opened(settings)
    for events in requests:
        while True:
            with suppress(NotKept):
                await intake.keep(to, events)
                break
    await intake.close(5.0)


async def opened(settings):
    """An intake, tried again while the brokers elect, as an orchestrator does with a front."""
    end = time.monotonic() + LONG_SECONDS
    while True:
        intake = KafkaIntake(settings)
        try:
            await intake.open()
            return intake
        except KafkaTrouble:
            assert time.monotonic() < end


def test_a_broker_and_a_worker_that_die_together_cost_nothing(cluster, tmp_path):
    """The broker coordinates the group and leads partitions: all that is kept before, meanwhile and after
    arrives once, in order, and fronts and the next worker wait for nothing but the brokers' election."""
    settings = KafkaSettings(
        bootstrap=cluster.bootstrap,
        keep_timeout=60.0,
        instance="worker-0",
        session_timeout=10.0,
        drain_timeout=5.0,
        commit_interval=0.2,
    )
    make_topics(settings, PARTITIONS)
    with Endpoint(keep="ids") as endpoint:
        web = project(endpoint)
        asyncio.run(keep_all(settings, web, [of_users(USERS, 10)]))
        worker = Worker(settings, web, tmp_path / "worker.log")
        try:
            worker.start()
            endpoint.wait_for(10 * USERS, LONG_SECONDS)
            cluster.kill(coordinator(settings))
            worker.kill()
            requests = [of_users(USERS, 1, start=at) for at in range(10, 30)]
            asyncio.run(keep_all(settings, web, requests))
            worker.start()
            endpoint.wait_for(30 * USERS, LONG_SECONDS)
        finally:
            worker.kill()
        assert endpoint.out_of_order() == []
        assert endpoint.summary()["events"] == 30 * USERS
