"""What the tests have in common: events, workers in threads and processes, and what topics hold."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import msgspec

from antinode.relay.intake import KeptEvent
from antinode.relay.kafka.client import (
    KafkaAdmin,
    KafkaTrouble,
    PartitionOffset,
    RecordConsumer,
    RecordProducer,
)
from antinode.relay.kafka.dead_letters import read_obituary
from antinode.relay.kafka.intake import KafkaIntake
from antinode.relay.kafka.settings import KafkaSettings
from antinode.relay.kafka.topics import check_topics
from antinode.relay.kafka.worker import KafkaWorker
from antinode.relay.projects import Project, Projects
from antinode.relay.streams import stream_of

KEY = "0123456789abcdef0123456789abcdef"
OPTIONS = {"request_timeout_millis": 1000}
PATIENCE = 60.0


def project(endpoint, name="web", key=KEY):
    return Project(name=name, api_key=key, server_url=endpoint.url)


def event(user, seq, *, size=0, **properties):
    """An event as the front hands it over; its insert_id says which it is."""
    document = {
        "event_type": "e",
        "user_id": user,
        "insert_id": f"{user}-{seq}",
        "time": 1_700_000_000_000 + seq,
        "event_properties": {"seq": seq, **properties},
    }
    body = json.dumps(document).encode()
    body = body[:-1] + b" " * max(0, size - len(body)) + b"}"
    return KeptEvent(body=body, user_id=user, device_id=None, stream=stream_of(user, None))


def of_users(users, each, start=0, prefix="user"):
    """Events of so many users, `each` of every one, in turns."""
    return [event(f"{prefix}-{user}", seq) for seq in range(start, start + each) for user in range(users)]


def keep(settings, *requests):
    """Keep requests one after the other, each a project and its events."""

    async def run():
        intake = KafkaIntake(settings)
        await intake.open()
        try:
            for to, events in requests:
                await intake.keep(to, events)
        finally:
            await intake.close(5.0)
        return intake.stats()

    return asyncio.run(run())


@contextmanager
def running(worker):
    """A worker in a thread; what ends it early is raised at the end."""
    failures = []

    def run():
        try:
            worker.run()
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield worker
    finally:
        worker.stop()
        thread.join(PATIENCE)
        assert not thread.is_alive()
    if failures:
        raise failures[0]


def working(settings, *projects, **options):
    """A worker of these projects that runs."""
    return running(KafkaWorker(settings, Projects(projects), {**OPTIONS, **options}))


@contextmanager
def worker_process(settings, *projects):
    """A worker in a process of its own, which has partitions when this begins."""
    given = {
        "settings": msgspec.to_builtins(settings),
        "projects": [msgspec.to_builtins(each) for each in projects],
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.relay.kafka.scene"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=dict(os.environ),
    )
    try:
        process.stdin.write(json.dumps(given).encode() + b"\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"assigned\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def eventually(holds, seconds=PATIENCE):
    """Wait until something holds that no event tells of."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it has not come about"
        time.sleep(0.01)


def write(settings, value, headers, partition=0, *, topic=None):
    """Write a record as another program might."""
    producer = RecordProducer(settings, timeout=5.0)
    told = []
    producer.produce(topic or settings.topic, partition, value, headers, lambda why, _: told.append(why))
    eventually(lambda: producer.serve(0.1) or told)
    assert told == [None]
    producer.close(1.0)


def now_ms():
    return int(time.time() * 1000)


def read_all(settings, topic):
    """All records of a topic."""
    consumer = RecordConsumer(settings)
    found = []
    try:
        partitions = range(check_topics(settings))
        bounds = KafkaAdmin(settings).ask_bounds(topic, partitions, PATIENCE).answer()
        for partition, (low, high) in bounds.items():
            if low == high:
                continue
            consumer.assign([PartitionOffset(topic, partition, low)])
            position = low
            while position < high:
                for fetched in consumer.fetch(1000, 5.0):
                    found.append(fetched)
                    position = fetched.offset + 1
            consumer.unassign(topic, [partition])
    finally:
        consumer.close()
    return found


def dead_letters(settings):
    """The dead letters: each record, and why it is there."""
    return [(fetched, read_obituary(fetched.headers)) for fetched in read_all(settings, settings.dead_topic)]


def go_on(settings, projects):
    """Work until SIGTERM; what ends a worker is followed by another one, as by an orchestrator."""
    is_over = threading.Event()
    workers = []

    def end(*_):
        is_over.set()
        for each in workers:
            each.stop()

    signal.signal(signal.SIGTERM, end)
    while not is_over.is_set():
        worker = KafkaWorker(settings, projects, {"request_timeout_millis": 3000})
        workers[:] = [worker]
        try:
            worker.run()
        except KafkaTrouble as error:
            logging.warning("a worker ended: %s", error)


def main():
    given = json.loads(sys.stdin.readline())
    settings = msgspec.convert(given["settings"], KafkaSettings)
    projects = Projects(msgspec.convert(given["projects"], list[Project]))
    if given.get("goes_on"):
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
        go_on(settings, projects)
        return
    worker = KafkaWorker(settings, projects, OPTIONS)
    thread = threading.Thread(target=worker.run)
    thread.start()
    if worker.wait_until_assigned(PATIENCE):
        print("assigned", flush=True)
    thread.join()


if __name__ == "__main__":
    main()
