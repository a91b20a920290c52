"""What a driver shares with the runner: its arguments, and a ledger that outlives it.

Every process of a driver appends to a file of its own. Lines go out with one write each and no buffer, so
that they survive any end of the process, SIGKILL included:

    log ID              before the call of log_event
    ok ID               after it has returned
    note NAME VALUE     something the row wants checked
    exit NANOSECONDS    this process begins to leave, on the system's monotonic clock
    child PID STATUS NANOSECONDS
                        a child was seen to have ended
    fate ID KIND REASON
                        at the very end, for every event that its own handle does not call delivered
    seen KIND COUNT     at the very end: what on_outcome was told
    stats JSON          at the very end: the client's books
    own NANOSECONDS     how long writing these last lines has held up the end
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from msgspec.structs import asdict

# Handlers run in reverse order. This one is registered before antinode's own, so that it runs after it: then
# it is known how every event has ended.
_last: list[Callable[[], None]] = []
atexit.register(lambda: [close_books() for close_books in _last])

import antinode  # noqa: E402

KEY = "0123456789abcdef0123456789abcdef"


class Driver:
    """One driver process and, after a fork, its children: a client, the arguments, the ledger."""

    def __init__(self) -> None:
        given = json.loads(sys.argv[1])
        self.args: dict[str, Any] = given["args"]
        self._directory = Path(given["directory"])
        self._renew()
        logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
        _last.append(self._close_books)
        self.client: Any
        if given["sdk"] == "antinode":
            self.client = antinode.init(
                KEY, server_url=given["url"], on_outcome=self._count, **given["options"]
            )
        else:
            from tests.accidents.drivers.drop_in import DropIn

            self.client = DropIn(given["sdk"], given["url"], given["options"], self._count)

    def _renew(self) -> None:
        self._pid = os.getpid()
        path = self._directory / f"{self._pid}.ledger"
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._number = 0
        self._handles: list[tuple[str, Any]] = []
        self._seen: Counter[str] = Counter()

    def write(self, *words: object) -> None:
        """Append one line to this process's ledger."""
        if os.getpid() != self._pid:
            # Asked rather than told: after a fork made in C no hook runs.
            self._renew()
        os.write(self._file, (" ".join(map(str, words)) + "\n").encode())

    def next_id(self) -> tuple[str, int]:
        """A name and a number for the next event of this process. Threads share it through `reserve`."""
        if os.getpid() != self._pid:
            self._renew()
        self._number += 1
        return f"{self._pid}-{self._number}", self._number

    def event(self, user: str, **properties: Any) -> tuple[str, dict[str, Any]]:
        """A new event of `user`, and the name under which the ledger knows it."""
        name, number = self.next_id()
        return name, {
            "event_type": "Accident",
            "user_id": user,
            "event_properties": {"id": name, "pid": self._pid, "seq": number, **properties},
        }

    def hand_in(self, name: str, event: Any) -> Any:
        """Log an event, and say so in the ledger before and after."""
        self.write("log", name)
        delivery = self.client.log_event(event)
        self.write("ok", name)
        self._handles.append((name, delivery))
        return delivery

    def log(self, user: str, **properties: Any) -> Any:
        """Log a new event of `user`."""
        return self.hand_in(*self.event(user, **properties))

    def leave(self) -> None:
        """Note that the process begins to end: nothing of the driver's own follows."""
        self.write("exit", time.monotonic_ns())

    def await_child(self, pid: int) -> None:
        """Wait for a child process and note how and when it ended."""
        _, status = os.waitpid(pid, 0)
        self.write("child", pid, os.waitstatus_to_exitcode(status), time.monotonic_ns())

    def wait_for_signal(self) -> None:
        """Tell the runner that everything is logged, and do nothing any more."""
        print("ready", flush=True)
        self.idle()

    def idle(self) -> NoReturn:
        """Do nothing any more, until a signal is handled."""
        while True:
            # Short, because a signal that comes just before a wait does not end it.
            time.sleep(0.02)

    def _count(self, delivery: Any) -> None:
        if delivery.outcome is not None:
            self._seen[delivery.outcome.kind] += 1

    def _close_books(self) -> None:
        began = time.monotonic_ns()
        lines = []
        for name, delivery in self._handles:
            outcome = delivery.outcome
            if outcome is None:
                lines.append(f"fate {name} pending -")
            elif not outcome.ok:
                lines.append(f"fate {name} {outcome.kind} {outcome.reason}")
        lines += [f"seen {kind} {count}" for kind, count in self._seen.items()]
        stats = self.client.stats()
        if stats is not None:
            lines.append("stats " + json.dumps({**asdict(stats), "pending": stats.pending}))
        self.write("\n".join(lines))
        self._handles.clear()
        self.write("own", time.monotonic_ns() - began)
