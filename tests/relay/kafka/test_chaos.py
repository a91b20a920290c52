"""Three brokers, one of which dies together with a worker: the long run in little; see `chaos.py`."""

import asyncio

import msgspec
import pytest

from antinode.relay.intake import NotKept
from antinode.relay.kafka.intake import KafkaIntake
from antinode.relay.kafka.settings import KafkaSettings
from antinode.relay.kafka.topics import make_topics
from antinode.testing.endpoint import Endpoint
from tests import needs
from tests.relay.kafka.cluster import Cluster
from tests.relay.kafka.scene import of_users, project, worker_process

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
    """Keep requests in turn, each again until it is kept, as a client's are. Returns the refusals."""
    refusals = 0
    intake = KafkaIntake(settings)
    await intake.open()
    for events in requests:
        while True:
            try:
                await intake.keep(to, events)
                break
            except NotKept:
                refusals += 1
    await intake.close(5.0)
    return refusals


def test_a_broker_and_a_worker_that_die_together_cost_nothing(cluster):
    """The broker coordinates the group and leads partitions: all that is kept before, meanwhile and after
    arrives once, in order, and fronts and the next worker wait for nothing but the brokers' election."""
    settings = KafkaSettings(
        bootstrap=cluster.bootstrap,
        instance="worker-0",
        session_timeout=10.0,
        drain_timeout=5.0,
        commit_interval=0.2,
    )
    make_topics(settings, PARTITIONS)
    with Endpoint(keep="ids") as endpoint:
        web = project(endpoint)
        asyncio.run(keep_all(settings, web, [of_users(USERS, 10)]))
        with worker_process(settings, web) as process:
            endpoint.wait_for(10 * USERS, LONG_SECONDS)
            cluster.kill(coordinator(settings))
            process.kill()
        requests = [of_users(USERS, 1, start=at) for at in range(10, 30)]
        asyncio.run(keep_all(msgspec.structs.replace(settings, keep_timeout=60.0), web, requests))
        with worker_process(settings, web):
            endpoint.wait_for(30 * USERS, LONG_SECONDS)
        assert endpoint.out_of_order() == []
        assert endpoint.summary()["events"] == 30 * USERS
