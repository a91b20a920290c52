"""What the front keeps in Kafka: one record a partition, durable when `keep` returns, or `NotKept`."""

import asyncio
import queue
from contextlib import suppress

import msgspec
import pytest

from antinode import ConfigurationError
from antinode.relay.intake import NotKept
from antinode.relay.kafka import intake as intakes
from antinode.relay.kafka.client import KafkaAdmin, KafkaTrouble
from antinode.relay.kafka.intake import KafkaIntake
from antinode.relay.kafka.records import read_headers, unpack
from antinode.relay.kafka.settings import KafkaSettings
from antinode.relay.kafka.topics import check_topics, make_topics
from antinode.relay.projects import Project
from tests.relay.contract import ready
from tests.relay.kafka.conftest import PARTITIONS
from tests.relay.kafka.scene import KEY, PATIENCE, event, keep, of_users, read_all

WEB = Project(name="web", api_key=KEY)


def refused(settings):
    """Why an intake with these settings does not open."""
    with pytest.raises(ConfigurationError) as caught:
        asyncio.run(KafkaIntake(settings).open())
    return str(caught.value)


def test_a_request_is_one_record_in_each_partition(settings):
    """Its events are there in their order, in the partitions of their streams, with what holds for all."""
    events = of_users(10, 3)
    keep(settings, (WEB, events), (WEB, events[:1]))
    fetched = read_all(settings, settings.topic)
    assert len(fetched) == len({each.stream % PARTITIONS for each in events}) + 1
    for each in fetched:
        read = unpack(each.value)
        assert {stream % PARTITIONS for stream in read.streams} == {each.partition}
        head = read_headers(each.headers)
        assert (head.project, head.partitions) == (WEB.fingerprint, PARTITIONS)
        assert KEY.encode() not in each.value + b"".join(value for _, value in each.headers)
    first = [each for each in fetched if each.offset == 0]
    bodies = [body for each in first for body in unpack(each.value).bodies]
    assert sorted(bodies) == sorted(each.body for each in events)


def test_a_large_request_is_several_records(settings):
    """No record is larger than a broker takes, unless one event is."""
    sizes = [500_000, 500_000, 5_000_000, 200]
    keep(settings, (WEB, [event("user-1", at, size=size) for at, size in enumerate(sizes)]))
    found = [[len(body) for body in unpack(each.value).bodies] for each in read_all(settings, settings.topic)]
    assert found == [[500_000], [500_000], [5_000_000], [200]]


def test_many_calls_at_once_are_all_answered(settings):
    """Each call returns when its own records are written; the counts say so."""

    async def run():
        intake = KafkaIntake(settings)
        await intake.open()
        await asyncio.gather(*(intake.keep(WEB, of_users(4, 2, start=at)) for at in range(50)))
        assert intake.health().takes
        await intake.close(5.0)
        await intake.close(5.0)
        with pytest.raises(NotKept, match="not open"):
            await intake.keep(WEB, of_users(1, 1))
        assert not intake.health().takes
        return intake.stats()

    stats = asyncio.run(run())
    assert (stats.kept_events, stats.refused_events, stats.waiting) == (400, 1, 0)


def test_requests_of_a_moment_share_records(settings):
    """A record costs as much as many events: there is one for each partition, with each request's events in
    their order; what fails of one request fails no other."""

    async def run():
        intake = KafkaIntake(settings)
        await intake.open()
        calls = [intake.keep(WEB, of_users(8, 1, start=at)) for at in range(50)]
        too_large = intake.keep(WEB, [event("user-1", 50, size=25_000_000)])
        failures = await asyncio.gather(*calls, too_large, return_exceptions=True)
        await intake.close(5.0)
        return failures

    failures = asyncio.run(run())
    assert failures[:-1] == [None] * 50
    assert isinstance(failures[-1], NotKept)
    fetched = read_all(settings, settings.topic)
    assert len(fetched) == len({each.stream % PARTITIONS for each in of_users(8, 1)})
    seqs = {}
    for each in fetched:
        for body in unpack(each.value).bodies:
            found = msgspec.json.decode(body)
            seqs.setdefault(found["user_id"], []).append(found["event_properties"]["seq"])
    assert seqs == {f"user-{user}": list(range(50)) for user in range(8)}


class Producer:
    """Has one record after the other end as it is told."""

    def __init__(self, ends):
        self.under_way = queue.Queue()
        self.produced = 0
        self.ends = list(ends)

    def produce(self, topic, partition, value, headers, then):
        self.produced += 1
        self.under_way.put(then)

    def serve(self, seconds):
        with suppress(queue.Empty):
            self.under_way.get(timeout=seconds)(self.ends.pop(0), 0)

    def probe(self, topic, timeout):
        pass

    def close(self, within):
        pass


@pytest.mark.parametrize(
    ("ends", "produced", "is_kept"),
    [([None, None, None], 3, True), ([None, "it timed out"], 2, False), (["it timed out"], 1, False)],
)
def test_no_part_of_a_request_is_written_before_the_part_before_it(monkeypatch, ends, produced, is_kept):
    """A user's later events would be there before the earlier ones, which the client sends again."""
    producer = Producer(ends)
    monkeypatch.setattr(intakes, "check_topics", lambda _: PARTITIONS)
    monkeypatch.setattr(intakes, "RecordProducer", lambda *_, **__: producer)

    async def run():
        intake = KafkaIntake(KafkaSettings(bootstrap="nowhere:1"))
        await intake.open()
        large = [event("user-1", seq, size=600_000) for seq in range(3)]
        (failure,) = await asyncio.gather(intake.keep(WEB, large), return_exceptions=True)
        await intake.close(1.0)
        return failure

    assert isinstance(asyncio.run(run()), NotKept) != is_kept
    assert producer.produced == produced


def test_without_brokers_nothing_is_kept_and_it_is_said_so(monkeypatch):
    """Within its time a call raises `NotKept`, and health says why."""
    settings = KafkaSettings(bootstrap="127.0.0.1:1", keep_timeout=0.3)
    monkeypatch.setattr(intakes, "check_topics", lambda _: PARTITIONS)
    pytest.importorskip("confluent_kafka")

    async def run():
        intake = KafkaIntake(settings)
        with pytest.raises(NotKept, match="not open"):
            await intake.keep(WEB, of_users(1, 1))
        await intake.open()
        await intake.keep(WEB, [])
        with pytest.raises(NotKept) as caught:
            await intake.keep(WEB, of_users(10, 1))
        assert caught.value.retry_after > 0
        assert not intake.health().takes
        await intake.close(0.1)
        return intake.stats()

    assert asyncio.run(run()).refused_events == 11


def test_health_mends_by_itself(settings):
    """After a failure it is looked whether the brokers answer, though nobody asks for anything to be kept."""

    async def run():
        intake = KafkaIntake(settings)
        await intake.open()
        with pytest.raises(NotKept, match="too large"):
            await intake.keep(WEB, [event("user-1", 0, size=25_000_000)])
        was = intake.health()
        await ready(intake)
        await intake.close(5.0)
        return was

    was = asyncio.run(asyncio.wait_for(run(), PATIENCE))
    assert not was.takes
    assert "too large" in was.why


def test_brokers_that_do_not_answer_are_no_configuration_fault():
    """Whether topics are right cannot be known then: it may be tried again."""
    pytest.importorskip("confluent_kafka")
    client = {"socket.connection.setup.timeout.ms": "1000"}
    settings = KafkaSettings(bootstrap="127.0.0.1:1", client=client, request_timeout=0.3)
    with pytest.raises(KafkaTrouble):
        check_topics(settings)


def test_a_topic_with_too_few_copies_is_refused(settings):
    """Unless it is said that this is meant, events are not kept where one broken disk loses them."""
    assert "--allow-small-cluster" in refused(msgspec.structs.replace(settings, allow_small_cluster=False))


def test_missing_topics_are_told_of(settings):
    """It is said how they are made."""
    assert "antinode relay topics" in refused(msgspec.structs.replace(settings, topic="nowhere"))


def test_another_number_of_partitions_is_refused(settings):
    """Neither than was asked for, nor than records were written for, nor than the parked topic has."""
    assert "written for 8" in refused(msgspec.structs.replace(settings, partitions=8))
    admin = KafkaAdmin(settings)
    keep(settings, (WEB, of_users(4, 1)))
    admin.grow(settings.parked_topic, PARTITIONS + 2)
    assert "must have the same number" in refused(settings)
    for topic in (settings.topic, settings.dead_topic):
        admin.grow(topic, PARTITIONS + 2)
    assert f"written for {PARTITIONS}" in refused(settings)


def test_topics_are_made_once(settings):
    """Making them again changes nothing."""
    assert make_topics(settings, 8, replication=1) == []
    assert check_topics(settings) == PARTITIONS


@pytest.mark.parametrize("name", ["acks", "enable.idempotence", "group.protocol"])
def test_what_promises_depend_on_cannot_be_set(name):
    """A setting of librdkafka's that the relay decides is refused, by its name."""
    with pytest.raises(ConfigurationError, match=name):
        KafkaSettings(bootstrap="127.0.0.1:9092", client={name: "x"})


def test_a_password_is_in_no_repr():
    """Neither `repr` nor `str` shows the client's settings."""
    settings = KafkaSettings(bootstrap="127.0.0.1:9092", client={"sasl.password": "hunter2"})
    assert "hunter2" not in f"{settings} {settings!r}"
