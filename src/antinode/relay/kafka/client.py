"""The client of the brokers: the one place that knows confluent-kafka."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast

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

# Errors that pass by themselves, though the library does not always call them retriable.
_PASSING: Final = (
    "_ALL_BROKERS_DOWN",
    "_DESTROY_BROKER",
    "_MAX_POLL_EXCEEDED",
    "_PARTITION_EOF",
    "_RESOLVE",
    "_STATE",
    "_TIMED_OUT",
    "_TIMED_OUT_QUEUE",
    "_TRANSPORT",
    "_WAIT_COORD",
    "BROKER_NOT_AVAILABLE",
    "COORDINATOR_LOAD_IN_PROGRESS",
    "COORDINATOR_NOT_AVAILABLE",
    "FENCED_LEADER_EPOCH",
    "KAFKA_STORAGE_ERROR",
    "LEADER_NOT_AVAILABLE",
    "NETWORK_EXCEPTION",
    "NOT_COORDINATOR",
    "NOT_LEADER_FOR_PARTITION",
    "OFFSET_NOT_AVAILABLE",
    "REBALANCE_IN_PROGRESS",
    "REPLICA_NOT_AVAILABLE",
    "REQUEST_TIMED_OUT",
    "TOPIC_AUTHORIZATION_FAILED",
    "UNKNOWN_LEADER_EPOCH",
    "UNKNOWN_TOPIC_OR_PART",
)

Delivered = Callable[[str | None, int], object]
"""Called when a record was written, with None and its offset, or with why it was not."""


Answered = TypeVar("Answered")


class KafkaTrouble(Exception):
    """The brokers did not do what they were asked for; it may work later."""

    def __init__(self, why: str, *, passes: bool = True) -> None:
        """`passes`: whether the same may work when it is tried again."""
        super().__init__(why)
        self.passes = passes


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
        config = client_config(self._settings, self._config)
        producer: _Producer = made(self._settings, lambda: confluent().Producer(config, logger=_log))
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
        except confluent().KafkaException as error:
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

    def flush(self, seconds: float) -> None:
        """Call back for all that was written, within so many seconds."""
        self._producer.flush(seconds)

    def probe(self, topic: str, timeout: float) -> None:
        """Ask the brokers for a topic. Raises `KafkaTrouble` if they do not answer."""
        asking(self._producer.list_topics, topic, timeout)

    def close(self, within: float) -> None:
        """Wait for what is under way, then have the rest fail."""
        self._producer.flush(within)
        self._producer.purge()
        self._producer.flush(1.0)


class Inquiry(Generic[Answered]):
    """What the brokers were asked, and have perhaps answered by now."""

    def __init__(
        self, futures: Sequence[Future[Any]], read: Callable[[list[Any]], Answered], asker: object = None
    ) -> None:
        """`asker` has to live until there is an answer."""
        self._asker = asker
        self._futures = futures
        self._read = read

    @property
    def is_answered(self) -> bool:
        """Whether `answer` returns at once."""
        return all(future.done() for future in self._futures)

    def answer(self) -> Answered:
        """What they say, as soon as they do. Raises `KafkaTrouble`."""
        return self._read([asking(future.result) for future in self._futures])


class RecordConsumer:
    """Reads the partitions that it is told to, in no group. One thread calls it."""

    def __init__(self, settings: KafkaSettings) -> None:
        config = {
            # librdkafka wants one; nothing is ever committed to it.
            "group.id": f"{settings.group}-reader",
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
        self._consumer: _Consumer = made(
            settings, lambda: confluent().Consumer(client_config(settings, config), logger=_log)
        )
        self._errors = PassingErrors()

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
        if error is not None:
            self._errors.hear(error)
            return None
        return Fetched(
            message.topic() or "",
            message.partition() or 0,
            message.offset() or 0,
            cast("Headers | None", message.headers()),
            message.value(),
        )

    def assign(self, positions: Iterable[PartitionOffset]) -> None:
        """Read these partitions, too, from these offsets on."""
        self._consumer.incremental_assign([topic_partition(each) for each in positions])

    def unassign(self, topic: str, partitions: Iterable[int]) -> None:
        """Read these partitions no longer."""
        kafka = confluent()
        self._consumer.incremental_unassign([kafka.TopicPartition(topic, each) for each in partitions])

    def seek(self, topic: str, partition: int, offset: int) -> None:
        """Go on with this offset of a partition that is read. Raises `KafkaTrouble` if it is not, yet."""
        asking(self._consumer.seek, confluent().TopicPartition(topic, partition, offset))

    def close(self) -> None:
        """Read no more."""
        self._consumer.close()


class KafkaAdmin:
    """Asks for, makes and deletes topics."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._seconds = settings.request_timeout
        self.renew()

    def renew(self) -> None:
        """Ask by a new client from now on: one that has seen a broker go may find no leaders ever after."""
        settings = self._settings
        self._admin: AdminClient = made(
            settings, lambda: _admin().AdminClient(client_config(settings, {}), logger=_log)
        )

    def facts(self, topic: str) -> TopicFacts | None:
        """What there is to know of a topic; None: it does not exist. Raises `KafkaTrouble`."""
        found = asking(self._admin.list_topics, topic, self._seconds).topics[topic]
        if found.error is not None or not found.partitions:
            return None
        admin = _admin()
        resource = admin.ConfigResource(admin.ConfigResource.Type.TOPIC, topic)
        (answer,) = self._admin.describe_configs([resource]).values()
        config = asking(answer.result, self._seconds)
        return TopicFacts(
            partitions=len(found.partitions),
            replication=min(len(each.replicas) for each in found.partitions.values()),
            min_insync=int(config["min.insync.replicas"].value),
            max_message_bytes=int(config["max.message.bytes"].value),
        )

    def ask_committed(
        self, topics: Sequence[str], partitions: Sequence[int], seconds: float, *, group: str | None = None
    ) -> Inquiry[dict[tuple[str, int], PartitionOffset]]:
        """Ask what the group has committed of these partitions of all these topics, by topic and partition.

        Those without a commit are left out. The brokers have so many seconds for it. The `group` is that of
        the settings unless given.
        """
        kafka, group = confluent(), group or self._settings.group
        asked = [kafka.TopicPartition(topic, each) for topic in topics for each in partitions]
        request = kafka.ConsumerGroupTopicPartitions(group, asked)

        def read(answers: list[Any]) -> dict[tuple[str, int], PartitionOffset]:
            found: dict[tuple[str, int], PartitionOffset] = {}
            for each in answers[0].topic_partitions:
                if each.error is not None:
                    raise KafkaTrouble(each.error.str())
                if each.offset >= 0:
                    position = PartitionOffset(each.topic, each.partition, each.offset, each.metadata or "")
                    found[each.topic, each.partition] = position
            return found

        futures = self._admin.list_consumer_group_offsets([request], request_timeout=seconds)
        return Inquiry(list(futures.values()), read, self._admin)

    def ask_bounds(
        self, topic: str, partitions: Sequence[int], seconds: float
    ) -> Inquiry[dict[int, tuple[int, int]]]:
        """Ask for the first offset that there is in each partition, and the next that there will be.

        The brokers have so many seconds for it.
        """
        kafka, spec = confluent(), _admin().OffsetSpec
        futures: list[Future[Any]] = []
        numbers: list[int] = []
        for which in (spec.earliest(), spec.latest()):
            asked = {kafka.TopicPartition(topic, each): which for each in partitions}
            found = self._admin.list_offsets(asked, request_timeout=seconds)
            futures += found.values()
            numbers += [each.partition for each in found]

        def read(answers: list[Any]) -> dict[int, tuple[int, int]]:
            count = len(partitions)
            lows, highs = (
                dict(zip(numbers[part], [each.offset for each in answers[part]], strict=True))
                for part in (slice(count), slice(count, None))
            )
            return {each: (lows[each], highs[each]) for each in partitions}

        return Inquiry(futures, read, self._admin)

    def make(self, topic: str, *, partitions: int, replication: int, config: Mapping[str, str]) -> None:
        """Make a topic. Raises `KafkaTrouble`, also if it exists."""
        new = _admin().NewTopic(topic, partitions, replication, config=dict(config))
        (answer,) = self._admin.create_topics([new]).values()
        asking(answer.result, self._seconds)

    def configure(self, topic: str, config: Mapping[str, str]) -> None:
        """Change settings of a topic. Raises `KafkaTrouble`."""
        admin = _admin()
        entries = [
            admin.ConfigEntry(name, value, incremental_operation=admin.AlterConfigOpType.SET)
            for name, value in config.items()
        ]
        resource = admin.ConfigResource(admin.ConfigResource.Type.TOPIC, topic, incremental_configs=entries)
        (answer,) = self._admin.incremental_alter_configs([resource]).values()
        asking(answer.result, self._seconds)

    def grow(self, topic: str, partitions: int) -> None:
        """Have a topic have so many partitions, more than it has. Raises `KafkaTrouble`."""
        new = _admin().NewPartitions(topic, partitions)
        (answer,) = self._admin.create_partitions([new]).values()
        asking(answer.result, self._seconds)


class PassingErrors:
    """Logs the errors of a consumer that pass by themselves, each once while it is the same."""

    def __init__(self) -> None:
        self._last: str | None = None

    def hear(self, error: Any) -> None:
        """Hear of an error. Raises `KafkaTrouble` if it does not pass."""
        if error.fatal() or not _passes(error):
            raise KafkaTrouble(error.str(), passes=False)
        if error.str() != self._last:
            self._last = error.str()
            _log.warning("antinode relay: Kafka: %s", self._last)


def is_too_large(why: str) -> bool:
    """Whether this is why the brokers did not take a record: it is larger than its topic allows."""
    error = confluent().KafkaError
    return bool(why == error(error.MSG_SIZE_TOO_LARGE).str())


def topic_partition(position: PartitionOffset) -> Any:
    """What confluent-kafka calls a position."""
    return confluent().TopicPartition(position.topic, position.partition, position.offset, position.text)


def asking(ask: Callable[..., Any], *arguments: Any) -> Any:
    """What a call returns, with `KafkaTrouble` for the library's exceptions."""
    try:
        return ask(*arguments)
    except FutureTimeout:
        raise KafkaTrouble("the brokers do not answer in time") from None
    except confluent().KafkaException as error:
        raise trouble_of(error.args[0]) from None


def trouble_of(error: Any) -> KafkaTrouble:
    """An error of the library's as an exception."""
    return KafkaTrouble(error.str(), passes=_passes(error))


def made(settings: KafkaSettings, make: Callable[[], Any]) -> Any:
    """A client. Raises `ConfigurationError` with what librdkafka says, but for the values it repeats."""
    try:
        return make()
    except confluent().KafkaException as error:
        said = error.args[0].str()
        for value in settings.client.values():
            said = said.replace(f'"{value}"', '"…"')
        raise ConfigurationError(f"Kafka's client cannot be set up: {said}") from None


def client_config(settings: KafkaSettings, more: Mapping[str, Any]) -> dict[str, Any]:
    """What every client is configured with, and more."""
    return {
        "bootstrap.servers": settings.bootstrap,
        "client.id": "antinode-relay",
        "socket.keepalive.enable": True,
        "reconnect.backoff.max.ms": 2000,
        **settings.client,
        **more,
    }


def _passes(error: Any) -> bool:
    """Whether an error passes by itself: many that do are not called retriable."""
    return bool(error.retriable()) or error.code() in {
        getattr(confluent().KafkaError, name) for name in _PASSING
    }


def _admin() -> ModuleType:
    confluent()
    import confluent_kafka.admin  # noqa: PLC0415 - an extra

    module: ModuleType = confluent_kafka.admin
    return module


def confluent() -> ModuleType:
    """The library. Raises `ConfigurationError` if it is not installed."""
    try:
        import confluent_kafka  # noqa: PLC0415 - an extra
    except ImportError:
        raise ConfigurationError(
            "Kafka needs confluent-kafka, which is not installed: pip install 'antinode[kafka]'"
        ) from None
    module: ModuleType = confluent_kafka
    return module
