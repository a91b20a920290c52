"""One run of one Python peer in a process of its own: does the task it is given and prints figures as JSON.

`worker.mjs` does the same for the peers in Node.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

from bench.suite.memory import Memory
from bench.suite.peers.session import Session
from bench.suite.quantiles import summary
from bench.suite.workloads import Make, maker

Figures = dict[str, Any]


def main() -> None:
    spec = json.loads(sys.argv[1])
    adapter = import_module(f"bench.suite.peers.{spec['module']}")

    def open_session() -> Session:
        session: Session = adapter.open_session(spec["url"], spec["settings"])
        return session

    make: Any = maker
    if spec.get("settings", {}).get("form") == "typed":
        from bench.suite.typed_flights import typed_maker as make  # noqa: PLC0415 - loads antinode
    TASKS[spec["task"]](spec, open_session, make(spec["workload"]))


def _say(figures: Figures) -> None:
    sys.stdout.write(json.dumps(figures) + "\n")
    sys.stdout.flush()


def stream(spec: Figures, open_session: Callable[[], Session], make: Make) -> None:
    """Log events, as fast as it goes or at a rate, and wait for their delivery."""
    session, count, threads = open_session(), spec["events"], spec.get("threads", 1)
    times: list[float] = []
    if spec.get("rate"):
        drive = _paced(make, spec["rate"], times)
    else:
        drive = _timed(make, times) if spec.get("timed") else _plain(make)
    cpu, begun = time.process_time(), time.perf_counter()
    if threads == 1:
        drive(session, range(count))
    else:
        _in_threads(drive, session, count, threads)
    logged, logging_cpu = time.perf_counter() - begun, time.process_time() - cpu
    if release := spec.get("release"):
        _get(release)
    session.finish()
    elapsed, cpu = time.perf_counter() - begun, time.process_time() - cpu
    figures = {
        "cpu": cpu / count * 1e6,
        "logging_cpu": logging_cpu / count * 1e6,
        "logging": logged / count * 1e6,
        "elapsed": elapsed,
        "rate": count / elapsed,
    }
    _say(figures | summary(times, 1e6) if times else figures)
    _leave_at_once()


Drive = Callable[[Session, range], None]


def _plain(make: Make) -> Drive:
    def drive(session: Session, numbers: range) -> None:
        log = session.log
        for i in numbers:
            log(make(i))

    return drive


def _timed(make: Make, times: list[float]) -> Drive:
    clock, keep = time.perf_counter, times.append

    def drive(session: Session, numbers: range) -> None:
        log = session.log
        for i in numbers:
            event = make(i)
            before = clock()
            log(event)
            keep(clock() - before)

    return drive


def _paced(make: Make, rate: float, times: list[float]) -> Drive:
    clock, keep = time.perf_counter, times.append

    def drive(session: Session, numbers: range) -> None:
        log, begun = session.log, clock()
        for i in numbers:
            event = make(i)
            if (early := begun + i / rate - clock()) > 0:
                time.sleep(early)
            before = clock()
            log(event)
            keep(clock() - before)

    return drive


def _in_threads(drive: Drive, session: Session, count: int, threads: int) -> None:
    share = count // threads
    ends = [share * number for number in range(threads)] + [count]
    running = [
        threading.Thread(target=drive, args=(session, range(ends[number], ends[number + 1])))
        for number in range(threads)
    ]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()


def _get(url: str) -> None:
    from urllib.request import urlopen  # noqa: PLC0415 - only some runs

    with urlopen(url, timeout=30) as answer:  # noqa: S310 - the sink's
        answer.read()


def backlog(spec: Figures, open_session: Callable[[], Session], make: Make) -> None:
    """Log events that nobody takes, and tell the most memory they needed."""
    session, count = open_session(), spec["events"]
    for i in range(100):
        make(i)
    memory = Memory()
    for i in range(count):
        session.log(make(i))
    _say({"grown": memory.grown() / count})
    _leave_at_once()


def first(_spec: Figures, open_session: Callable[[], Session], make: Make) -> None:
    """Log one event as soon as can be, and wait for its delivery."""
    session = open_session()
    session.log(make(0))
    session.finish()
    _leave_at_once()


def leave(spec: Figures, open_session: Callable[[], Session], make: Make) -> None:
    """Log events and end without another word, as a program does."""
    session = open_session()
    for i in range(spec["events"]):
        session.log(make(i))
    _say({"ended": time.monotonic_ns()})


def trickle(spec: Figures, open_session: Callable[[], Session], make: Make) -> None:
    """Log few events, and tell when; delivery is left to the peer's own interval."""
    session, at = open_session(), []
    for i in range(spec["events"]):
        at.append(time.monotonic_ns())
        session.log(make(i))
        time.sleep(1 / spec["rate"])
    _say({"logged": at})
    sys.stdin.read()  # until all have arrived
    _leave_at_once()


def hot_path(spec: Figures, _open_session: Callable[[], Session], make: Make) -> None:
    """`log_event` alone, beside encoding the same event; see `bench.suite.hot_path`."""
    from bench.suite.hot_path import run  # noqa: PLC0415 - antinode's only

    _say(run(make, spec["settings"]["encoder"], spec["rounds"]))


def parts(spec: Figures, _open_session: Callable[[], Session], make: Make) -> None:
    """What a part of antinode adds to a call; see `bench.suite.parts`."""
    if without := spec["without"]:
        sys.modules[without] = None  # type: ignore[assignment]  # as where it is not installed
    from bench.suite.parts import run  # noqa: PLC0415 - loads antinode, with or without

    _say({"cpu": run(spec["part"], make)})
    _leave_at_once()


def _leave_at_once() -> None:
    """End without waiting for what a peer would still wait for: its exit is measured on its own."""
    import os  # noqa: PLC0415 - at the end only

    os._exit(0)


TASKS: dict[str, Callable[[Figures, Callable[[], Session], Make], None]] = {
    "stream": stream,
    "backlog": backlog,
    "first": first,
    "leave": leave,
    "trickle": trickle,
    "hot_path": hot_path,
    "parts": parts,
}

if __name__ == "__main__":
    main()
