"""What an event costs the relay: its front alone, with the spool, and with delivery.

    python bench/relay.py                        each in a process of its own, on one core
    python bench/relay.py --kafka HOST:PORT      also kept in Kafka, in 48 partitions of that broker

What counts is the relay's CPU time per event, and how many times it is what `orjson.loads` takes for the same
bodies in the same run: that ratio holds on a busy machine, too.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, cast
from uuid import uuid4

import orjson
from uploads import Connections, bodies
from workload import KEY

if TYPE_CHECKING:
    from antinode.relay.intake import Intake

ROOT = Path(__file__).resolve().parents[1]
GOAL = 60_000
MODES = {
    "front": "the front alone",
    "spool": "kept in the spool, nothing delivered",
    "run": "kept in the spool, and delivered",
}
KAFKA = "kafka"
PARTITIONS = 48
NOBODY = "http://127.0.0.1:9"


class RelayProcess:
    """A relay in a process of its own, which tells the CPU time that it has used when it is asked."""

    def __init__(
        self, mode: str, directory: Path, deliver_to: str, core: int | None, bootstrap: str | None
    ) -> None:
        self._command = [sys.executable, __file__, "--serve", mode, str(directory), deliver_to]
        self._command += [] if bootstrap is None else ["--kafka", bootstrap]
        self._command += [] if core is None else ["--core", str(core)]

    def __enter__(self) -> RelayProcess:
        self._process = subprocess.Popen(  # noqa: S603 - our own
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.url: str = self._read()["url"]
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.communicate()

    def usage(self) -> dict[str, Any]:
        """`cpu_s` so far, and how many events are `pending`."""
        questions = cast("IO[str]", self._process.stdin)
        questions.write("usage\n")
        questions.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        line = cast("IO[str]", self._process.stdout).readline()
        if not line:
            raise SystemExit("the relay ended early")
        answer: dict[str, Any] = json.loads(line)
        return answer


def serve(mode: str, directory: Path, deliver_to: str, bootstrap: str | None) -> None:
    """Be the relay: answer requests, and questions on standard input until its end."""
    from antinode.relay.front.site import FrontSettings, RelaySite  # noqa: PLC0415 - the sender does without
    from antinode.relay.intake import IntakeHealth, IntakeStats  # noqa: PLC0415
    from antinode.relay.projects import Project, Projects  # noqa: PLC0415
    from antinode.relay.spool.intake import SpoolIntake  # noqa: PLC0415
    from antinode.server.http.run import collect_rarely  # noqa: PLC0415

    class Nothing:
        """Keeps nothing."""

        async def open(self) -> None: ...

        async def keep(self, project: object, events: object) -> None: ...

        async def close(self, within: float) -> None: ...

        def health(self) -> IntakeHealth:
            return IntakeHealth(True)

        def stats(self) -> IntakeStats:
            return IntakeStats(kept_events=0, kept_bytes=0, refused_events=0, waiting=0)

    projects = Projects([Project(name="bench", api_key=KEY, server_url=deliver_to)])

    async def main() -> None:
        spool = None
        intake: Intake = Nothing()
        if bootstrap is not None:
            intake = await kafka_intake(bootstrap)
        elif mode != "front":
            intake = spool = SpoolIntake(directory, projects, {"max_spool_bytes": 8 << 30})
        site = RelaySite(FrontSettings(port=0, finish_within_s=1, drain_within_s=0), projects, intake)
        answer: dict[str, object] = {"url": await site.open()}
        collect_rarely()  # as `antinode relay run` does
        loop = asyncio.get_running_loop()
        while True:
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()
            if not await loop.run_in_executor(None, sys.stdin.readline):
                break
            pending = 0 if spool is None else spool.figures()["bench"].pending
            answer = {"cpu_s": time.process_time(), "pending": pending}
        await site.close()

    asyncio.run(main())


async def kafka_intake(bootstrap: str) -> Intake:
    """An intake with a topic of its own."""
    from antinode.relay.kafka.following import FollowingIntake  # noqa: PLC0415 - as above
    from antinode.relay.kafka.settings import KafkaSettings  # noqa: PLC0415
    from antinode.relay.kafka.topics import make_topics  # noqa: PLC0415

    topic = f"bench-{uuid4().hex[:12]}"
    settings = KafkaSettings(bootstrap=bootstrap, topic=topic, group=topic, allow_small_cluster=True)
    make_topics(settings, PARTITIONS, replication=1)
    return FollowingIntake(settings)


def run(
    mode: str,
    requests: Sequence[bytes],
    events: int,
    connections: int,
    core: int | None,
    bootstrap: str | None,
) -> dict[str, float]:
    """The figures of one round, by a fresh relay."""
    sys.path.insert(0, str(ROOT))
    from bench.suite.sink_process import SinkProcess  # noqa: PLC0415 - it is asked for here alone

    with tempfile.TemporaryDirectory() as name, SinkProcess() as sink:
        deliver_to = sink.url if mode == "run" else NOBODY
        with RelayProcess(mode, Path(name), deliver_to, core, bootstrap) as relay:
            to_relay = Connections(relay.url, connections, is_gzip=True)
            warm_up = requests[: len(requests) // 10]
            to_relay.send(warm_up)
            before, begun = settled(relay, mode), time.perf_counter()
            statuses = to_relay.send(requests)
            elapsed = time.perf_counter() - begun
            after = settled(relay, mode)
            to_relay.close()
    if set(statuses) != {200}:
        raise SystemExit(f"answers {dict(statuses)}")
    return {
        "events_per_s": events / elapsed,
        "cpu_us_per_event": (after["cpu_s"] - before["cpu_s"]) / events * 1e6,
    }


def settled(relay: RelayProcess, mode: str) -> dict[str, Any]:
    """Its usage, with everything delivered where it is delivered at all."""
    while True:
        usage = relay.usage()
        if mode != "run" or not usage["pending"]:
            return usage
        threading.Event().wait(0.05)


def bare_us(plain: Sequence[bytes], events: int) -> float:
    """Microseconds per event that `orjson.loads` takes for the bodies."""

    def once() -> float:
        begun = time.process_time()
        for body in plain:
            orjson.loads(body)
        return time.process_time() - begun

    return min(once() for _ in range(5)) / events * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=100_000, help="in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", type=int, default=200, help="events per request")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--kafka", metavar="HOST:PORT", help="a broker, in which events are kept, too")
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--core", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        if arguments.core is not None and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {arguments.core})
        serve(arguments.serve[0], Path(arguments.serve[1]), arguments.serve[2], arguments.kafka)
        return
    plain = list(bodies(arguments.events, size=arguments.size, users=arguments.users, mixed=False))
    requests = [gzip.compress(body, 6) for body in plain]
    core = max(range(os.cpu_count() or 1))
    bare = bare_us(plain, arguments.events)
    found: dict[str, dict[str, float]] = {}
    modes = MODES if arguments.kafka is None else {**MODES, KAFKA: "kept in Kafka"}
    for mode in modes:
        bootstrap = arguments.kafka if mode == KAFKA else None
        rounds = [
            run(mode, requests, arguments.events, arguments.connections, core, bootstrap)
            for _ in range(arguments.rounds)
        ]
        figures = {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}
        figures["ratio_to_bare"] = figures["cpu_us_per_event"] / bare
        figures["events_per_core_second"] = 1e6 / figures["cpu_us_per_event"]
        found[mode] = figures
    if arguments.json:
        sys.stdout.write(json.dumps({"orjson_us_per_event": bare, **found}) + "\n")
        return
    size = sum(map(len, plain)) / arguments.events
    lines = [
        f"{arguments.events:,} events of {size:.0f} bytes, {arguments.size:,} per request, gzip, over "
        f"{arguments.connections} connections; median of {arguments.rounds} rounds",
        f"{'':38}    CPU per event   to orjson.loads   events a second of CPU",
    ]
    lines += [
        f"{modes[mode]:38}{each['cpu_us_per_event']:14.1f} µs{each['ratio_to_bare']:16.1f}"
        f"{each['events_per_core_second']:25,.0f}"
        for mode, each in found.items()
    ]
    capacity = found["front"]["events_per_core_second"]
    verdict = "takes" if capacity >= GOAL else "does NOT take"
    lines.append(f"the front {verdict} {GOAL:,} events a second on a core")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
