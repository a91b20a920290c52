"""What runs in each process that will be killed: a writer, or one that only takes over and delivers."""

from __future__ import annotations

import errno
import logging
import os
import random
import signal
import threading
import time
from dataclasses import dataclass
from typing import Any

from antinode import Client
from antinode._delivery.shell import spooler
from antinode._spool import spool as spool_module
from antinode._spool.disk import Disk

KEY = "0123456789abcdef0123456789abcdef"
# How often these look for what the dead have left, in seconds: in earnest it is ten.
ADOPT_EVERY = 0.1


@dataclass(frozen=True)
class Orders:
    """What one process is to do, and how it ends."""

    name: str
    seed: int
    directory: str
    url: str
    report: int
    """The pipe to tell which calls have returned."""
    threads: int
    """That log; none: it only delivers."""
    events: int
    """Per thread."""
    users: int
    """Per thread. Threads share none, so that the order within a user is the order of the calls."""
    largest: int
    """Padding of an event in bytes, at most."""
    memory_events: int
    """So many events are held in memory at most, the others are on disk alone."""
    first_segment: int
    is_mapped: bool
    durability: str
    dies_at: int | None
    """The disk operation at which the process kills itself; None: it is killed from outside, or ends."""
    failures: float
    """The part of the disk's operations that is refused."""
    is_torn: bool
    """Whether half of that operation is done if it writes."""
    leaves: str
    """How it ends if it is not killed: "shutdown", "shutdown 0", "exit" or "vanish"."""


# What a process that logs cannot write it keeps in memory, and a kill takes that: only reading is refused.
READING = frozenset({"open", "open_to_read", "read_at"})
# What the log says when events are not on disk.
IN_MEMORY = "in memory alone"
ERRNOS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.ESTALE, errno.EINTR, errno.ENOLCK)


def _refuse(*_arguments: object) -> None:
    number = DeadlyDisk.draw.choice(ERRNOS)
    raise OSError(number, os.strerror(number))


class DeadlyDisk(Disk):
    """Counts what is asked of the disk, kills the process at one of these operations, and refuses others."""

    orders: Orders
    operations = 0
    draw: random.Random

    def __getattribute__(self, name: str) -> Any:
        attribute = object.__getattribute__(self, name)
        orders = DeadlyDisk.orders
        is_refusable = name in READING or (not orders.threads and name not in {"close", "path"})
        if callable(attribute) and is_refusable and DeadlyDisk.draw.random() < orders.failures:
            _tell(orders.report, "~")
            return _refuse
        if orders.dies_at is None or not callable(attribute) or name.startswith("_"):
            return attribute
        DeadlyDisk.operations += 1
        if DeadlyDisk.operations < orders.dies_at:
            return attribute
        if name == "write_at" and orders.is_torn:
            return lambda descriptor, data, offset: (
                attribute(descriptor, bytes(data)[: len(data) // 2], offset),
                os.kill(os.getpid(), signal.SIGKILL),
            )
        os.kill(os.getpid(), signal.SIGKILL)
        return attribute


class _Errors(logging.Handler):
    """Tells of errors, and of warnings about the disk, of which there should be none.

    Where reading is refused, no process that logs may say that its events are not on disk.
    """

    def __init__(self, report: int) -> None:
        super().__init__(logging.WARNING)
        self._report = report
        self.expects_refusals = False
        self.logs = False

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        is_expected = self.expects_refusals and not (self.logs and IN_MEMORY in text)
        if record.levelno >= logging.ERROR or ("spool" in text and not is_expected):
            _tell(self._report, f"! {text!r}")


def _tell(report: int, line: str) -> None:
    os.write(report, f"{line}\n".encode())


def work(orders: Orders) -> None:
    """Do as ordered. Does not return if the process is killed, or is to vanish."""
    log = logging.getLogger("antinode")
    log.propagate = False
    errors = _Errors(orders.report)
    errors.expects_refusals = orders.failures > 0
    errors.logs = orders.threads > 0
    log.addHandler(errors)
    spooler.ADOPT_EVERY_SECONDS = ADOPT_EVERY
    spool_module.FIRST_SIZE = orders.first_segment
    DeadlyDisk.orders = orders
    DeadlyDisk.draw = random.Random(f"{orders.seed} refusals")
    spool_module.Disk = DeadlyDisk
    if not orders.is_mapped:
        spool_module.may_map = lambda path: False
    client = Client().init(
        KEY,
        server_url=orders.url,
        storage=orders.directory,
        durability=orders.durability,
        max_queue_events=orders.memory_events,
        shutdown_timeout=0.5,
        request_timeout_millis=2000,
    )
    threads = [
        threading.Thread(target=_log, args=(client, orders, number), daemon=True)
        for number in range(orders.threads)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if not threads:
        _deliver(client, orders)
    _leave(client, orders)


def _log(client: Client, orders: Orders, thread: int) -> None:
    draw = random.Random(f"{orders.seed} {thread}")
    numbers = dict.fromkeys(range(orders.users), 0)
    for count in range(orders.events):
        user = draw.randrange(orders.users)
        numbers[user] += 1
        name = f"user-{thread}-{user}"
        size = min(int(draw.expovariate(8 / (orders.largest + 1))), orders.largest)
        handle = client.log_event(
            {
                "event_type": "Tick",
                "user_id": name,
                "event_properties": {"by": orders.name, "n": numbers[user], **_padding(size)},
            }
        )
        line = f"{name} {numbers[user]}"
        if count % 8 == 0 and (event := handle.event()):
            line = f"{line} {event['insert_id']} {event['time']}"
        _tell(orders.report, line)
        if draw.random() < 0.01:
            time.sleep(0.002)


def _padding(size: int) -> dict[str, str]:
    """A longer text would be cut."""
    return {f"pad{start}": "x" * min(1000, size - start) for start in range(0, size, 1000)}


def _deliver(client: Client, orders: Orders) -> None:
    """Take over and deliver for a while."""
    end = time.monotonic() + orders.events / 1000
    while time.monotonic() < end:
        client.flush(0.05)
        time.sleep(0.01)


def _leave(client: Client, orders: Orders) -> None:
    if orders.leaves == "vanish":
        os._exit(0)
    if orders.leaves == "shutdown":
        report = client.shutdown(5)
    elif orders.leaves == "shutdown 0":
        report = client.shutdown(0)
    else:
        import atexit

        atexit._run_exitfuncs()
        return
    if report.dropped or report.rejected or not client.stats().balanced:
        _tell(orders.report, f"! {report} {client.stats()}")
