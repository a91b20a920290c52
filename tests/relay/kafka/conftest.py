"""One Kafka for all tests of the room, whichever process of the run they are in, with topics for each."""

import fcntl
import json
from contextlib import contextmanager
from uuid import uuid4

import pytest

from antinode.relay.kafka.settings import KafkaSettings
from antinode.relay.kafka.topics import make_topics
from tests import needs
from tests.relay.kafka.cluster import Cluster

PARTITIONS = 4


@pytest.fixture(scope="session")
def kafka(tmp_path_factory, worker_id):
    """The address of a broker, which ends with the last process that uses it."""
    needs.program("java")
    needs.program("mvn")
    pytest.importorskip("confluent_kafka")
    root = tmp_path_factory.getbasetemp()
    if worker_id != "master":
        root = root.parent
    cluster, users = Cluster(root / "kafka"), root / "kafka-users.json"
    with only_one(root):
        count = json.loads(users.read_text()) if users.exists() else 0
        if not cluster.is_running:
            cluster.start()
        users.write_text(json.dumps(count + 1))
    yield cluster.bootstrap
    with only_one(root):
        count = json.loads(users.read_text()) - 1
        users.write_text(json.dumps(count))
        if not count:
            cluster.stop()


@contextmanager
def only_one(root):
    """While this lasts, no other process of the run is in it."""
    with (root / "kafka.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture
def settings(kafka):
    """Topics of this test's own, and figures by which it need not wait for long."""
    found = KafkaSettings(
        bootstrap=kafka,
        topic=f"events-{uuid4().hex[:12]}",
        group=f"relay-{uuid4().hex[:12]}",
        allow_small_cluster=True,
        keep_timeout=30.0,
        session_timeout=3.0,
        drain_timeout=5.0,
        commit_interval=0.1,
    )
    make_topics(found, PARTITIONS, replication=1)
    return found
