"""What the spool costs its caller, and how fast and how small it is in giving a large backlog back.

`python bench/spool.py [EVENTS]` (a million by default); files go to a temporary directory (see TMPDIR).
`python bench/spool.py owners [OWNERS]` (10,000 by default): as many processes have died, each with one event.
What `init` takes on its caller's thread once all modules are loaded, how long until all of it is delivered,
and with how many descriptors and how much memory.
"""

from __future__ import annotations

import mmap
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from antinode import Client
from antinode._factory import fingerprint
from antinode._spool import DELIVERED, Spool, format
from antinode._spool.disk import Disk
from antinode._spool.writers import make_segment
from antinode.testing import EndpointProcess

KEY = "0123456789abcdef0123456789abcdef"
BODY = b'{"event_type":"Song Played","user_id":"user-20391","insert_id":"' + b"x" * 236
BATCH = 1000
LIMIT = 4 << 30


def main() -> None:
    events = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    for title, is_busy in (("alone", False), ("beside a busy thread", True)):
        with busy() if is_busy else idle():
            for name, measure in (
                ("bare store into a mapped file", raw_store),
                ("append, mapped", lambda rounds: append(rounds, is_mapped=True)),
                ("bare os.write", raw_write),
                ("append, plain", lambda rounds: append(rounds, is_mapped=False)),
            ):
                is_slow = is_busy and name in {"bare os.write", "append, plain"}
                say(f"{name:32}{title:22}", measure(2 if is_slow else 60))
    with tempfile.TemporaryDirectory() as directory:
        run(directory, "write", events)
        run(directory, "recover", events)


def owners(count: int) -> None:
    """Leaves them, then delivers in a process of its own, to a server of its own."""
    with tempfile.TemporaryDirectory() as directory, EndpointProcess("--api-key", KEY) as endpoint:
        for number in range(count):
            leave_owner(directory, number)
        command = [sys.executable, __file__, "deliver", directory, endpoint.url]
        subprocess.run(command, check=True)  # noqa: S603 - this file itself
        sys.stdout.write(f"{len(endpoint.events()):,} of {count:,} events arrived\n")


def leave_owner(directory: str, number: int) -> None:
    """One small segment and a lock file that nobody holds, as a process leaves that is killed."""
    owner = format.new_owner(1_700_000_000_000 + number, number + 1, number)
    disk, now = Disk(), time.time()
    body = b'{"event_type":"Tick","user_id":"user-%d","insert_id":"%d"}' % (number % 50, number)
    segment = make_segment(
        disk,
        directory,
        1,
        format.SMALLEST,
        owner=owner,
        number=1,
        wall=now,
        monotonic=0.0,
        fingerprint=fingerprint(KEY),
        salt=number,
        is_claimed=True,
        may_map=False,
        is_synced=False,
    )
    segment.append(body, 0.0)
    segment.seal()
    segment.close()
    disk.close(disk.open_lock(os.path.join(directory, format.lock_name(owner))))


def deliver(directory: str, url: str) -> None:
    with tempfile.TemporaryDirectory() as empty:  # loads what the first client of a process loads
        Client().init(KEY, storage=empty, server_url=url).shutdown(5)
    before = peak()
    client = Client()
    begun, cpu = time.perf_counter(), time.thread_time()
    client.init(KEY, storage=directory, server_url=url)
    cpu, waited = time.thread_time() - cpu, time.perf_counter() - begun
    done = threading.Event()
    most = [0]

    def watch() -> None:
        while not done.wait(0.01):
            most[0] = max(most[0], len(os.listdir("/dev/fd")))

    watcher = threading.Thread(target=watch)
    watcher.start()
    report = client.flush(600)
    seconds, process = time.perf_counter() - begun, time.process_time()
    done.set()
    watcher.join()
    client.shutdown(10)
    sys.stdout.write(
        f"init took {cpu * 1000:.0f} ms of CPU on its caller's thread ({waited * 1000:.0f} ms of time); all "
        f"delivered after {seconds:.1f} s ({process:.1f} s of CPU in all), {report.pending} pending; at most "
        f"{most[0]} descriptors, peak {peak():.0f} MB ({peak() - before:.0f} MB more than before)\n"
    )
    sys.stdout.flush()


def say(title: str, rounds: list[float]) -> None:
    line = f"{title} {min(rounds):8.0f} ns at best, {statistics.median(rounds):8.0f} ns in the median\n"
    sys.stdout.write(line)
    sys.stdout.flush()


def timed(call: Callable[[], object], number: int) -> float:
    begun = time.perf_counter()
    for _ in range(number):
        call()
    return (time.perf_counter() - begun) / number * 1e9


def raw_store(rounds: int) -> list[float]:
    """Storing as many bytes, page faults included: what no spool in memory-mapped files can go below."""
    size = len(BODY) + 24
    data = bytes(size)
    with tempfile.TemporaryFile() as file:
        total = rounds * BATCH * size
        os.posix_fallocate(file.fileno(), 0, total)
        with mmap.mmap(file.fileno(), total) as mapped:
            at = 0

            def store() -> None:
                nonlocal at
                mapped[at : at + size] = data
                at += size

            return [timed(store, BATCH) for _ in range(rounds)]


def raw_write(rounds: int) -> list[float]:
    data = bytes(len(BODY) + 24)
    with tempfile.TemporaryFile(buffering=0) as file:
        descriptor = file.fileno()
        return [timed(lambda: os.write(descriptor, data), BATCH // 5) for _ in range(rounds)]


def append(rounds: int, *, is_mapped: bool) -> list[float]:
    """As the client drives it: appended directly, acknowledged and prepared between rounds."""
    with tempfile.TemporaryDirectory() as directory:
        spool = Spool(directory, max_bytes=LIMIT, is_mapped=is_mapped)
        spool.open()
        results, places = [], []

        def one() -> None:
            places.append(spool.append(BODY, 1.0, direct=True))

        for _ in range(rounds):
            results.append(timed(one, BATCH if is_mapped else BATCH // 5))
            spool.acknowledge(places, DELIVERED)
            places.clear()
            spool.prepare()
        spool.close()
    return results


@contextmanager
def idle() -> Iterator[None]:
    yield


@contextmanager
def busy() -> Iterator[None]:
    """Another thread that never rests, as an application's may be."""
    stop = threading.Event()

    def spin() -> None:
        while not stop.is_set():
            sum(range(100))

    thread = threading.Thread(target=spin)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def run(directory: str, mode: str, events: int) -> None:
    """In a process of its own, so that its memory is its own."""
    command = [sys.executable, __file__, mode, directory, str(events)]
    done = subprocess.run(command, check=False)  # noqa: S603 - this file itself
    if done.returncode not in {0, -9}:
        raise SystemExit(f"{mode} failed")


def peak() -> float:
    """The most memory this process has had, in megabytes."""
    status = Path("/proc/self/status")
    if status.exists():  # what getrusage says there includes the parent's, from before exec
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)


def write(directory: str, events: int) -> None:
    spool = Spool(directory, max_bytes=LIMIT)
    spool.open()
    begun = time.perf_counter()
    for number in range(events):
        spool.append(BODY, time.monotonic(), direct=False)
        if number % BATCH == 0:
            spool.prepare()
    seconds = time.perf_counter() - begun
    sys.stdout.write(
        f"{events:,} events written in {seconds:.2f} s; the process is killed; peak {peak():.0f} MB\n"
    )
    sys.stdout.flush()
    os.kill(os.getpid(), 9)


def recover(directory: str, events: int) -> None:
    before = peak()
    begun = time.perf_counter()
    spool = Spool(directory, max_bytes=LIMIT)
    spool.open()
    segments = spool.adopt()
    read, first = 0, 0.0
    while batch := spool.read(BATCH, 1 << 20):
        first = first or time.perf_counter() - begun
        read += len(batch)
        spool.acknowledge([record.place for record in batch], DELIVERED)
        spool.prepare()
    seconds, cpu = time.perf_counter() - begun, time.process_time()
    spool.prepare()
    spool.close()
    sys.stdout.write(
        f"{read:,} of {events:,} events in {segments} segments: first batch after {first * 1000:.0f} ms, "
        f"all read and acknowledged in {seconds:.2f} s ({cpu:.2f} s of CPU), "
        f"peak {peak():.0f} MB ({peak() - before:.0f} MB more than before)\n"
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["owners"]:
        owners(int(sys.argv[2]) if len(sys.argv) > 2 else 10_000)
    elif sys.argv[1:2] == ["deliver"]:
        deliver(*sys.argv[2:])
    elif len(sys.argv) == 4:
        {"write": write, "recover": recover}[sys.argv[1]](sys.argv[2], int(sys.argv[3]))
    else:
        main()
