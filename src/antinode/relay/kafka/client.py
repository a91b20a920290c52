"""The client of the brokers: the one place that knows confluent-kafka."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from antinode._errors import ConfigurationError
from antinode.relay.kafka.records import Headers
from antinode.relay.kafka.settings import KafkaSettings

if TYPE_CHECKING:
    from confluent_kafka import Consumer as _Consumer
    from confluent_kafka import Message
    from confluent_kafka import Producer as _Producer
    from confluent_kafka.admin import AdminClient

_log = logging.getLogger("antinode")

# What a record may have at most: a single event of a request to the Batch API, with room for headers.
LARGEST_RECORD_BYTES: Final = 21 * 1024 * 1024

Delivered = Callable[[str | None, int], object]
"""Called when a record was written, with None and its offset, or with why it was not."""


class KafkaTrouble(Exception):
    """The brokers did not do what they were asked for; it may work later."""


class PartitionOffset(msgspec.Struct, frozen=True):
    """An offset of a partition, with the text that a commit has beside it."""

    topic: str
    partition: int
    offset: int
    text: str = ""


class Fetched(msgspec.Struct, frozen=True, gc=False):
    """A record as it was read."""

    topic: str
    partition: int
    offset: int
    headers: Headers | None
    value: bytes | None


class TopicFacts(msgspec.Struct, frozen=True):
    """What the brokers say of a topic."""

    partitions: int
    replication: int
    """Copies of the partition that has the fewest."""
    min_insync: int
    max_message_bytes: int


class RecordProducer:
    """Writes records: idempotent, and acknowledged by all copies in sync. Any thread may call it."""

    def __init__(self, settings: KafkaSettings, *, timeout: float) -> None:
        """`timeout`: a record that was not written for so many seconds has failed; 0: never."""
        self._settings = settings
        self._config = {
            "enable.idempotence": True,
            "acks": "all",
            "linger.ms": 5,
            "compression.type": "lz4",
            "message.max.bytes": LARGEST_RECORD_BYTES + 64 * 1024,
            "queue.buffering.max.kbytes": 256 * 1024,
            "message.timeout.ms": int(timeout * 1000),
        }
        self._producer = self._make()

    def _make(self) -> _Producer:
        config = _config(self._settings, self._config)
        producer: _Producer = _made(self._settings, lambda: _kafka().Producer(config, logger=_log))
        return producer

    def produce(
        self, topic: str, partition: int, value: bytes, headers: Sequence[tuple[str, bytes]], then: Delivered
    ) -> None:
        """Have a record written; `then` is called by `serve`. Raises `KafkaTrouble` if there is no room."""

        def told(error: Any, message: Message) -> None:
            then(None if error is None else error.str(), message.offset() or 0)

        try:
            self._producer.produce(
                topic, value=value, partition=partition, headers=list(headers), on_delivery=told
            )
        except BufferError:
            raise KafkaTrouble("too much waits for the brokers") from None
        except _kafka().KafkaException as error:
            trouble = error.args[0]
            if trouble.fatal():
                # What it had is told of by its own calls back; a new one goes on with what comes.
                self._producer.purge()
                self._producer.poll(0)
                self._producer = self._make()
            raise KafkaTrouble(trouble.str()) from None

    def serve(self, seconds: float) -> None:
        """Call back for what was written, waiting so long for the first."""
        self._producer.poll(seconds)

    def probe(self, topic: str, timeout: float) -> None:
        """Ask the brokers for a topic. Raises `KafkaTrouble` if they do not answer."""
        _asking(self._producer.list_topics, topic, timeout)

    def close(self, within: float) -> None:
        """Wait for what is under way, then have the rest fail."""
        self._producer.flush(within)
        self._producer.purge()
        self._producer.flush(1.0)


class RecordConsumer:
    """Reads records. One thread calls it, and is the one that its rebalances are told of."""

    def __init__(self, settings: KafkaSettings, *, is_member: bool = True) -> None:
        """`is_member`: it takes part in the group; otherwise it reads what it is told to."""
        config: dict[str, Any] = {
            "group.id": settings.group if is_member else f"{settings.group}-reader",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 100,
            "fetch.message.max.bytes": 1024 * 1024,
            "fetch.max.bytes": 24 * 1024 * 1024,
            "message.max.bytes": LARGEST_RECORD_BYTES + 64 * 1024,
            "receive.message.max.bytes": 64 * 1024 * 1024,
            "queued.min.messages": 1000,
            "queued.max.messages.kbytes": 16 * 1024,
        }
        if is_member:
            config |= {
                # Not the newer protocol: with it a static member that was killed and came back is refused.
                "group.protocol": "classic",
                "partition.assignment.strategy": "cooperative-sticky",
                "session.timeout.ms": int(settings.session_timeout * 1000),
                "heartbeat.interval.ms": max(100, int(settings.session_timeout * 1000 / 10)),
            }
            if settings.instance:
                config["group.instance.id"] = settings.instance
        self._consumer: _Consumer = _made(
            settings, lambda: _kafka().Consumer(_config(settings, config), logger=_log)
        )
        self._error: str | None = None
        self._seconds = settings.request_timeout

    def subscribe(
        self,
        topic: str,
        on_assigned: Callable[[Sequence[int]], object],
        on_revoked: Callable[[Sequence[int]], object],
        on_lost: Callable[[Sequence[int]], object],
    ) -> None:
        """Join the group for this topic; partitions come and go in the midst of `fetch` and `close`.

        Whoever hears of them calls `assign` and `unassign`.
        """

        def told(hear: Callable[[Sequence[int]], object]) -> Callable[..., None]:
            def tell(_: object, partitions: Sequence[Any]) -> None:
                hear(sorted(each.partition for each in partitions))

            return tell

        self._consumer.subscribe(
            [topic], on_assign=told(on_assigned), on_revoke=told(on_revoked), on_lost=told(on_lost)
        )

    def fetch(self, most: int, seconds: float) -> list[Fetched]:
        """The next records: as soon as there is one, within so many seconds.

        Raises `KafkaTrouble` for what does not pass by itself.
        """
        first = self._consumer.poll(seconds)
        if first is None:
            return []
        found = [first, *self._consumer.consume(most - 1, 0)]
        return [fetched for message in found if (fetched := self._fetched(message)) is not None]

    def _fetched(self, message: Message) -> Fetched | None:
        error = message.error()
        if error is None:
            return Fetched(
                message.topic() or "",
                message.partition() or 0,
                message.offset() or 0,
                cast("Headers | None", message.headers()),
                message.value(),
            )
        if error.fatal() or (not error.retriable() and error.code() not in _passing()):
            raise KafkaTrouble(error.str())
        if error.str() != self._error:
            self._error = error.str()
            _log.warning("antinode relay: Kafka: %s", self._error)
        return None

    def assign(self, positions: Iterable[PartitionOffset]) -> None:
        """Read these partitions, too, from these offsets on."""
        self._consumer.incremental_assign([_partition(each) for each in positions])

    def unassign(self, topic: str, partitions: Iterable[int]) -> None:
        """Read these partitions no longer."""
        kafka = _kafka()
        self._consumer.incremental_unassign([kafka.TopicPartition(topic, each) for each in partitions])

    def pause(self, topic: str, partitions: Iterable[int]) -> None:
        kafka = _kafka()
        self._consumer.pause([kafka.TopicPartition(topic, each) for each in partitions])

    def resume(self, topic: str, partitions: Iterable[int]) -> None:
        kafka = _kafka()
        self._consumer.resume([kafka.TopicPartition(topic, each) for each in partitions])

    def seek(self, topic: str, partition: int, offset: int) -> None:
        """Go on with this offset of a partition that is read."""
        self._consumer.seek(_kafka().TopicPartition(topic, partition, offset))

    def committed(self, topic: str, partitions: Sequence[int]) -> list[PartitionOffset | None]:
        """What the group has committed, in the same order; None: nothing. Raises `KafkaTrouble`."""
        kafka = _kafka()
        asked = [kafka.TopicPartition(topic, each) for each in partitions]
        found = {each.partition: each for each in _asking(self._consumer.committed, asked, self._seconds)}
        return [
            None
            if found[each].offset < 0
            else PartitionOffset(topic, each, found[each].offset, found[each].metadata or "")
            for each in partitions
        ]

    def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        """The first offset that there is, and the next that will be. Raises `KafkaTrouble`."""
        asked = _kafka().TopicPartition(topic, partition)
        found = _asking(self._consumer.get_watermark_offsets, asked, self._seconds)
        if found is None:
            raise KafkaTrouble("the brokers did not say which offsets there are")
        low, high = found
        return low, high

    def commit(self, positions: Sequence[PartitionOffset], *, waits: bool) -> None:
        """Commit these positions. Raises `KafkaTrouble` if it waits, and some could not be."""
        offsets = [_partition(each) for each in positions]
        if not waits:
            _asking(lambda: self._consumer.commit(offsets=offsets, asynchronous=True))
            return
        for each in _asking(lambda: self._consumer.commit(offsets=offsets, asynchronous=False)):
            if each.error is not None:
                raise KafkaTrouble(each.error.str())

    def close(self) -> None:
        """Leave the group, telling of the partitions that go; a worker with a name keeps its place there."""
        self._consumer.close()


class KafkaAdmin:
    """Asks for, makes and deletes topics."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._seconds = settings.request_timeout
        self._admin: AdminClient = _made(
            settings, lambda: _admin().AdminClient(_config(settings, {}), logger=_log)
        )

    def facts(self, topic: str) -> TopicFacts | None:
        """What there is to know of a topic; None: it does not exist. Raises `KafkaTrouble`."""
        found = _asking(self._admin.list_topics, topic, self._seconds).topics[topic]
        if found.error is not None or not found.partitions:
            return None
        admin = _admin()
        resource = admin.ConfigResource(admin.ConfigResource.Type.TOPIC, topic)
        (answer,) = self._admin.describe_configs([resource]).values()
        config = _asking(answer.result, self._seconds)
        return TopicFacts(
            partitions=len(found.partitions),
            replication=min(len(each.replicas) for each in found.partitions.values()),
            min_insync=int(config["min.insync.replicas"].value),
            max_message_bytes=int(config["max.message.bytes"].value),
        )

    def make(self, topic: str, *, partitions: int, replication: int, config: Mapping[str, str]) -> None:
        """Make a topic. Raises `KafkaTrouble`, also if it exists."""
        new = _admin().NewTopic(topic, partitions, replication, config=dict(config))
        (answer,) = self._admin.create_topics([new]).values()
        _asking(answer.result, self._seconds)

    def configure(self, topic: str, config: Mapping[str, str]) -> None:
        """Change settings of a topic. Raises `KafkaTrouble`."""
        admin = _admin()
        entries = [
            admin.ConfigEntry(name, value, incremental_operation=admin.AlterConfigOpType.SET)
            for name, value in config.items()
        ]
        resource = admin.ConfigResource(admin.ConfigResource.Type.TOPIC, topic, incremental_configs=entries)
        (answer,) = self._admin.incremental_alter_configs([resource]).values()
        _asking(answer.result, self._seconds)

    def grow(self, topic: str, partitions: int) -> None:
        """Have a topic have so many partitions, more than it has. Raises `KafkaTrouble`."""
        new = _admin().NewPartitions(topic, partitions)
        (answer,) = self._admin.create_partitions([new]).values()
        _asking(answer.result, self._seconds)


def _partition(position: PartitionOffset) -> Any:
    return _kafka().TopicPartition(position.topic, position.partition, position.offset, position.text)


def _asking(ask: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return ask(*arguments)
    except _kafka().KafkaException as error:
        raise KafkaTrouble(error.args[0].str()) from None


def _made(settings: KafkaSettings, make: Callable[[], Any]) -> Any:
    """A client. Raises `ConfigurationError` with what librdkafka says, but for the values it repeats."""
    try:
        return make()
    except _kafka().KafkaException as error:
        said = error.args[0].str()
        for value in settings.client.values():
            said = said.replace(f'"{value}"', '"…"')
        raise ConfigurationError(f"Kafka's client cannot be set up: {said}") from None


def _config(settings: KafkaSettings, more: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "bootstrap.servers": settings.bootstrap,
        "client.id": "antinode-relay",
        "socket.keepalive.enable": True,
        "reconnect.backoff.max.ms": 2000,
        **settings.client,
        **more,
    }


def _passing() -> frozenset[int]:
    """Errors of a consumer that pass by themselves, though they are not called retriable."""
    error = _kafka().KafkaError
    return frozenset(
        {
            error._ALL_BROKERS_DOWN,
            error._TRANSPORT,
            error._RESOLVE,
            error._TIMED_OUT,
            error._MAX_POLL_EXCEEDED,
            error._PARTITION_EOF,
            error.UNKNOWN_TOPIC_OR_PART,
            error.TOPIC_AUTHORIZATION_FAILED,
            error.COORDINATOR_LOAD_IN_PROGRESS,
            error.COORDINATOR_NOT_AVAILABLE,
            error.NOT_COORDINATOR,
            error.REBALANCE_IN_PROGRESS,
        }
    )


def _admin() -> ModuleType:
    _kafka()
    import confluent_kafka.admin  # noqa: PLC0415 - an extra

    module: ModuleType = confluent_kafka.admin
    return module


def _kafka() -> ModuleType:
    try:
        import confluent_kafka  # noqa: PLC0415 - an extra
    except ImportError:
        raise ConfigurationError(
            "Kafka needs confluent-kafka, which is not installed: pip install 'antinode[kafka]'"
        ) from None
    module: ModuleType = confluent_kafka
    return module
