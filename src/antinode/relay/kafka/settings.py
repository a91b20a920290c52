"""What the relay has to know of a cluster and its topics, and the figures by which it works."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from antinode._errors import ConfigurationError

_TOPIC: Final = re.compile(r"[A-Za-z0-9._-]{1,200}")
# What the relay decides, since its promises depend on it.
_OURS: Final = frozenset(
    {
        "acks",
        "request.required.acks",
        "auto.offset.reset",
        "enable.auto.commit",
        "enable.auto.offset.store",
        "enable.idempotence",
        "group.id",
        "group.instance.id",
        "group.protocol",
        "max.in.flight",
        "max.in.flight.requests.per.connection",
        "partition.assignment.strategy",
    }
)


class KafkaSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where Kafka is, and what the relay does with it. Times in seconds, sizes in bytes."""

    bootstrap: str
    """Addresses of brokers, `host:port` with commas between them."""
    topic: str = "antinode-events"
    """Where events wait. What is parked and what has failed is in two more topics, named after it."""
    group: str = "antinode-relay"
    """The consumer group that all workers are in."""
    instance: str | None = None
    """A name of this worker that it has again after a restart: its partitions then wait for it."""
    partitions: int | None = None
    """How many partitions the topic must have; None: as many as it has."""
    allow_small_cluster: bool = False
    """Whether topics may have fewer than three copies, or be written with fewer than two."""
    client: Mapping[str, str] = msgspec.field(default_factory=dict)
    """More settings for librdkafka, as for TLS and SASL."""
    keep_timeout: float = 10.0
    """How long the front waits for the brokers before a client is told to send again."""
    request_timeout: float = 15.0
    """How long the brokers may take to say what they are asked."""
    session_timeout: float = 45.0
    """After so long without a sign of life, a worker's partitions go to others."""
    drain_timeout: float = 15.0
    """How long partitions that are taken away wait for the answers of requests under way."""
    commit_interval: float = 1.0
    max_buffered_bytes: int = 64 * 1024 * 1024
    """Of what was fetched and not given to delivery yet; beyond, partitions pause."""
    max_lag_events: int = 50_000
    """A throttled stream that keeps a partition's watermark so many events behind is parked."""
    max_lane_events: int = 1_000
    """A throttled stream of which so many events wait in memory is parked."""
    max_event_age: float = 6 * 86_400.0
    """Older events are set aside: after seven days Amplitude no longer knows an insert_id."""

    def __post_init__(self) -> None:
        if not self.bootstrap:
            raise ConfigurationError("Kafka's address is missing: write host:port of one broker or more")
        if not _TOPIC.fullmatch(self.topic):
            raise ConfigurationError(
                f"{self.topic!r:.60} cannot be a topic: write up to 200 letters, digits, dots, dashes and "
                "underscores"
            )
        if taken := sorted(_OURS & set(self.client)):
            raise ConfigurationError(f"{taken[0]} cannot be set: what the relay promises depends on it")

    @property
    def parked_topic(self) -> str:
        """Where throttled streams wait that memory has no room for."""
        return f"{self.topic}-parked"

    @property
    def dead_topic(self) -> str:
        """Where events go that cannot be delivered, each with its reason."""
        return f"{self.topic}-dead"

    def __repr__(self) -> str:
        # `client` may hold a password.
        return f"<KafkaSettings {self.topic!r} at {self.bootstrap!r}>"

    __str__ = __repr__
