"""One random program: it forks, logs from callbacks, and flushes over a bad connection; made from a seed.

Run as a process of its own by `runner`, with a URL, a directory and a seed. Ends with status 0 when every
flush, in it and in its children, let through no event that had not settled.
"""

from __future__ import annotations

import logging
import os
import random
import signal
import sys
import threading
from dataclasses import dataclass

import antinode
from antinode import Client, Delivery, HttpResponse, Request
from antinode._delivery.http.transport import HttpTransport

# Which answers of an odd transport are lost: so few that a flush need not wait long until it is tried again.
CUT = (1, 3)
KEY = "0123456789abcdef0123456789abcdef"
# A flush that takes longer than this hangs: the waits between tries take a few seconds.
# One that goes on making requests is only waiting for the server.
HANGS_AFTER = 45.0


@dataclass(frozen=True)
class Plan:
    """What a seed stands for."""

    has_spool: bool
    connections: int
    transport: str
    fork_from: str
    children: int
    depth: int
    callback: str
    events: int
    is_busy: bool
    durability: str
    padding: int
    interval: float
    flushers: int
    echoes: int
    queue: int

    @classmethod
    def of(cls, seed: int) -> Plan:
        dice = random.Random(seed)
        return cls(
            has_spool=dice.random() < 0.7,
            connections=dice.choice([1, 1, 4]),
            transport=dice.choice(["usual", "usual", "cutting", "raising", "logging"]),
            fork_from=dice.choice(["main", "main", "thread", "callback"]),
            children=dice.choice([1, 2, 4]),
            depth=dice.choice([1, 1, 2]),
            callback=dice.choice(["none", "handle", "outcome", "both"]),
            events=dice.choice([1, 50, 400]),
            is_busy=dice.random() < 0.5,
            durability=dice.choice(["process", "process", "strict", "interval"]),
            padding=dice.choice([0, 0, 900, 20_000]),
            interval=dice.choice([0.0, 0.0, 1.0]),
            flushers=dice.choice([0, 0, 1, 3]),
            echoes=dice.choice([20, 200]),
            queue=dice.choice([100, 1000, 1_000_000]),
        )


class OddTransport:
    """Carries requests, and cuts some answers, raises, or logs events itself."""

    def __init__(self, way: str, scene: Scene) -> None:
        self._way = way
        self._scene = scene
        self._inner = HttpTransport(connections=1)
        self._count = 0

    def send(self, request: Request) -> HttpResponse:
        self._count += 1
        if self._way == "logging":
            self._scene.echo()
        answer = self._inner.send(request)
        if self._count in CUT:
            if self._way == "cutting":
                raise antinode.TransportError("cut")
            if self._way == "raising":
                raise SystemExit("out of the transport")
        return answer

    def abandon(self) -> None:
        self._inner.abandon()

    def cancel_all(self) -> None:
        self._inner.cancel_all()

    def close(self) -> None:
        self._inner.close()


class Scene:
    """The program of one seed."""

    def __init__(self, seed: int, url: str, directory: str) -> None:
        self.plan = plan = Plan.of(seed)
        self._echoes = 0
        self._number = 0
        self._forking = threading.Event()
        transport = None if plan.transport == "usual" else OddTransport(plan.transport, self)
        self.client = Client().init(
            KEY,
            server_url=url,
            connections=plan.connections,
            request_timeout_millis=5000,
            shutdown_timeout=5.0,
            upload_interval_in_sec=plan.interval,
            max_queue_events=plan.queue,
            **({"transport": transport} if transport else {}),
            **({"on_outcome": self._on_outcome} if plan.callback in ("outcome", "both") else {}),
            **({"storage": directory, "durability": plan.durability} if plan.has_spool else {}),
        )

    def log(self) -> Delivery:
        self._number += 1
        padding = "x" * self.plan.padding
        record = self.client.log_event(
            {
                "event_type": "Tick",
                "user_id": f"user-{self._number % 7}",
                "event_properties": {"padding": padding},
            }
        )
        if self.plan.callback in ("handle", "both"):
            record.add_done_callback(lambda _: self.echo())
        return record

    def echo(self) -> None:
        if self._echoes < self.plan.echoes:
            self._echoes += 1
            self.client.log_event({"event_type": "Echo", "user_id": "user-echo"})

    def _on_outcome(self, _: Delivery) -> None:
        self.echo()

    def flush(self, records: list[Delivery]) -> None:
        """Flush, and see that what was logged before has settled."""
        requests = 0

        def check(*_: object) -> None:
            nonlocal requests
            before, requests = requests, self.client.stats().requests
            if requests == before:
                fail(f"a flush hangs, {self.state()}")

        signal.signal(signal.SIGALRM, check)
        signal.setitimer(signal.ITIMER_REAL, HANGS_AFTER, HANGS_AFTER)
        others = [threading.Thread(target=self.client.flush) for _ in range(self.plan.flushers)]
        for other in others:
            other.start()
        self.client.flush()
        for other in others:
            other.join()
        signal.setitimer(signal.ITIMER_REAL, 0)
        unsettled = sum(record.outcome is None for record in records)
        if unsettled or not self.client.stats().balanced:
            fail(f"{unsettled} of {len(records)} are unsettled after a flush, {self.client.stats()}")

    def state(self) -> str:
        sender = self.client._sender
        assert sender is not None
        core, now = sender._core, sender._clock()
        return (
            f"{self.client.stats()}, link {core.link}, now {now}, wakes at {sender._coordinator._wakes_at}, "
            f"rings at {sender.wakeup.threshold}, "
            f"uploads {core._dispatcher._uploads}, "
            f"batches {len(core._pending.batches)}, flights {sender._coordinator.flights._jobs}, "
            f"barriers {[each.index for each in sender._works.barriers._closed]}, "
            f"spooler {sender._spooler and vars(sender._spooler)}, "
            f"epochs {core.ledger._open}, is behind {core.spooled and core.spooled.is_behind}"
        )

    def play(self) -> None:
        records = [self.log() for _ in range(self.plan.events)]
        pids = self._fork_all(self.plan.depth)
        records += [self.log() for _ in range(self.plan.events)]
        self.flush(records)
        wait_for(pids)
        self.client.shutdown(5)

    def _fork_all(self, depth: int) -> list[int]:
        is_over = threading.Event()
        busy = threading.Thread(target=self._keep_busy, args=(is_over,), daemon=True)
        if self.plan.is_busy:
            busy.start()
        for _ in range(self.plan.flushers):
            threading.Thread(target=self.client.flush, daemon=True).start()
        pids: list[int] = []
        for _ in range(self.plan.children):
            if self.plan.fork_from == "main":
                self._fork(depth, pids)
            elif self.plan.fork_from == "thread":
                thread = threading.Thread(target=self._fork, args=(depth, pids))
                thread.start()
                thread.join()
            else:
                done = threading.Event()

                def fork(_: Delivery, done: threading.Event = done) -> None:
                    self._fork(depth, pids)
                    done.set()

                self.client.log_event({"event_type": "Fork", "user_id": "user-f"}).add_done_callback(fork)
                done.wait()
        is_over.set()
        return pids

    def _keep_busy(self, is_over: threading.Event) -> None:
        while not is_over.wait(0.001):
            self.log()

    def _fork(self, depth: int, pids: list[int]) -> None:
        pid = os.fork()
        if pid:
            pids.append(pid)
            return
        try:
            self._echoes = 0
            records = [self.log() for _ in range(self.plan.events)]
            self.flush(records)
            grandchildren: list[int] = []
            if depth > 1:
                self._fork(depth - 1, grandchildren)
            self.flush([self.log() for _ in range(3)])
            wait_for(grandchildren)
            if self.plan.events % 2:
                self.client.shutdown(5)
            os._exit(0)
        finally:
            os._exit(3)


def fail(text: str) -> None:
    import faulthandler

    sys.stderr.write(f"{os.getpid()}: {text}\n")
    sys.stderr.flush()
    faulthandler.dump_traceback(all_threads=True)
    os._exit(4)


def wait_for(pids: list[int]) -> None:
    for pid in pids:
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if status:
            sys.stderr.write(f"a child ended with {status}\n")
            os._exit(5)


if __name__ == "__main__":
    logging.getLogger("antinode").setLevel(logging.CRITICAL)
    url, directory, seed = sys.argv[1], sys.argv[2], int(sys.argv[3])
    Scene(seed, url, directory).play()
    sys.stdout.flush()
    os._exit(0)
