"""The rounds: processes are started, told what to do, killed, and what they said is written down."""

from __future__ import annotations

import itertools
import os
import random
import selectors
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

from antinode.testing import EndpointProcess
from tests.crash.worker import KEY, Orders, work

# Accidents of the endpoint, each with its probability for a request.
WEATHER = {
    "fault": "random_mix",
    "of": [
        [{"fault": "answer", "status": 500}, 0.06],
        [{"fault": "answer", "status": 503}, 0.03],
        ["drop_before", 0.04],
        ["drop_after", 0.06],
        ["cut_short", 0.04],
        [{"fault": "delay", "seconds": 0.15}, 0.10],
        [{"fault": "every", "n": 3, "of": "drop_after"}, 0.05],
    ],
}
# The part of the disk's operations that is refused, as long as refusals are wanted.
FAILURE_RATE = 0.05
# What a whole process may take, in seconds, before the run is given up.
HANGS_AFTER = 60.0


@dataclass
class Account:
    """What the processes said, and how they ended: kept outside of them."""

    returned: dict[str, dict[str, int]] = field(default_factory=dict)
    """Writer -> user -> how many calls of log_event have returned."""
    details: dict[tuple[str, str, int], tuple[str, int]] = field(default_factory=dict)
    """(writer, user, number) -> insert_id and time, of some events."""
    ends: Counter[str] = field(default_factory=Counter)
    rounds: int = 0
    starts: int = 0
    torn: int = 0
    """Processes that died in the middle of a write, perhaps."""
    refusals: int = 0
    """Operations of the disk that were refused."""
    problems: list[str] = field(default_factory=list)

    @property
    def calls(self) -> int:
        return sum(count for users in self.returned.values() for count in users.values())

    def note(self, writer: str, line: str) -> None:
        if line == "~":
            self.refusals += 1
            return
        if line.startswith("!"):
            self.problems.append(f"{writer} said {line[2:]}")
            return
        user, number, *details = line.split()
        users = self.returned.setdefault(writer, {})
        if int(number) != users.get(user, 0) + 1:
            self.problems.append(f"{writer} said {line!r} after {users.get(user)}: the harness is wrong")
        users[user] = int(number)
        if details:
            self.details[writer, user, int(number)] = details[0], int(details[1])


@dataclass
class Running:
    """A process that runs."""

    name: str
    process: int
    report: int
    killed_at: float | None
    """When it is to be killed from outside."""
    deadline: float
    may_tear: bool
    rest: bytes = b""
    killed: bool = False


class Rounds:
    """Starts and kills processes. Single-threaded, so that it may fork."""

    def __init__(self, directory: str, seed: int, failures: int = 0) -> None:
        self.directory = directory
        self._failures = failures
        """Refusals are ordered until there were so many."""
        self.account = Account()
        self._seed = seed
        self._draw = random.Random(seed)
        self._running: list[Running] = []
        self._selector = selectors.DefaultSelector()

    def run(self, rounds: int, url: str) -> None:
        """So many rounds, and more until enough was refused; a process may outlive its round."""
        for number in itertools.count():
            if number >= rounds and self.account.refusals >= self._failures:
                break
            self.account.rounds += 1
            draw = random.Random(f"{self._seed} {number}")
            for index in range(draw.randint(2, 4)):
                self._start(self._orders(f"w{number}.{index}", url, draw), draw)
            for index in range(draw.choice([0, 0, 1, 1, 2])):
                self._start(self._adopter(f"a{number}.{index}", url, draw), draw)
            # One of three rounds leaves some of its processes to the next.
            self._watch(until=draw.choice([0, 0, 1]))
        self._watch(until=0)

    def drain(self, url: str, patience: float = 120.0) -> None:
        """Living processes, two at a time, deliver what is left."""
        deadline = time.monotonic() + patience
        turn = 0
        while self.left() and time.monotonic() < deadline:
            for index in range(2):
                draw = random.Random(f"{self._seed} drain {turn} {index}")
                orders = self._adopter(f"d{turn}.{index}", url, draw, is_last=True)
                self._start(orders, draw, is_last=True)
            self._watch(until=0)
            turn += 1

    def left(self) -> list[str]:
        """Files that should not be there once all is delivered."""
        return sorted(name for name in os.listdir(self.directory) if name != "damaged")

    def set_aside(self) -> list[str]:
        """Reports of damage. A record half written when its process was killed is one."""
        folder = os.path.join(self.directory, "damaged")
        return (
            sorted(name for name in os.listdir(folder) if name.endswith(".json"))
            if os.path.isdir(folder)
            else []
        )

    def end(self) -> None:
        """Kill whatever still runs."""
        for running in self._running:
            os.kill(running.process, signal.SIGKILL)
        self._watch(until=0)
        self._selector.close()

    def _orders(self, name: str, url: str, draw: random.Random) -> Orders:
        return Orders(
            name=name,
            seed=draw.getrandbits(32),
            directory=self.directory,
            url=url,
            report=-1,
            threads=draw.choice([1, 1, 2, 3]),
            events=draw.choice([5, 50, 200, 600]),
            users=draw.choice([1, 3, 20]),
            largest=draw.choice([10, 500, 3000, 60_000]),
            memory_events=draw.choice([1, 20, 300, 1_000_000]),
            first_segment=draw.choice([16 * 1024, 16 * 1024, 64 * 1024, 256 * 1024]),
            is_mapped=draw.random() < 0.7,
            durability=draw.choice(["process", "process", "process", "interval", "strict"]),
            dies_at=int(draw.lognormvariate(4.5, 1.3)) + 1 if draw.random() < 0.5 else None,
            failures=FAILURE_RATE if self.account.refusals < self._failures else 0.0,
            is_torn=draw.random() < 0.5,
            leaves=draw.choice(["shutdown", "shutdown 0", "exit", "vanish"]),
        )

    def _adopter(self, name: str, url: str, draw: random.Random, *, is_last: bool = False) -> Orders:
        orders = self._orders(name, url, draw)
        changes: dict[str, object] = {"threads": 0}
        if is_last:
            changes |= {
                "dies_at": None,
                "failures": 0.0,
                "leaves": "shutdown",
                "memory_events": 1_000_000,
                "events": 300,
            }
        return Orders(**{**vars(orders), **changes})  # type: ignore[arg-type]

    def _start(self, orders: Orders, draw: random.Random, *, is_last: bool = False) -> None:
        reading, writing = os.pipe()
        orders = Orders(**{**vars(orders), "report": writing})
        process = os.fork()
        if process == 0:
            status = 1
            try:
                os.close(reading)
                work(orders)
                status = 0
            except BaseException:
                sys.excepthook(*sys.exc_info())
                sys.stderr.flush()
            finally:
                os._exit(status)
        os.close(writing)
        os.set_blocking(reading, False)
        now = time.monotonic()
        is_killed = orders.dies_at is None and not is_last and draw.random() < 0.8
        running = Running(
            orders.name,
            process,
            reading,
            now + 0.01 + draw.expovariate(4) if is_killed else None,
            now + HANGS_AFTER,
            orders.dies_at is not None and orders.is_torn,
        )
        self.account.starts += 1
        self._running.append(running)
        self._selector.register(reading, selectors.EVENT_READ, running)

    def _watch(self, until: int) -> None:
        """Read reports and kill whose time has come, until so many processes are left."""
        while len(self._running) > until:
            now = time.monotonic()
            times = [now + 0.2, *(each.killed_at for each in self._running if each.killed_at is not None)]
            for key, _ in self._selector.select(max(0.0, min(times) - now)):
                self._read(key.data)
            now = time.monotonic()
            for running in self._running:
                if running.killed_at is not None and now >= running.killed_at:
                    running.killed_at, running.killed = None, True
                    os.kill(running.process, signal.SIGKILL)
                elif now >= running.deadline:
                    self.account.problems.append(f"{running.name} hangs")
                    running.deadline = now + HANGS_AFTER
                    os.kill(running.process, signal.SIGKILL)

    def _read(self, running: Running) -> None:
        try:
            data = os.read(running.report, 1 << 20)
        except BlockingIOError:
            return
        *lines, running.rest = (running.rest + data).split(b"\n")
        for line in lines:
            self.account.note(running.name, line.decode())
        if not data:
            self._bury(running)

    def _bury(self, running: Running) -> None:
        """Its end of the pipe is closed: it has ended, or is about to."""
        _, status = os.waitpid(running.process, 0)
        self._selector.unregister(running.report)
        os.close(running.report)
        self._running.remove(running)
        if not os.WIFSIGNALED(status):
            code = os.WEXITSTATUS(status)
            self.account.ends["left by itself" if code == 0 else "failed"] += 1
            if code:
                self.account.problems.append(f"{running.name} ended with status {code}")
        elif os.WTERMSIG(status) != signal.SIGKILL:
            self.account.problems.append(f"{running.name} died of signal {os.WTERMSIG(status)}")
        else:
            self.account.torn += running.may_tear
            self.account.ends["killed from outside" if running.killed else "killed in a disk operation"] += 1


def make_endpoint() -> EndpointProcess:
    return EndpointProcess("--api-key", KEY)
