"""The relay on three brokers while its parts are killed: is anything lost, counted twice, or out of order?

    python -m tests.relay.kafka.chaos                       two minutes of everything that may die
    python -m tests.relay.kafka.chaos --seconds 600 --rate 3000
    python -m tests.relay.kafka.chaos storm                 workers that come and go every second or two
    python -m tests.relay.kafka.chaos disk                  brokers whose disk is full (as root, to mount it)

Services send over HTTP to two fronts, three workers deliver to a local Amplitude. `kills` ends workers,
fronts and each broker with SIGKILL, takes Amplitude away for 25 seconds, and throttles one user, who has a
tenth of all events, most of the time. Prints one JSON object; the exit code is 1 if an event was lost, came
under two insert_ids, or out of its user's order.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import msgspec

from antinode.relay.kafka.settings import KafkaSettings
from antinode.relay.kafka.topics import make_topics
from antinode.testing import faults
from antinode.testing.endpoint import Endpoint
from tests.needs import program
from tests.relay.kafka.cluster import Cluster
from tests.relay.kafka.fleet import HOT, Front, Services, Worker
from tests.relay.kafka.scene import project

PARTITIONS = 12
OUTAGE_SECONDS = 25.0
SETTLE_SECONDS = 300.0


class Stage:
    """Brokers, fronts, workers, services and Amplitude, of one run."""

    def __init__(self, directory: Path, endpoint: Endpoint, cluster: Cluster, rate: float) -> None:
        self.endpoint = endpoint
        self.cluster = cluster
        self.settings = KafkaSettings(
            bootstrap=cluster.bootstrap,
            topic="chaos",
            group="chaos",
            session_timeout=6.0,
            drain_timeout=10.0,
            commit_interval=0.5,
        )
        make_topics(self.settings, PARTITIONS)
        self.fronts = [Front(self.settings, directory / f"front-{each}.log") for each in range(2)]
        web = project(endpoint)
        # As of a StatefulSet, but for one.
        self.workers = [
            Worker(msgspec.structs.replace(self.settings, instance=name), web, directory / f"worker-{at}.log")
            for at, name in enumerate(["worker-0", "worker-1", None])
        ]
        self.services = Services(self.fronts, rate=rate)
        self.kills = {"workers": 0, "fronts": 0, "brokers": 0}
        self.begun = time.monotonic()

    def start(self) -> None:
        """Start all of it."""
        for each in (*self.fronts, *self.workers):
            each.start()
        self.services.start()
        self.begun = time.monotonic()

    def wait_until(self, seconds: float) -> None:
        """Wait until so many seconds have gone by since the start."""
        time.sleep(max(0.0, self.begun + seconds - time.monotonic()))

    def kill_worker(self, number: int) -> None:
        """Kill a worker, and start it again."""
        self.workers[number].kill()
        self.workers[number].start()
        self.kills["workers"] += 1

    def kill_front(self, number: int) -> None:
        """Kill a front, and start it again."""
        self.fronts[number].kill()
        self.fronts[number].start()
        self.kills["fronts"] += 1

    def kill_broker(self, number: int) -> None:
        """Kill a broker."""
        self.cluster.kill(number)
        self.kills["brokers"] += 1

    def close(self) -> None:
        """End all that was started."""
        for each in (*self.fronts, *self.workers):
            each.kill()

    def settle(self) -> dict:
        """Wait until everything that was answered 200 has arrived, and say what did."""
        self.services.finish()
        sent = self.services.count
        end = time.monotonic() + SETTLE_SECONDS
        while self.endpoint.summary()["events"] < sent and time.monotonic() < end:
            time.sleep(0.1)
        found = self.endpoint.summary()
        late = {each.user_id for each in self.endpoint.out_of_order()}
        # An event under a second insert_id counts as another one, and is late too.
        return {
            "events": sent,
            "lost": max(0, sent - found["events"]),
            "under_two_insert_ids": max(0, found["events"] - sent),
            "users_out_of_order": len(late),
            "users": len(self.services.kept),
            "sent_again": found["received"] - found["events"],
            "without_insert_id": found["without_insert_id"],
            "killed": self.kills,
            "refused_to_services": dict(self.services.refusals),
            "requests": found["by_status"],
            "seconds": round(time.monotonic() - self.begun, 1),
        }


def is_well(figures: dict) -> bool:
    """Whether nothing was lost, doubled or late."""
    wrong = ("lost", "under_two_insert_ids", "users_out_of_order", "without_insert_id")
    return not any(figures[name] for name in wrong)


@contextmanager
def staged(rate: float, *, data: Path | None = None) -> Iterator[Stage]:
    """A stage on three brokers, which are gone after; `data` is where they keep theirs."""
    with tempfile.TemporaryDirectory() as directory, ExitStack() as ending:
        cluster = Cluster(data or Path(directory) / "cluster")
        ending.callback(cluster.stop)
        cluster.start(3, heap="320m")
        endpoint = ending.enter_context(Endpoint(keep="ids"))
        stage = Stage(Path(directory), endpoint, cluster, rate)
        ending.callback(stage.close)
        stage.start()
        yield stage


def kills(seconds: float, rate: float) -> dict:
    """Everything that may die does, each broker too."""
    with staged(rate) as stage:
        stage.endpoint.answer = faults.throttle(users=[HOT])

        def outage() -> None:
            stage.endpoint.down(min(OUTAGE_SECONDS, seconds / 4))

        def free() -> None:
            stage.endpoint.answer = None

        doings = [
            lambda: stage.kill_worker(0),
            lambda: stage.kill_broker(1),
            lambda: stage.kill_worker(2),
            lambda: stage.kill_front(0),
            lambda: stage.cluster.restart(1),
            outage,
            lambda: stage.kill_worker(1),
            lambda: stage.kill_broker(2),
            lambda: stage.kill_front(1),
            lambda: stage.kill_worker(2),
            lambda: stage.cluster.restart(2),
            lambda: stage.kill_worker(0),
            lambda: stage.kill_broker(3),
            lambda: stage.kill_worker(1),
            free,
            lambda: stage.cluster.restart(3),
        ]
        for at, do in enumerate(doings, 1):
            stage.wait_until(seconds * at / (len(doings) + 1))
            do()
        stage.wait_until(seconds)
        return stage.settle()


def storm(seconds: float, rate: float) -> dict:
    """Workers come and go, every second or two, half of them killed."""
    with staged(rate) as stage, ExitStack() as ending:
        joined = left = 0
        guests: list[Worker] = []
        while time.monotonic() < stage.begun + seconds:
            guest = Worker(stage.settings, project(stage.endpoint), Path("/dev/null"))
            guest.start()
            ending.callback(guest.kill)
            guests.append(guest)
            joined += 1
            time.sleep(1.5)
            if len(guests) > 2:
                gone = guests.pop(0)
                gone.kill() if left % 2 else gone.terminate()
                left += 1
        for guest in guests:
            guest.terminate()
        return {**stage.settle(), "workers_joined": joined, "workers_left": left + len(guests)}


def disk(seconds: float, rate: float) -> dict:
    """The brokers' disk is full for a while: they end, fronts refuse, and what was kept is delivered."""
    with tempfile.TemporaryDirectory() as place, ExitStack() as ending:
        run = partial(subprocess.run, check=True)
        run([program("mount"), "-t", "tmpfs", "-o", "size=256m", "tmpfs", place])
        ending.callback(run, [program("umount"), "-l", place])
        with staged(rate, data=Path(place) / "cluster") as stage:
            stage.wait_until(seconds / 4)
            filler = Path(place) / "filler"
            with filler.open("wb", buffering=0) as file:
                try:
                    while True:
                        file.write(b"\0" * 4096)
                except OSError:
                    pass
            stage.wait_until(seconds * 3 / 4)
            lived = stage.cluster.living
            filler.unlink()
            stage.cluster.restart(*{1, 2, 3} - set(lived))
            stage.wait_until(seconds)
            return {**stage.settle(), "brokers_ended_by_it": 3 - len(lived)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scene", nargs="?", default="kills", choices=["kills", "storm", "disk"])
    parser.add_argument("--seconds", type=float, default=120.0, help="default %(default)s")
    parser.add_argument("--rate", type=float, default=2000.0, help="events a second, default %(default)s")
    arguments = parser.parse_args()
    figures = {"kills": kills, "storm": storm, "disk": disk}[arguments.scene](
        arguments.seconds, arguments.rate
    )
    print(json.dumps(figures, indent=1))
    sys.exit(not is_well(figures))


if __name__ == "__main__":
    main()
