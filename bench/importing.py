"""Events a second that `antinode import` takes from JSON lines into a local sink, and its memory meanwhile.

The sink is a process of its own that reads requests from raw sockets and answers 200: what is measured is the
import. `--events 5000000` shows that memory stays flat over a file of any length.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path

import orjson
from workload import rows

KEY = "0123456789abcdef0123456789abcdef"
ROWS = 9_030
ANSWER = b'{"code":200}'
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
    len(ANSWER),
    ANSWER,
)
LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


def sink(report: Connection) -> None:
    """Take requests on any number of connections, and answer each with 200."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        report.send(listener.getsockname()[1])
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=_answer, args=(connection,), daemon=True).start()


def _answer(connection: socket.socket) -> None:
    room = memoryview(bytearray(1 << 20))
    while True:
        head = b""
        while b"\r\n\r\n" not in head:
            got = connection.recv(65_536)
            if not got:
                return
            head += got
        length = LENGTH.search(head)
        left = int(length[1] if length else 0) - (len(head) - head.index(b"\r\n\r\n") - 4)
        while left > 0:
            left -= connection.recv_into(room, min(left, len(room)))
        connection.sendall(OK)


def write(path: Path, events: int, users: int) -> None:
    """The shop's events over and over, by `users` users in turn, each with a time of its own."""
    shop = rows(ROWS)
    with open(path, "wb") as file:
        for number in range(events):
            row = shop[number % ROWS]
            event = {
                "event_type": row["event"],
                "user_id": f"user-{number % users:07}",
                "time": 1_710_000_000_000 + number,
                "platform": row["platform"],
                "event_properties": {
                    "session": row["session_id"],
                    "channel": row["acquisition_channel"],
                    "cohort": row["user_cohort"],
                    "lifecycle": row["user_lifecycle"],
                    "at": row["timestamp"],
                },
            }
            file.write(orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE))


class Memory:
    """Watches the resident memory of a process and its children, in MB, ten times a second."""

    def __init__(self, pid: int) -> None:
        self.samples: list[float] = []
        self._pid = pid
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> list[float]:
        self._is_over.set()
        self._thread.join()
        return self.samples

    def _watch(self) -> None:
        while not self._is_over.wait(0.1):
            try:
                tasks = Path(f"/proc/{self._pid}/task/{self._pid}/children").read_text().split()
                self.samples.append(sum(_resident(pid) for pid in [str(self._pid), *tasks]))
            except OSError:
                continue


def _resident(pid: str) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def once(path: Path, port: int, folder: Path, more: list[str]) -> tuple[float, float, list[float]]:
    """Seconds as the command tells them and as they are with its start, and the memory over time."""
    command = [sys.executable, "-m", "antinode", "import", str(path), "--json", "--again"]
    command += ["--server-url", f"http://127.0.0.1:{port}/batch", "--api-key", KEY, "--project-rate", "0"]
    command += ["--checkpoint", str(folder / "checkpoint"), *more]
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE)  # noqa: S603 - our own command
    memory = Memory(process.pid)
    told, _ = process.communicate()
    whole = time.perf_counter() - begun
    facts = json.loads(told)
    assert facts["finished"], facts  # noqa: S101 - a benchmark of nothing
    return facts["seconds"], whole, memory.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--users", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--processes", help="that prepare rows; by default what the command chooses")
    arguments = parser.parse_args()
    more = ["--processes", arguments.processes] if arguments.processes else []
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=sink, args=(there,), daemon=True)
    server.start()
    port = here.recv()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.jsonl"
        write(path, arguments.events, arguments.users)
        sys.stdout.write(f"{arguments.events:,} events, {path.stat().st_size / 1e6:,.0f} MB\n")
        best = 0.0
        for _ in range(arguments.rounds):
            own, whole, memory = once(path, port, Path(folder), more)
            best = max(best, arguments.events / own)
            tenths = [max(memory[len(memory) * n // 10 :][: max(1, len(memory) // 10)]) for n in range(10)]
            sys.stdout.write(
                f"{arguments.events / own:9,.0f} events/s, {arguments.events / whole:,.0f} with the start; "
                f"load {os.getloadavg()[0]:.1f}; MB at each tenth: {' '.join(f'{mb:.0f}' for mb in tenths)}\n"
            )
            sys.stdout.flush()
        sys.stdout.write(f"best {best:9,.0f} events/s\n")
    server.kill()


if __name__ == "__main__":
    main()
