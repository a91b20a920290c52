"""A relay as it is run beyond one machine, to be killed part by part: fronts, workers, and who sends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import msgspec
import urllib3

from antinode.relay.kafka.settings import KafkaSettings
from antinode.relay.projects import Project
from tests.relay.kafka.scene import KEY

HOT = "hot-user"
START_SECONDS = 60.0
RETRY_SECONDS = 0.2


class Front:
    """`antinode relay serve`, which may be killed and started again."""

    def __init__(self, settings: KafkaSettings, log: Path) -> None:
        self._settings = settings
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def start(self) -> None:
        """Return when it listens; tried again while Kafka does not answer, as an orchestrator does."""
        end = time.monotonic() + START_SECONDS
        settings = self._settings
        place = ("--kafka", settings.bootstrap, "--topic", settings.topic, "--group", settings.group)
        command = [sys.executable, "-m", "antinode", "relay", "serve", *place, "--port", "0", "--json"]
        small = ["--allow-small-cluster"] if settings.allow_small_cluster else []
        while True:
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    [*command, *small],
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env={**os.environ, "ANTINODE_RELAY_API_KEYS": f"web={KEY}"},
                )
            assert self._process.stdout is not None
            if line := self._process.stdout.readline():
                self.url = json.loads(line)["server_url"]
                return
            self._process.communicate()
            assert time.monotonic() < end, self._log.read_text()[-2000:]

    def kill(self) -> None:
        """End it with SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()


class Worker:
    """A worker in a process of its own; one with an instance's name gets its partitions back."""

    def __init__(self, settings: KafkaSettings, project: Project, log: Path) -> None:
        self._given = {
            "settings": msgspec.to_builtins(settings),
            "projects": [msgspec.to_builtins(project)],
            "goes_on": True,
        }
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Return at once: that it has partitions is seen by what it delivers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.relay.kafka.scene"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env=dict(os.environ),
            )
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(self._given).encode() + b"\n")
        self._process.stdin.flush()

    def kill(self) -> None:
        """End it with SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def terminate(self) -> None:
        """End it as an orchestrator does, and wait for it."""
        if self._process is not None:
            self._process.terminate()
            self._process.communicate()


class Services:
    """Threads that send events to the fronts, each request again until it is answered 200.

    Each has users of its own, whose events it sends in order; one user, `HOT`, has a tenth of all events.
    Half of the events come with an insert_id, the others get theirs from the front.
    """

    def __init__(self, fronts: list[Front], *, rate: float, users: int = 540, threads: int = 4) -> None:
        """`rate` is in events a second, of all threads."""
        self._fronts = fronts
        self._per_request = 50
        self._pause = threads * self._per_request / rate
        self._users = users
        self._is_over = threading.Event()
        self._counting = threading.Lock()
        self.kept = Counter[str]()
        """Events that were answered 200, by user."""
        self.refusals = Counter[str]()
        """Requests that were not, by what came instead."""
        self._threads = [
            threading.Thread(target=self._send_all, args=(number, threads)) for number in range(threads)
        ]

    @property
    def count(self) -> int:
        """How many events were answered 200."""
        with self._counting:
            return sum(self.kept.values())

    def start(self) -> None:
        """Begin to send."""
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Return when what was begun to be sent has been answered 200."""
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    def _send_all(self, number: int, threads: int) -> None:
        seqs = Counter[str]()
        own = [f"user-{each}" for each in range(number, self._users, threads)]
        at = 0
        with urllib3.PoolManager(retries=False, timeout=30.0, headers={"Connection": "keep-alive"}) as pool:
            next_at = time.monotonic()
            while not self._is_over.is_set():
                together = []
                for _ in range(self._per_request):
                    at += 1
                    is_hot = number == 0 and at % 10 < 4  # four in ten of a quarter of all
                    user = HOT if is_hot else own[at % len(own)]
                    together.append(self._event(user, seqs[user]))
                    seqs[user] += 1
                self._send(pool, number, json.dumps({"api_key": KEY, "events": together}).encode())
                with self._counting:
                    self.kept.update(each["user_id"] for each in together)
                next_at = max(next_at + self._pause, time.monotonic() - 1.0)
                self._is_over.wait(max(0.0, next_at - time.monotonic()))

    def _event(self, user: str, seq: int) -> dict:
        event = {"event_type": "e", "user_id": user, "event_properties": {"seq": seq}}
        return {**event, "insert_id": f"{user}-{seq}"} if seq % 2 else event

    def _send(self, pool: urllib3.PoolManager, number: int, body: bytes) -> None:
        tries = number
        while True:
            front = self._fronts[tries % len(self._fronts)]
            tries += 1
            what = "no answer"
            with suppress(urllib3.exceptions.HTTPError):
                answer = pool.request(
                    "POST", front.url, body=body, headers={"Content-Type": "application/json"}
                )
                if answer.status == 200:
                    return
                what = str(answer.status)
                assert answer.status in {429, 500, 502, 503}, answer.data
                if answer.status == 503 and "Retry-After" not in answer.headers:
                    what = "503 without Retry-After"
            with self._counting:
                self.refusals[what] += 1
            time.sleep(RETRY_SECONDS)
