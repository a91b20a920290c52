"""A shop's clickstream, sent through antinode to a local Amplitude that keeps having accidents.

    python examples/demo.py            about 40 seconds, 30 of them one throttled user's
    python examples/demo.py --open     the same, watched in the browser; the server stays up until Ctrl-C
    python examples/demo.py --fast     a few seconds, without the throttled user

The server answers some requests with 500, 503 or 413, cuts some connections before it has stored the events
and some after, goes down for two seconds, and throttles one user. Its page shows all of it as it happens. At
the end, what it holds is compared with what was logged: every event exactly once, in order per user. Exit
status 1 if that is not so.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import logging
import sys
import threading
import time
import webbrowser
from collections import Counter, defaultdict, deque
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import antinode
import antinode.server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from rich.console import RenderableType

DATA = Path(__file__).parent / "data" / "ecom.csv.gz"
API_KEY = "demo-key-of-no-project"
LOGGING_TIME = 25.0  # seconds over which the events are spread, unless --fast
DEADLINE = 120.0  # seconds after which the demo stops waiting and shows what is missing
REFRESH = 0.25
PAGE = 10_000  # events that the server gives in one answer: more than there are

# Each happens once, when so much of the clickstream has been logged; in --fast some fall together.
ACCIDENTS = {
    0.10: "500",
    0.20: "drop-before",
    0.30: "drop-after",
    0.40: "503",
    0.50: "413:events=10",
    0.60: "500-after",
    0.70: "down:2s",
    0.85: "delay:1s",
}
# And these, at random, all the time.
BAD_LUCK = ("500@1%", "503@0.5%", "drop-before@1%", "drop-after@1%")

Event = antinode.EventDict


# What is sent, and the accidents it meets.


def clickstream(limit: int | None = None) -> list[Event]:
    """The shop's events by time, so that users interleave. `event_id` numbers them in that order."""
    with gzip.open(DATA, "rt", encoding="utf-8", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["timestamp"])[:limit]
    starts: dict[str, int] = {}
    events: list[Event] = []
    for number, row in enumerate(rows):
        moment = datetime.fromisoformat(row["timestamp"]).replace(tzinfo=timezone.utc)
        milliseconds = int(moment.timestamp() * 1000)
        events.append(
            {
                "event_type": row["event"],
                "user_id": row["user_id"],
                "time": milliseconds,
                "event_id": number,
                "session_id": starts.setdefault(row["session_id"], milliseconds),
                "platform": row["platform"],
                "event_properties": {
                    "channel": row["acquisition_channel"],
                    "cohort": row["user_cohort"],
                    "lifecycle": row["user_lifecycle"],
                    "session": row["session_id"],
                },
            }
        )
    return events


def busiest_early_user(events: list[Event]) -> str:
    """Who has the most events among those who appear in the first twentieth: the one to throttle."""
    early = {event["user_id"] for event in events[: max(1, len(events) // 20)]}
    counts = Counter(event["user_id"] for event in events if event["user_id"] in early)
    return str(counts.most_common(1)[0][0])


# The run.


class Waits:
    """How long each user's slowest event took from its logging to its delivery, and who still waits."""

    # Guarded by _lock, since deliveries settle on the sender's threads.

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.slowest: defaultdict[str, float] = defaultdict(float)
        self.pending: Counter[str] = Counter()

    def watch(self, user: str, delivery: antinode.Delivery) -> None:
        """Start the clock of one event; its delivery stops it."""
        started = time.monotonic()
        with self._lock:
            self.pending[user] += 1

        def settled(_: object) -> None:
            with self._lock:
                self.pending[user] -= 1
                self.slowest[user] = max(self.slowest[user], time.monotonic() - started)

        delivery.add_done_callback(settled)


@dataclass(frozen=True)
class Progress:
    """One look at the client's books and at the server's."""

    elapsed: float
    total: int
    stats: antinode.Stats
    answers: dict[str, int]
    throttled: str | None
    held: int
    """Events of the throttled user that are not delivered yet."""

    @property
    def answers_text(self) -> str:
        """What the server answered, the frequent first."""
        named = ((("connection cut" if name == "0" else name), count) for name, count in self.answers.items())
        return " · ".join(f"{name}: {count:,}" for name, count in named) or "none yet"


class Run:
    """The clickstream on its way: a client, the server, and what is known of both."""

    def __init__(
        self,
        events: list[Event],
        amplitude: antinode.server.Running,
        client: antinode.Client,
        throttled: str | None,
        accidents: dict[float, str],
    ) -> None:
        self.events = events
        self.waits = Waits()
        self._amplitude, self._client, self._throttled = amplitude, client, throttled
        self._accidents = {int(share * len(events)): fault for share, fault in accidents.items()}
        self._started = time.monotonic()

    def steps(self, duration: float) -> Iterator[Progress]:
        """Log every event, spread over `duration` seconds, wait for the last, and look up now and then."""
        looked = self._started
        for number, event in enumerate(self.events):
            due = self._started + duration * number / len(self.events)
            while (now := time.monotonic()) < due or now - looked > REFRESH:
                if now - looked > REFRESH:
                    looked = now
                    yield self.progress()
                time.sleep(max(0.0, min(due - time.monotonic(), REFRESH)))
            if number in self._accidents:
                self._amplitude.api.add_faults(self._accidents[number])
            self.waits.watch(event["user_id"], self._client.log_event(event))
        while self._client.flush(timeout=REFRESH).pending and time.monotonic() < self._started + DEADLINE:
            yield self.progress()
        yield self.progress()

    def progress(self) -> Progress:
        """How it stands."""
        return Progress(
            elapsed=time.monotonic() - self._started,
            total=len(self.events),
            stats=self._client.stats(),
            answers={each.name: each.count for each in self._amplitude.api.stats().statuses},
            throttled=self._throttled,
            held=self.waits.pending[self._throttled] if self._throttled else 0,
        )


# Showing it.


class Output:
    """Standard output, in ASCII where the encoding has no better."""

    _ASCII = str.maketrans({"✓": "ok", "✗": "FAILED", "·": "|", "→": "->", "…": "..."})

    def __init__(self) -> None:
        try:
            "✓✗·→…▁▇".encode(sys.stdout.encoding or "ascii")
        except UnicodeEncodeError:
            self.is_ascii = True
        else:
            self.is_ascii = False

    def line(self, text: str = "") -> None:
        """One line."""
        sys.stdout.write((text.translate(self._ASCII) if self.is_ascii else text) + "\n")
        sys.stdout.flush()


class Display(Protocol):
    """Shows progress while the demo runs."""

    def __enter__(self) -> Display: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def show(self, progress: Progress) -> None: ...


class Lines:
    """A line about once a second: for logs, pipes and terminals without rich."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._shown = -1.0
        self._last: Progress | None = None

    def __enter__(self) -> Lines:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._last is not None:
            self._write(self._last)

    def show(self, progress: Progress) -> None:
        """Write a line, if the last one is a second old; otherwise keep it for the end."""
        self._last = progress
        if progress.elapsed - self._shown >= 1:
            self._shown = progress.elapsed
            self._last = None
            self._write(progress)

    def _write(self, progress: Progress) -> None:
        stats = progress.stats
        held = f" · {progress.held} of them {progress.throttled}'s" if progress.held else ""
        self._output.line(
            f"{progress.elapsed:5.1f} s  logged {stats.accepted:,}, delivered {stats.delivered:,}, "
            f"pending {stats.pending:,}{held} · requests {stats.requests:,}, retried {stats.retries:,} · "
            f"answers {progress.answers_text}"
        )


class Dashboard:
    """A live picture in a terminal, drawn with rich."""

    _SPARKS = "▁▂▃▄▅▆▇█"

    def __init__(self) -> None:
        from rich.live import Live  # noqa: PLC0415 - an optional dependency

        self._live = Live(refresh_per_second=8, transient=False)
        self._rates: deque[float] = deque(maxlen=40)
        self._previous: Progress | None = None

    def __enter__(self) -> Dashboard:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, progress: Progress) -> None:
        """Draw how it stands."""
        if (previous := self._previous) is not None and progress.elapsed > previous.elapsed:
            delivered = progress.stats.delivered - previous.stats.delivered
            self._rates.append(delivered / (progress.elapsed - previous.elapsed))
        self._previous = progress
        self._live.update(self._picture(progress))

    def _picture(self, progress: Progress) -> RenderableType:
        from rich.panel import Panel  # noqa: PLC0415 - an optional dependency
        from rich.progress_bar import ProgressBar  # noqa: PLC0415
        from rich.table import Table  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        stats, total = progress.stats, progress.total
        bars = Table.grid(padding=(0, 2))
        bars.add_column(style="dim", width=12)
        bars.add_column(width=40)
        bars.add_column(justify="right")
        for name, count, style in (
            ("logged", stats.accepted, "cyan"),
            ("delivered", stats.delivered, "green"),
        ):
            bar = ProgressBar(total, count, width=40, complete_style=style, finished_style=style)
            bars.add_row(name, bar, f"{count:,} / {total:,}")
        bars.add_row("per second", Text(self._sparkline(), style="green"), f"{self._rate():,.0f}")
        pending = f"{stats.queued:,} queued · {stats.in_flight:,} in flight · {stats.waiting:,} waiting"
        bars.add_row("pending", pending, f"{stats.pending:,}")
        bars.add_row("sent", f"{stats.bytes_sent / 1e6:,.1f} MB in {stats.requests:,} requests", "")
        bars.add_row("retried", f"{stats.retries:,}", "")
        bars.add_row("answers", Text(progress.answers_text, style="yellow"), "")
        if progress.throttled is not None:
            waiting = f"{progress.held} events of {progress.throttled} wait out its 30 s, alone"
            throttled = "429" in progress.answers and progress.held
            bars.add_row("throttled", Text(waiting if throttled else "nobody", style="magenta"), "")
        title = f"[bold]antinode[/] · a shop's clickstream · {progress.elapsed:.0f} s"
        return Panel(bars, title=title, title_align="left", border_style="dim", expand=False, padding=(1, 2))

    def _sparkline(self) -> str:
        highest = max(self._rates, default=0.0) or 1.0
        top = len(self._SPARKS) - 1
        return "".join(self._SPARKS[round(rate / highest * top)] for rate in self._rates)

    def _rate(self) -> float:
        recent = list(self._rates)[-4:]
        return sum(recent) / len(recent) if recent else 0.0


def choose_display(output: Output, *, plain: bool) -> Display:
    """The dashboard where there is a terminal for it and rich is installed, otherwise lines."""
    if plain or output.is_ascii or not sys.stdout.isatty():
        return Lines(output)
    try:
        return Dashboard()
    except ImportError:
        return Lines(output)


# The verdict.


def verify(run: Run, stats: antinode.Stats, amplitude: antinode.server.Running) -> list[tuple[bool, str]]:
    """Compare what the server holds with what was logged: sentences, and whether they are true."""
    arrived, totals = stored_events(amplitude), amplitude.api.stats().totals
    logged: defaultdict[str, list[int]] = defaultdict(list)
    for event in run.events:
        logged[event["user_id"]].append(event["event_id"])
    accepted: defaultdict[str, list[int]] = defaultdict(list)
    for each in arrived:
        accepted[each["user_id"]].append(each["event_id"])
    missing = {event["event_id"] for event in run.events} - {event["event_id"] for event in arrived}
    keys = {event.get("insert_id") for event in arrived}
    once = len(keys) == len(arrived) == len(run.events) and None not in keys
    misplaced = sum(logged[user] != accepted[user] for user in logged)
    settled = stats.delivered + sum(stats.rejected.values()) + sum(stats.dropped.values()) + stats.pending
    return [
        (not missing, f"{len(run.events) - len(missing):,} of {len(run.events):,} events arrived"),
        (
            once,
            f"each exactly once per insert_id ({totals.duplicates:,} came again after a lost answer, "
            "and were recognised)",
        ),
        (not misplaced, f"in order for {len(logged) - misplaced:,} of {len(logged):,} users"),
        (
            settled == stats.accepted and stats.delivered == len(run.events),
            f"the books balance: {stats.accepted:,} accepted = {stats.delivered:,} delivered + "
            f"{sum(stats.rejected.values()):,} rejected + {sum(stats.dropped.values()):,} dropped + "
            f"{stats.pending:,} pending",
        ),
    ]


def stored_events(amplitude: antinode.server.Running) -> list[dict[str, Any]]:
    """Everything that was accepted, in the order in which it came."""
    found = amplitude.api.events(outcome="accepted", limit=PAGE)
    return [each.event for each in reversed(found)]


def conclude(run: Run, progress: Progress, amplitude: antinode.server.Running, output: Output) -> bool:
    """Print the verdict; whether all of it is good."""
    stats = progress.stats
    output.line()
    output.line(f"{stats.requests:,} requests in {progress.elapsed:.1f} s, {stats.retries:,} retries.")
    output.line(f"The server's answers: {progress.answers_text}")
    waits = dict(run.waits.slowest)
    if progress.throttled is not None and "429" in progress.answers:
        own = waits.pop(progress.throttled, 0.0)
        output.line(
            f"The throttled {progress.throttled} waited up to {own:.1f} s, "
            f"everybody else at most {max(waits.values(), default=0.0):.1f} s."
        )
    output.line()
    verdict = verify(run, stats, amplitude)
    for is_true, sentence in verdict:
        output.line(f"{'✓' if is_true else '✗'} {sentence}")
    return all(is_true for is_true, _ in verdict)


def main() -> int:
    """Run the demo; its exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--open", action="store_true", help="open the page, and leave the server up at the end"
    )
    parser.add_argument("--fast", action="store_true", help="log at full speed, throttle nobody")
    parser.add_argument("--no-faults", action="store_true", help="a server that is always well")
    parser.add_argument("--seed", type=int, default=2, help="of the random accidents (2)")
    parser.add_argument("--events", type=int, metavar="N", help="only the first N events")
    parser.add_argument("--plain", action="store_true", help="lines even in a terminal")
    options = parser.parse_args()

    # The display tells what the library's warnings would: they would only tear it up.
    logging.getLogger("antinode").addHandler(logging.NullHandler())
    output = Output()
    events = clickstream(options.events)
    throttled = None if options.fast or options.no_faults else busiest_early_user(events)
    bad_luck = [] if options.no_faults else list(BAD_LUCK)
    if throttled is not None:
        bad_luck.insert(0, f"429:user={throttled}")
    with antinode.server.running(faults=bad_luck, seed=options.seed) as amplitude:
        users = len({event["user_id"] for event in events})
        output.line(f"{len(events):,} events of {users} users → {amplitude.server_url}")
        output.line(f"Watch them arrive on {amplitude.url}")
        if options.open:
            webbrowser.open(amplitude.url)
        client = antinode.init(API_KEY, server_url=amplitude.server_url)
        try:
            run = Run(events, amplitude, client, throttled, {} if options.no_faults else ACCIDENTS)
            with choose_display(output, plain=options.plain) as display:
                for progress in run.steps(0.0 if options.fast else LOGGING_TIME):
                    display.show(progress)
            is_good = conclude(run, progress, amplitude, output)
            if options.open:
                output.line()
                output.line(f"{amplitude.url} stays up for you to look around: Ctrl-C ends it.")
                stay_up()
        finally:
            client.shutdown(timeout=5)
    return 0 if is_good else 1


def stay_up() -> None:
    """Until Ctrl-C."""
    with suppress(KeyboardInterrupt):
        threading.Event().wait()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
