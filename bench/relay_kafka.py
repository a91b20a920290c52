"""What an event costs a worker of the relay, from Kafka to a sink, with few and many partitions.

    python -m tests.relay.kafka.cluster start --throughput     prints the address of a broker
    python bench/relay_kafka.py HOST:PORT                      200,000 events in 1 and in 48 partitions
    python bench/relay_kafka.py HOST:PORT --at-once 1          requests that share no records
    python -m tests.relay.kafka.cluster stop

What counts is the CPU time of the worker's process, threads of librdkafka included, per event.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import threading
import time
from uuid import uuid4

from suite.sink_process import SinkProcess

from antinode.relay.intake import KeptEvent
from antinode.relay.kafka.intake import KafkaIntake
from antinode.relay.kafka.settings import KafkaSettings
from antinode.relay.kafka.topics import make_topics
from antinode.relay.kafka.worker import KafkaWorker
from antinode.relay.projects import Project, Projects
from antinode.relay.streams import stream_of

KEY = "0123456789abcdef0123456789abcdef"
USERS = 5000
PER_REQUEST = 500
TEXT = "x" * 280


def events(start: int, count: int) -> list[KeptEvent]:
    """Events of about 480 bytes, of many users in turns."""
    found = []
    for number in range(start, start + count):
        user = f"user-{number % USERS}"
        document = {
            "event_type": "Song Played",
            "user_id": user,
            "insert_id": f"i-{number}",
            "time": 1_790_000_000_000 + number,
            "event_properties": {"n": number, "title": TEXT},
        }
        found.append(KeptEvent(json.dumps(document).encode(), user, None, stream_of(user, None)))
    return found


async def fill(settings: KafkaSettings, project: Project, count: int, at_once: int) -> float:
    """Keep so many events, so many requests of them at once. Returns the CPU seconds of keeping alone."""
    intake = KafkaIntake(settings)
    await intake.open()
    cpu = 0.0
    for start in range(0, count, PER_REQUEST * at_once):
        stop = start + PER_REQUEST * at_once
        requests = [events(at, PER_REQUEST) for at in range(start, stop, PER_REQUEST)]
        begun = time.process_time()
        await asyncio.gather(*(intake.keep(project, each) for each in requests))
        cpu += time.process_time() - begun
    await intake.close(10.0)
    return cpu


def deliver(settings: KafkaSettings, url: str, count: int, *, compress: bool) -> None:
    """Be the worker: deliver so many events, and print the CPU and the time that it took."""
    projects = Projects([Project(name="web", api_key=KEY, server_url=url)])
    worker = KafkaWorker(settings, projects, {"compress": compress})
    begun, cpu = time.perf_counter(), time.process_time()
    thread = threading.Thread(target=worker.run)
    thread.start()
    while not (found := worker.figures()) or found["web"].delivered < count:
        time.sleep(0.05)
    figures = [time.process_time() - cpu, time.perf_counter() - begun]
    sys.stdout.write(json.dumps(figures) + "\n")
    sys.stdout.flush()
    worker.stop()
    thread.join()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bootstrap", metavar="HOST:PORT")
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--partitions", type=int, nargs="*", default=[1, 48])
    parser.add_argument("--at-once", type=int, default=20, help="requests that a front has at once")
    parser.add_argument("--compress", action="store_true", help="send gzip, as to Amplitude")
    parser.add_argument("--deliver", nargs=2, metavar=("TOPIC", "URL"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    given = {"bootstrap": arguments.bootstrap, "allow_small_cluster": True}
    if arguments.deliver:
        topic, url = arguments.deliver
        deliver(
            KafkaSettings(topic=topic, group=topic, **given),
            url,
            arguments.events,
            compress=arguments.compress,
        )
        return
    for partitions in arguments.partitions:
        topic = f"bench-{uuid4().hex[:12]}"
        settings = KafkaSettings(topic=topic, group=topic, **given)
        make_topics(settings, partitions, replication=1)
        project = Project(name="web", api_key=KEY)
        kept = asyncio.run(fill(settings, project, arguments.events, arguments.at_once))
        with SinkProcess() as sink:
            command = [sys.executable, __file__, arguments.bootstrap, "--events", str(arguments.events)]
            command += ["--compress"] if arguments.compress else []
            worker = subprocess.run(  # noqa: S603 - our own
                [*command, "--deliver", topic, sink.url], stdout=subprocess.PIPE, check=True
            )
        cpu, seconds = json.loads(worker.stdout)
        per_event = 1e6 / arguments.events
        sys.stdout.write(
            f"{partitions:3} partitions: keeping {kept * per_event:.2f} µs CPU an event, delivering "
            f"{cpu * per_event:.2f} µs CPU, {arguments.events / cpu:,.0f} events/s a core; "
            f"took {seconds:.1f} s\n"
        )


if __name__ == "__main__":
    main()
