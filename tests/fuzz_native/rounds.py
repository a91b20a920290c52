"""One round: threads that log dicts which others change, and what must be true afterwards."""

from __future__ import annotations

import gc
import json
import random
import shutil
import signal
import sys
import tempfile
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import antinode
from antinode import Client, Delivery, HttpResponse, Request
from tests.fuzz_native.hostility import Cycle, Interrupted, Mischief, OddDict, let_all_act, let_none_act
from tests.fuzz_native.watched import NAME, Watched, strangers

LOGGERS = CHANGERS = 2
ACTS = 30
"""For each call of a thread that logs: more would keep it from ever coming to its next."""


@dataclass
class Result:
    """What a round did, and what was wrong about it."""

    calls: int = 0
    sent: int = 0
    findings: list[str] = field(default_factory=list)


class Checking:
    """A transport that keeps what it is given and takes everything."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    def send(self, request: Request) -> HttpResponse:
        self.bodies.append(request.body)
        return HttpResponse(200, {}, b'{"code":200}')

    def close(self) -> None:
        pass


class Round:
    """A client, what is logged with it, and who disturbs. Each thread that logs makes so many `calls`."""

    def __init__(self, seed: int, calls: int) -> None:
        self._calls = calls
        chance = random.Random(seed)
        self.mischief = Mischief(seed, ACTS * calls)
        self.result = Result()
        self._transport = Checking()
        self._handles: list[Delivery] = []
        self._folder = tempfile.mkdtemp() if chance.random() < 0.3 else None
        self._profiles = chance.random() < 0.3
        self._signals = chance.random() < 0.6
        self._raises = self._signals and chance.random() < 0.4
        if sys.version_info < (3, 12):
            # There a handler that raises where a profile function is about to run spoils the caller's stack:
            # seen in Python code alone, too.
            self._raises = self._raises and not self._profiles
        self._is_armed = False
        self._threshold = chance.choice([1, 20, 700])
        options: dict[str, Any] = {"overflow": chance.choice(["drop_newest", "drop_oldest"])}
        if self._folder is not None:
            options["storage"] = self._folder
            options["durability"] = chance.choice(["process", "interval", "strict"])
        elif chance.random() < 0.3:
            options["max_queue_events"] = 100
        self._client = Client().init(
            "0123456789abcdef0123456789abcdef",
            transport=self._transport,
            log_level="CRITICAL",
            upload_interval_in_sec=0,
            shutdown_timeout=60,
            # On a starved machine an answer may be late, and what is given up as unanswered is sent again.
            request_timeout_millis=600_000,
            **options,
        )
        if chance.random() < 0.3:
            self._client.add_event_middleware(lambda payload, go_on: go_on(payload))
        self._events = self._make_containers()
        self.mischief.log = self._log_any
        self.told = f"seed {seed}, {options}, threshold {self._threshold}, " + ", ".join(
            name for name in ("profiles", "signals", "raises") if getattr(self, f"_{name}")
        )

    def _make_containers(self) -> list[Watched]:
        children: dict[int, Watched] = {}
        events = []
        for number in range(3):
            items: list[Any] = [f"list-{number}", 1, "two"]
            odd = OddDict if number == 2 else dict
            inner = odd({NAME: f"inner-{number}", "a": 1})
            properties = {NAME: f"properties-{number}", "inner": inner, "items": items}
            event = odd(
                {
                    NAME: f"event-{number}",
                    "event_type": "Tick",
                    "user_id": "user-1",
                    "event_properties": properties,
                }
            )
            for each in (inner, event):
                if isinstance(each, OddDict):
                    each.mischief = self.mischief
            self.mischief.watched += [
                Watched(f"list-{number}", items, children),
                Watched(f"inner-{number}", inner, children),
                Watched(f"properties-{number}", properties, children),
            ]
            events.append(Watched(f"event-{number}", event, children, is_event=True))
        self.mischief.watched += events
        return events

    def _log_any(self) -> None:
        self._log(self.mischief.random.choice(self._events).live)

    def _log(self, event: dict[str, Any]) -> None:
        self.result.calls += 1
        if self.result.calls % 3:
            self._handles.append(self._client.log_event(event))
            return
        with antinode.context(partner_id="in a context"):
            self._handles.append(self._client.log_event(event))

    # The threads.

    def _go_on_logging(self) -> None:
        for number in range(self._calls):
            self._log_any()
            if number % 10 == 0:
                Cycle(self.mischief)

    def _go_on_changing(self, is_over: threading.Event) -> None:
        while not is_over.is_set():
            self.mischief.change_something()

    def _log_on_main_thread(self) -> None:
        for _ in range(self._calls):
            try:
                self._is_armed = True
                self._log_any()
            except Interrupted:
                pass
            finally:
                self._is_armed = False

    def _on_signal(self, number: int, frame: Any) -> None:
        self.mischief.act()
        if self._raises and self._is_armed and self.mischief.random.random() < 0.2:
            self._is_armed = False
            raise Interrupted

    def play(self) -> Result:
        """All of it: the disturbances last until everything has been delivered."""
        problems = self.result.findings
        former_switch, former_gc = sys.getswitchinterval(), gc.get_threshold()
        former_hooks = threading.excepthook, sys.unraisablehook
        threading.excepthook = lambda details: problems.append(f"a thread raised {details.exc_value!r}")
        sys.unraisablehook = lambda details: (
            None
            if isinstance(details.exc_value, Interrupted)
            else problems.append(f"{details.object!r} raised {details.exc_value!r}")
        )
        former_handler = signal.signal(signal.SIGALRM, self._on_signal)
        is_over = threading.Event()
        changers = [threading.Thread(target=self._go_on_changing, args=(is_over,)) for _ in range(CHANGERS)]
        loggers = [threading.Thread(target=self._go_on_logging) for _ in range(LOGGERS)]
        sys.setswitchinterval(1e-6)
        gc.set_threshold(self._threshold)
        let_all_act(self.mischief, profiles=self._profiles)
        try:
            for thread in (*changers, *loggers):
                thread.start()
            if self._signals:
                signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
            self._log_on_main_thread()
            for thread in loggers:
                thread.join()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            is_over.set()
            for thread in changers:
                thread.join()
            let_none_act(self.mischief)
            sys.setswitchinterval(former_switch)
            gc.set_threshold(*former_gc)
            signal.signal(signal.SIGALRM, former_handler)
        gc.collect()
        self._client.shutdown(120)
        self._judge()
        threading.excepthook, sys.unraisablehook = former_hooks
        if self._folder is not None:
            shutil.rmtree(self._folder)
        return self.result

    def _judge(self) -> None:
        stats, problems = self._client.stats(), self.result.findings
        if not stats.balanced or stats.pending or stats.spooled:
            problems.append(f"the books: {stats}")
        returned = len(self._handles)
        if not returned <= stats.accepted <= self.result.calls or (
            not self._raises and returned != self.result.calls
        ):
            problems.append(f"{self.result.calls} calls, {returned} handles, {stats.accepted} accepted")
        if unknown := sum(not handle.done() for handle in self._handles):
            problems.append(f"{unknown} handles have no outcome")
        # A destructor may log after the end.
        problems += [
            f"{count} ended as {reason}"
            for reason, count in {**stats.dropped, **stats.rejected}.items()
            if reason not in ("queue_full", "invalid_event", "shutdown")
        ]
        events = self._events_sent()
        self.result.sent = len(events)
        if len(events) != stats.delivered:
            problems.append(f"{len(events)} events were sent, {stats.delivered} are counted")
        ids = Counter(event["insert_id"] for event in events)
        problems += [f"{id} was sent {count} times" for id, count in ids.items() if count > 1][:3]
        by_name = {each.name: each for each in self.mischief.watched}
        problems += [
            f"never was so: {json.dumps(each)[:600]}"
            for event in events
            for each in strangers(event, by_name)
        ][:3]

    def _events_sent(self) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = []
        for body in self._transport.bodies:
            try:
                request = json.loads(body)
                assert all(type(event) is dict for event in request["events"])
            except (ValueError, AssertionError, KeyError, TypeError) as error:
                self.result.findings.append(f"no request of JSON objects ({error!r}): {body[:300]!r}")
            else:
                events += request["events"]
        return events
