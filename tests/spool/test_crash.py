"""Processes killed with SIGKILL while they log, deliver, acknowledge, rotate and adopt: the books balance.

`python -m tests.spool.test_crash ROUNDS [SEED]` runs it for as long as you like.
"""

from __future__ import annotations

import os
import random
import select
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from antinode._spool.inspection import inspect

pytestmark = pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX's")


class Ledger:
    """What the workers said they had done, in order, and what must hold about it."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, str]] = []
        self.rest = b""

    def take(self, data: bytes) -> None:
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            kind, name, title = line.decode().split(" ")
            self.lines.append((kind, name, title))

    def judge(self) -> tuple[int, int]:
        """Returns how many records were logged, and how many were delivered more than once."""
        logged = {title for kind, _, title in self.lines if kind == "L"}
        last_word = {name: at for at, (_, name, _) in enumerate(self.lines)}
        delivered: dict[str, str] = {}
        acknowledged: set[str] = set()
        newest: dict[str, int] = {}
        again = 0
        for at, (kind, name, title) in enumerate(self.lines):
            if kind == "K":
                acknowledged.add(title)
            elif kind == "D":
                assert title not in acknowledged, f"{title} was delivered after it had been acknowledged"
                before = delivered.get(title)
                assert before is None or (before != name and last_word[before] < at), (
                    f"{title} was delivered by {name} while {before} lived"
                )
                again += before is not None
                if before is None:
                    stream, number = title.split(":")
                    assert newest.get(stream, -1) < int(number), f"{title} was overtaken"
                    newest[stream] = int(number)
                delivered[title] = name
        missing = sorted(logged - delivered.keys())
        assert not missing, f"{len(missing)} records are lost: {missing[:5]}"
        return len(logged), again


def run(directory: Path, *, rounds: int, seed: int, living: int = 3) -> tuple[int, int]:
    """Kill one of several workers at a random moment, again and again; then let one deliver what is left."""
    chance = random.Random(seed)
    ledger = Ledger()
    read_end, write_end = os.pipe()
    # Held open by every worker and its forked children: at its end all of them are dead.
    last_gasp, breath = os.pipe()
    workers: list[subprocess.Popen[bytes]] = []
    begun = 0

    def begin(mode: str, kept_open: tuple[int, ...] = (breath,)) -> subprocess.Popen[bytes]:
        nonlocal begun
        begun += 1
        arguments = [str(directory), f"w{begun}", str(chance.randrange(10**6)), mode]
        return subprocess.Popen(
            [sys.executable, "-m", "tests.spool.worker", *arguments], stdout=write_end, pass_fds=kept_open
        )

    try:
        for _ in range(rounds):
            while len(workers) < living:
                workers.append(begin("work"))
            goal = len(ledger.lines) + chance.randrange(1, 1500)
            while len(ledger.lines) < goal:
                ledger.take(os.read(read_end, chance.randrange(1, 65_536)))
            victim = workers.pop(chance.randrange(len(workers)))
            victim.kill()
            victim.wait()
    finally:
        for worker in workers:
            worker.kill()
        for worker in workers:
            worker.wait()
    os.close(breath)
    while last_gasp not in (ready := select.select([read_end, last_gasp], [], [])[0]):
        ledger.take(os.read(ready[0], 65_536))
    os.close(last_gasp)
    drainer = begin("drain", kept_open=())
    os.close(write_end)
    while data := os.read(read_end, 65_536):
        ledger.take(data)
    os.close(read_end)
    assert drainer.wait(120) == 0
    assert [name for name in os.listdir(directory) if name != "damaged"] == []
    # A kill in the middle of a store tears a record whose append had not returned; nothing else may be there.
    torn = [finding for finding in inspect.verify(str(directory)) if "-" not in Path(finding.path).stem]
    assert torn == []
    return ledger.judge()


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_lost_when_processes_are_killed(tmp_path: Path, seed: int) -> None:
    """Each record whose append had returned is delivered, in order, and never again once acknowledged."""
    logged, _ = run(tmp_path / "spool", rounds=12, seed=seed)
    assert logged > 500


if __name__ == "__main__":
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    records = repeats = 0
    for number in range(int(sys.argv[1])):
        with tempfile.TemporaryDirectory() as temporary:
            more, twice = run(Path(temporary) / "spool", rounds=12, seed=first + number)
            records, repeats = records + more, repeats + twice
    print(
        f"{int(sys.argv[1]) * 14} processes killed, {records:,} records logged, none lost, "
        f"{repeats:,} delivered again"
    )
