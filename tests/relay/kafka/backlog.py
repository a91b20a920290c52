"""A worker with a backlog of any length before it, in place of Kafka: does its memory stay the same?

    python -m tests.relay.kafka.backlog                        five million events, 12 partitions
    python -m tests.relay.kafka.backlog --events 100000000     a week at 165 events a second

The records are made as they are read; everything else is the worker as it runs, which sends to a local sink.
Prints JSON: the most memory at each tenth of the way, in megabytes, and events a second.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from unittest import mock

from antinode.relay.kafka import worker as workers
from antinode.relay.kafka.client import Fetched, PartitionOffset
from antinode.relay.kafka.records import RecordHead, headers_of, pack
from antinode.relay.kafka.settings import KafkaSettings
from antinode.relay.kafka.worker import KafkaWorker
from antinode.relay.projects import Project, Projects
from tests.relay.kafka.scene import KEY, event

PER_RECORD = 50
EVENT_BYTES = 480
MEGABYTE = 1024 * 1024


class Backlog:
    """What is in Kafka, and everybody that the worker talks to there."""

    def __init__(self, settings: KafkaSettings, project: Project, *, partitions: int, records: int) -> None:
        """`records` are in each partition."""
        self.settings = settings
        self.partitions = partitions
        self.records = records
        self.at_once = 500
        """How many records one fetch finds at most."""
        self.fetched = 0
        """Records, by all fetches."""
        self.committed: dict[tuple[str, int], int] = {}
        self._positions: dict[int, int] = {}
        self._told: list[Callable[[], object]] = []
        head = RecordHead(project.fingerprint, int(time.time() * 1000), partitions)
        self._headers = headers_of(head)
        self._values = [self._value(partition) for partition in range(partitions)]

    def _value(self, partition: int) -> bytes:
        together = []
        number = 0
        while len(together) < PER_RECORD:
            one = event(f"user-{number}", 0, size=EVENT_BYTES)
            number += 1
            if one.stream % self.partitions == partition:
                together.append(one)
        return pack([each.stream for each in together], [each.body for each in together])

    # The admin.

    def ask_committed(self, topics: Sequence[str], partitions: Sequence[int], seconds: float) -> Said:
        return Said({})

    def ask_bounds(self, topic: str, partitions: Sequence[int], seconds: float) -> Said:
        return Said(dict.fromkeys(partitions, (0, 0)))

    # The member of the group.

    def join(self, on_assigned, on_revoked, on_lost, on_committed) -> None:
        self._on_revoked, self._on_committed = on_revoked, on_committed
        self._told.append(lambda: on_assigned(range(self.partitions)))

    def serve(self, seconds: float) -> None:
        if not self._told:
            time.sleep(seconds)
        while self._told:
            self._told.pop()()

    def commit(self, positions: Sequence[PartitionOffset]) -> None:
        self.commit_and_wait(positions)
        self._told.append(lambda: self._on_committed(None))

    def commit_and_wait(self, positions: Sequence[PartitionOffset]) -> None:
        self.committed |= {(each.topic, each.partition): each.offset for each in positions}

    def leave(self) -> None:
        self._on_revoked(range(self.partitions))

    # Who reads.

    def assign(self, positions: Sequence[PartitionOffset]) -> None:
        for each in positions:
            if each.topic == self.settings.topic:
                self._positions[each.partition] = each.offset

    def unassign(self, topic: str, partitions: Sequence[int]) -> None:
        for each in partitions:
            self._positions.pop(each, None)

    def fetch(self, most: int, seconds: float) -> list[Fetched]:
        """Up to so many records, of each partition as many, as from a broker that is never short of any."""
        found = []
        each = max(1, min(most, self.at_once) // max(1, len(self._positions)))
        for partition, position in self._positions.items():
            stop = min(position + each, self.records)
            value, topic = self._values[partition], self.settings.topic
            found += [Fetched(topic, partition, at, self._headers, value) for at in range(position, stop)]
            self._positions[partition] = stop
        self.fetched += len(found)
        return found

    # Who writes, and whoever ends.

    def produce(self, *record: object) -> None:
        raise AssertionError("nothing of it is parked, or a dead letter")

    def close(self, within: float = 0.0) -> None:
        pass


class Said:
    """An answer that is there at once."""

    is_answered = True

    def __init__(self, found: dict) -> None:
        self._found = found

    def answer(self) -> dict:
        return self._found


@contextmanager
def working_off(backlog: Backlog, project: Project, **options):
    """A worker on this backlog, in a thread."""

    def here(*_: object, **__: object) -> Backlog:
        return backlog

    names = ("KafkaAdmin", "GroupMember", "RecordConsumer", "RecordProducer")
    with mock.patch.multiple(
        workers, check_topics=lambda _: backlog.partitions, **dict.fromkeys(names, here)
    ):
        worker = KafkaWorker(backlog.settings, Projects([project]), options)
        thread = threading.Thread(target=worker.run)
        thread.start()
        try:
            yield worker
        finally:
            worker.stop()
            thread.join()


def most_memory() -> float:
    """The most that this process has had so far, in megabytes."""
    import resource  # not on Windows

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MEGABYTE


def work_off(url: str, count: int, partitions: int, settings: KafkaSettings, **options) -> dict:
    """Have a worker deliver so many events. Returns figures."""
    project = Project(name="web", api_key=KEY, server_url=url)
    records = count // (PER_RECORD * partitions)
    total = records * PER_RECORD * partitions
    backlog = Backlog(settings, project, partitions=partitions, records=records)
    begun = time.monotonic()
    tenths: list[float] = []
    with working_off(backlog, project, **options) as worker:
        while len(tenths) < 10:
            figures = worker.figures()
            if figures and figures["web"].delivered >= total * (len(tenths) + 1) // 10:
                tenths.append(round(most_memory(), 1))
            time.sleep(0.01)
    seconds = time.monotonic() - begun
    ends = {backlog.committed[settings.topic, each] for each in range(partitions)}
    assert ends == {records}, ends
    return {"events": total, "megabytes": tenths, "events_per_second": round(total / seconds)}


def main() -> None:
    from bench.suite.sink_process import SinkProcess

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--partitions", type=int, default=12)
    parser.add_argument("--bound", type=int, metavar="BYTES", help="of what waits, in place of the defaults")
    arguments = parser.parse_args()
    settings = KafkaSettings(bootstrap="nowhere:1")
    options: dict = {"compress": False}
    if arguments.bound:
        settings = KafkaSettings(bootstrap="nowhere:1", max_buffered_bytes=arguments.bound)
        options["max_queue_bytes"] = arguments.bound
    with SinkProcess() as sink:
        print(json.dumps(work_off(sink.url, arguments.events, arguments.partitions, settings, **options)))


if __name__ == "__main__":
    main()
