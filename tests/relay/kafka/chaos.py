"""A long run of the relay on three brokers, some of which are killed, and workers: is anything lost or late?

    python -m tests.relay.kafka.chaos                    about two minutes, 250,000 events
    python -m tests.relay.kafka.chaos --events 50000

Events are kept as a front keeps them, with the same request again after each refusal. Two workers deliver;
one after the other is killed with SIGKILL, a broker is killed and comes back, and one user, who has a tenth
of all events, is throttled most of the time. Prints one JSON object; ends with 1 if an event was lost.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path

from antinode.relay.intake import NotKept
from antinode.relay.kafka.intake import KafkaIntake
from antinode.relay.kafka.settings import KafkaSettings
from antinode.relay.kafka.topics import make_topics
from antinode.testing import faults
from antinode.testing.endpoint import Endpoint
from tests.relay.kafka.cluster import Cluster
from tests.relay.kafka.scene import event, project, worker_process

USERS = 540
PER_REQUEST = 250
PARTITIONS = 12
SETTLE_SECONDS = 240.0


class Feed:
    """Keeps all events, each request again until it is kept."""

    def __init__(self, settings, to, count):
        self.settings, self.to, self.count = settings, to, count
        self.kept = self.refusals = 0
        self.thread = threading.Thread(target=lambda: asyncio.run(self.run()))

    async def run(self):
        intake = KafkaIntake(self.settings)
        await intake.open()
        seqs = {}
        together = []
        for number in range(self.count):
            user = "hot" if number % 10 == 0 else f"user-{number % USERS}"
            seqs[user] = seqs.get(user, -1) + 1
            together.append(event(user, seqs[user]))
            if len(together) == PER_REQUEST or number == self.count - 1:
                await self.keep(intake, together)
                self.kept += len(together)
                together = []
        await intake.close(10.0)

    async def keep(self, intake, events):
        while True:
            try:
                return await intake.keep(self.to, events)
            except NotKept:
                self.refusals += 1
                await asyncio.sleep(0.2)


def run(count, directory):
    cluster = Cluster(directory / "cluster")
    begun = time.monotonic()
    kills = 0
    try:
        cluster.start(3, heap="320m")
        settings = KafkaSettings(
            bootstrap=cluster.bootstrap,
            topic="chaos",
            group="chaos",
            keep_timeout=5.0,
            session_timeout=3.0,
            drain_timeout=5.0,
            commit_interval=0.5,
        )
        make_topics(settings, PARTITIONS)
        with Endpoint(keep="ids") as endpoint, ExitStack() as workers:
            endpoint.answer = faults.throttle(users=["hot"])
            web = project(endpoint)
            feed = Feed(settings, web, count)
            feed.thread.start()
            living = [workers.enter_context(worker_process(settings, web)) for _ in range(2)]
            for at in range(4):
                wait(lambda share=at + 1: feed.kept >= count * share // 6)
                if at == 1:
                    cluster.kill(2)
                if at == 3:
                    cluster.restart(2)
                living.pop(0).kill()
                kills += 1
                living.append(workers.enter_context(worker_process(settings, web)))
            feed.thread.join()
            endpoint.answer = None
            end = time.monotonic() + SETTLE_SECONDS
            while endpoint.summary()["events"] < count and time.monotonic() < end:
                time.sleep(0.2)
            found = endpoint.summary()
    finally:
        cluster.stop()
    return {
        "events": count,
        "lost": count - found["events"],
        "sent_again": found["received"] - found["events"],
        "out_of_order": found["out_of_order"],
        "without_insert_id": found["without_insert_id"],
        "refused_requests": feed.refusals,
        "workers_killed": kills,
        "brokers_killed": 1,
        "requests": found["by_status"],
        "seconds": round(time.monotonic() - begun, 1),
    }


def wait(holds):
    while not holds():
        time.sleep(0.05)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=250_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        figures = run(arguments.events, Path(directory))
    print(json.dumps(figures, indent=1))
    sys.exit(any(figures[name] for name in ("lost", "out_of_order", "without_insert_id")))


if __name__ == "__main__":
    main()
