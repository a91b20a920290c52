"""The accidents, as data: what happens, to which driver, and how it must end."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

Fault = Mapping[str, Any]
"""As `antinode.testing.faults.from_spec` takes it."""

DEAD = "dead"
"""Instead of a fault: a port at which nobody listens, from beginning to end."""


@dataclass(frozen=True)
class Expectations:
    """What must be found afterwards. Whatever is not named here must not have happened."""

    logged: int
    ended: int = 0
    """The exit status; the negative number of the signal if one ended the process."""
    lost: int = 0
    is_told: bool = True
    """Whether each lost event must have been reported: by its handle, `on_outcome`, the books and the log."""
    refused: int = 0
    """Events that are to blame themselves, each of them told."""
    may_repeat: bool = False
    """Whether the server may see an insert_id again: only where it kept the events and lost its answer."""
    statuses: tuple[int, ...] = ()
    """Answers without which the accident did not happen. 0 is a request without an answer."""
    notes: Mapping[str, float] = field(default_factory=dict)
    """The driver's own measurements, each at most this much."""
    last_user: str | None = None
    """A user whose events must all have been accepted after everybody else's, and refused once only."""


@dataclass(frozen=True)
class Accident:
    """One row of the table."""

    name: str
    title: str
    driver: str
    expect: Expectations
    args: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    """The client's, beside key and URL."""
    server: Fault | str | None = None
    """What happens to requests; None: the server is well."""
    kill: signal.Signals | None = None
    """Sent to the driver when it says that everything is logged."""
    seconds: float = 0
    """About how long it takes, if long: such rows are started first."""
    sdk: str = "antinode"
    """What logs: antinode itself, or a package with the surface of Amplitude's own SDK."""

    @property
    def shutdown_timeout(self) -> float:
        """Seconds that antinode may take at exit; the option's default if the row does not set it."""
        return float(self.options.get("shutdown_timeout", 5.0))


def _answer(status: int) -> Fault:
    return {"fault": "answer", "status": status}


def _every(n: int, fault: Fault | str) -> Fault:
    return {"fault": "every", "n": n, "of": fault}


def _during(seconds: float, fault: Fault) -> Fault:
    return {"fault": "during", "seconds": seconds, "of": fault}


def _outage(seconds: float) -> Fault:
    """The first request passes; in the middle of the second the server goes down."""
    once = {"fault": "times", "n": 1, "of": {"fault": "down", "seconds": seconds}}
    return {"fault": "after", "n": 1, "of": once}


# Nothing is sent without a flush or an end, so that it is known what is in memory when the process ends.
_IN_MEMORY: Mapping[str, Any] = {"upload_interval_in_sec": 60}
_ON_DISK: Mapping[str, Any] = {"storage": "spool"}
"""In the directory of the row, where a second process finds what the first has left."""


def _end(name: str, title: str, way: str, ended: int, **more: Any) -> Accident:
    lost, may_repeat = more.pop("lost", 0), more.pop("may_repeat", False)
    return Accident(
        name,
        title,
        "half_flushed",
        Expectations(2000, ended, lost=lost, is_told=not lost, may_repeat=may_repeat),
        args={"events": 2000, "way": way},
        options={**_IN_MEMORY, **more.pop("options", {})},
        **more,
    )


_ENDS = (
    _end("normal-exit", "normal exit", "return", 0),
    _end("exit-3", "`sys.exit(3)`", "exit", 3),
    _end("unhandled-exception", "unhandled exception", "raise", 1),
    _end(
        "sigterm", "SIGTERM, no `drain_on_sigterm`", "signal", -signal.SIGTERM, kill=signal.SIGTERM, lost=1000
    ),
    _end(
        "sigterm-drain",
        "SIGTERM, `drain_on_sigterm=True`",
        "signal",
        -signal.SIGTERM,
        kill=signal.SIGTERM,
        options={"drain_on_sigterm": True},
    ),
    _end("sigkill", "SIGKILL", "signal", -signal.SIGKILL, kill=signal.SIGKILL, lost=1000),
    _end(
        "sigkill-storage",
        "SIGKILL, `storage=`, a next process",
        "signal",
        -signal.SIGKILL,
        kill=signal.SIGKILL,
        options=_ON_DISK,
    ),
    _end(
        "sigterm-storage",
        "SIGTERM, `storage=`, a next process",
        "signal",
        -signal.SIGTERM,
        kill=signal.SIGTERM,
        options=_ON_DISK,
    ),
    _end(
        "exit-at-once-storage",
        "exit at once, `storage=`, a next process",
        "return",
        0,
        options={**_ON_DISK, "shutdown_timeout": 0},
        may_repeat=True,  # it does not wait for the answer of what it has just sent
    ),
)

_FORKS = (
    Accident(
        "fork", "`os.fork`, both log on", "os_fork", Expectations(1500), {"events": 1500, "in_c": False}
    ),
    Accident(
        "fork-multiprocessing",
        "multiprocessing fork, child skips atexit",
        "multiprocessing_fork",
        Expectations(1500),
        {"events": 1500},
    ),
    Accident(
        "fork-prefork",
        "prefork with preload, 4 workers, SIGTERM",
        "prefork",
        Expectations(1800),
        {"events": 1800, "workers": 4},
    ),
    Accident(
        "fork-in-c",
        "fork in C, no Python hook runs",
        "os_fork",
        Expectations(1500),
        {"events": 1500, "in_c": True},
    ),
    Accident(
        "fork-in-memory",
        "`os.fork` with the parent's events in memory",
        "os_fork",
        Expectations(1500),
        {"events": 1500, "in_c": False},
        _IN_MEMORY,
    ),
    Accident(
        "fork-in-c-in-memory",
        "fork in C with the parent's events in memory",
        "os_fork",
        Expectations(1500),
        {"events": 1500, "in_c": True},
        _IN_MEMORY,
    ),
)

_OUTAGES = (
    Accident(
        "outage-8s",
        "8 s of refused connections",
        "steady",
        Expectations(2000, statuses=(0,)),
        {"events": 2000, "over": 6, "flush": None},
        server=_outage(8),
        seconds=18,
    ),
    Accident(
        "outage-25s",
        "25 s of refused connections",
        "steady",
        Expectations(2000, statuses=(0,)),
        {"events": 2000, "over": 10, "flush": None},
        server=_outage(25),
        seconds=45,
    ),
    Accident(
        "errors-8s",
        "8 s of answers 500",
        "steady",
        Expectations(2000, statuses=(500,)),
        {"events": 2000, "over": 6, "flush": None},
        server=_during(8, _answer(500)),
        seconds=18,
    ),
    Accident(
        "answers-lost",
        "every second answer lost, events kept",
        "steady",
        Expectations(2000, may_repeat=True, statuses=(0,)),
        {"events": 2000, "over": 3, "flush": None},
        server=_every(2, "drop_after"),
        seconds=15,
    ),
    Accident(
        "connections-cut",
        "every second connection cut before",
        "steady",
        Expectations(2000, statuses=(0,)),
        {"events": 2000, "over": 3, "flush": None},
        server=_every(2, "drop_before"),
        seconds=15,
    ),
    Accident(
        "every-fifth-fails",
        "every fifth request answered 500",
        "steady",
        Expectations(4000, statuses=(500,)),
        {"events": 4000, "over": 4, "flush": None},
        server=_every(5, _answer(500)),
        seconds=10,
    ),
)

_REFUSALS = (
    Accident(
        "too-large-2kb",
        "413 above 64 KB, events of 2 KB",
        "steady",
        Expectations(1000, statuses=(413,)),
        {"events": 1000, "kilobytes": 2},
        server={"fault": "max_body", "limit": 64 * 1024},
    ),
    Accident(
        "too-large-20kb",
        "413 above 64 KB, events of 20 KB",
        "steady",
        Expectations(200, statuses=(413,)),
        {"events": 200, "kilobytes": 20},
        server={"fault": "max_body", "limit": 64 * 1024},
    ),
    Accident(
        "hot-user",
        "one user of 21 throttled for 15 s",
        "hot_user",
        Expectations(1050, statuses=(429,), last_user="hot-user"),
        {"others": 1000, "hot": 50},
        server=_during(15, {"fault": "throttle", "users": ["hot-user"]}),
        seconds=40,
    ),
    Accident(
        "invalid-among-good",
        "every fourth event invalid",
        "invalid",
        Expectations(400, refused=100, statuses=(400,)),
        {"events": 400, "every": 4},
        server={"fault": "invalid", "where": {"event_properties.bad": True}},
    ),
    Accident(
        "bad-values",
        "bad values of every kind among good",
        "bad_values",
        Expectations(137, refused=19),
    ),
)

_DEAD_ENDS = (
    Accident(
        "never-answers",
        "never answers, no flush",
        "steady",
        Expectations(2000, lost=2000, statuses=(0,)),
        {"events": 2000},
        {"shutdown_timeout": 2},
        server={"fault": "hang"},
    ),
    Accident(
        "never-answers-flush",
        "never answers, `flush(1)`",
        "steady",
        Expectations(2000, lost=2000, statuses=(0,), notes={"flush_seconds": 2, "flush_pending": 2000}),
        {"events": 2000, "flush": 1},
        {"shutdown_timeout": 2},
        server={"fault": "hang"},
    ),
    Accident(
        "dead-server",
        "dead server, 200,000 events",
        "steady",
        Expectations(200_000, lost=200_000),
        {"events": 200_000, "users": 1000},
        {"shutdown_timeout": 2},
        server=DEAD,
        seconds=10,
    ),
    Accident(
        "dead-server-full-queue",
        "the same, room for 50,000",
        "steady",
        Expectations(200_000, lost=200_000),
        {"events": 200_000, "users": 1000},
        {"shutdown_timeout": 2, "max_queue_events": 50_000},
        server=DEAD,
        seconds=10,
    ),
)

_CALLERS = (
    Accident(
        "changed-dicts", "the caller changes its dicts", "changing", Expectations(1000), {"events": 1000}
    ),
    Accident("threads", "16 threads", "threads", Expectations(16_000), {"events": 16_000, "threads": 16}),
)

ACCIDENTS: tuple[Accident, ...] = (*_ENDS, *_FORKS, *_OUTAGES, *_REFUSALS, *_DEAD_ENDS, *_CALLERS)


def with_sdk(accident: Accident, package: str) -> Accident:
    """The same accident, for events that are tracked with `antinode.amplitude`, or `amplitude` itself."""
    return replace(accident, sdk=package, name=f"{accident.name}-{package}")


DROP_IN: tuple[Accident, ...] = tuple(
    with_sdk(accident, "antinode.amplitude")
    for accident in ACCIDENTS
    if accident.name
    in {
        *("normal-exit", "unhandled-exception", "sigterm-drain", "sigkill-storage", "fork", "fork-prefork"),
        *("errors-8s", "outage-8s", "connections-cut", "too-large-20kb", "invalid-among-good", "threads"),
    }
)
"""The rows that are tried with the drop-in as well: those in which the official SDK may lose events."""
