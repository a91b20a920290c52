"""A process that logs, delivers, acknowledges and adopts at random, and tells a ledger what has been done.

`python -m tests.spool.worker DIRECTORY NAME SEED MODE`: writes lines to standard output, each in one write:
`L NAME BODY` after append returned, `D NAME BODY` when a record is delivered, `K NAME BODY` after it was
acknowledged. MODE "work" goes on until killed, "drain" ends when nothing is left.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections import deque

from antinode._spool import DELIVERED, Spool

LIMIT = 256 * 1024 * 1024


def padded(title: str, number: int) -> bytes:
    """A body that shows by itself whether it is whole."""
    return f"{title}:{number}:".encode() + bytes([97 + number % 26]) * (number * 7919 % 9000)


def title_of(body: bytes) -> str:
    title, number, _ = body.split(b":", 2)
    assert body == padded(title.decode(), int(number)), "a damaged record was given"
    return f"{title.decode()}:{int(number)}"


def tell(kind: str, name: str, titles: list[str]) -> None:
    for title in titles:
        os.write(1, f"{kind} {name} {title}\n".encode())


class Worker:
    def __init__(self, directory: str, name: str, seed: int) -> None:
        self.name = name
        self.random = random.Random(seed)
        self.spool = Spool(directory, max_bytes=LIMIT, is_mapped=None if seed % 3 else False)
        self.spool.open()
        self.queue: deque[tuple[int, str]] = deque()
        self.logged = self.forks = 0

    def log(self) -> None:
        for _ in range(self.random.randint(1, 40)):
            direct = not self.spool.has_unread and self.random.random() < 0.8
            place = self.spool.append(padded(self.name, self.logged), time.monotonic(), direct=direct)
            title = f"{self.name}:{self.logged}"
            if direct:
                self.queue.append((place, title))
            self.logged += 1
            tell("L", self.name, [title])

    def read(self) -> None:
        for record in self.spool.read(self.random.randint(1, 60), 200_000):
            self.queue.append((record.place, title_of(record.body)))

    def deliver(self) -> None:
        batch = [self.queue.popleft() for _ in range(min(len(self.queue), self.random.randint(1, 60)))]
        tell("D", self.name, [title for _, title in batch])
        self.spool.acknowledge([place for place, _ in batch], DELIVERED)
        tell("K", self.name, [title for _, title in batch])

    def work(self) -> None:
        while True:
            self.step()

    def step(self) -> None:
        often = [self.log, self.read, self.deliver, self.deliver, self.spool.prepare, self.spool.adopt] * 6
        self.random.choice([*often, self.reopen, self.fork])()

    def reopen(self) -> None:
        """Leave what is not delivered to whoever comes first; go on under another name."""
        self.spool.close()
        self.renamed("r")
        self.spool.open()

    def renamed(self, suffix: str) -> None:
        self.queue.clear()
        self.forks += 1
        self.name, self.logged = f"{self.name}{suffix}{self.forks}", 0

    def fork(self) -> None:
        """A child that logs and delivers for a while, and ends without closing."""
        if (child := os.fork()) == 0:
            self.spool.renew_after_fork()
            self.renamed("f")
            self.spool.open()
            for _ in range(self.random.randint(1, 15)):
                self.random.choice([self.log, self.read, self.deliver, self.spool.adopt])()
            os._exit(0)
        self.forks += 1
        os.waitpid(child, 0)

    def drain(self) -> None:
        self.spool.adopt()
        while self.spool.has_unread or self.queue:
            self.read()
            self.deliver()
        self.spool.prepare()
        assert self.spool.close() == (0, 0)


if __name__ == "__main__":
    worker = Worker(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    getattr(worker, sys.argv[4])()
