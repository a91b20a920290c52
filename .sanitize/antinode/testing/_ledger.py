"""The books of the endpoint: what arrived, what was accepted, and in which order."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from antinode.testing._arrival import Arrival

Keep = Literal["all", "ids"]


class Duplicate(NamedTuple):
    """An accepted event whose key had been accepted before. The key prefers the device id."""

    device_or_user_id: str
    insert_id: str


class OutOfOrder(NamedTuple):
    """An event first accepted after a later one of its stream; `after` is the highest `seq` before it."""

    user_id: str | None
    device_id: str | None
    seq: int
    after: int


class AcceptedEvents:
    """What the endpoint accepted, event by event. Thread-safe; `changed` is notified of every entry."""

    # Everything below is guarded by changed. Entries are made before the answer is sent, so a client
    # that has its answer finds its events here.

    def __init__(self, keep: Keep = "all") -> None:
        if keep not in ("all", "ids"):
            raise ValueError(f"keep is {str(keep)[:60]!r}; it must be 'all' or 'ids'")
        self.keep: Keep = keep
        # Re-entrant, because a wait's condition may look at the books through their public methods.
        self.changed = threading.Condition(threading.RLock())
        self.clear()

    def clear(self) -> None:
        """Forget every entry. Numbers of requests and connections go on."""
        with self.changed:
            self.requests: list[Arrival] = []
            self.unique = self.accepted = self.without_insert_id = 0
            self.wire_bytes = self.inflated_bytes = 0
            self.by_status: Counter[int] = Counter()
            self._events: list[dict[str, Any]] = []
            self._received: list[dict[str, Any]] = []
            self._duplicates: list[Duplicate] = []
            self._out_of_order: list[OutOfOrder] = []
            # One set for each id: half the memory of one set of pairs.
            self._seen: dict[str, set[str]] = {}
            self._highest: dict[tuple[str | None, str | None], int] = {}
            self.changed.notify_all()

    @property
    def events(self) -> list[dict[str, Any]]:
        """Accepted events without duplicates, in the order of their first acceptance."""
        return self._kept(self._events)

    @property
    def received(self) -> list[dict[str, Any]]:
        """Every event of every accepted request, duplicates included."""
        return self._kept(self._received)

    def duplicates(self) -> list[Duplicate]:
        """Accepted events whose (device_id or user_id, insert_id) had been accepted before."""
        with self.changed:
            return list(self._duplicates)

    def out_of_order(self) -> list[OutOfOrder]:
        """Events accepted after a later one of their (user_id, device_id), by `event_properties["seq"]`."""
        with self.changed:
            return list(self._out_of_order)

    def enter(self, arrival: Arrival, accepted: list[dict[str, Any]]) -> None:
        """Book one request and the events of it that are accepted: all or none."""
        with self.changed:
            self.by_status[arrival.status] += 1
            self.wire_bytes += arrival.wire_size
            self.inflated_bytes += arrival.inflated_size
            self._accept(accepted)
            arrival.let_go(events=self.keep == "ids")
            self.requests.append(arrival)
            self.changed.notify_all()

    def wait(self, met: Callable[[], bool], timeout: float) -> bool:
        """Block until the condition on the books is met; False if it was not within `timeout` seconds."""
        with self.changed:
            return self.changed.wait_for(met, timeout)

    def summary(self) -> dict[str, Any]:
        """The books in numbers. `by_status` counts requests; status 0 is a request without an answer."""
        with self.changed:
            return {
                "events": self.unique,
                "received": self.accepted,
                "duplicates": len(self._duplicates),
                "out_of_order": len(self._out_of_order),
                "without_insert_id": self.without_insert_id,
                "requests": len(self.requests),
                "by_status": {str(status): count for status, count in sorted(self.by_status.items())},
                "wire_bytes": self.wire_bytes,
                "inflated_bytes": self.inflated_bytes,
            }

    def _kept(self, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if self.keep != "all":
            raise RuntimeError("this endpoint keeps only ids; open it with keep='all' to look at events")
        with self.changed:
            return list(events)

    def _accept(self, events: list[dict[str, Any]]) -> None:
        # Written for the million-event runs: one pass, no function call for an ordinary event.
        seen, highest = self._seen, self._highest
        unique = self.unique
        everything = self.keep == "all"
        for event in events:
            user_id, device_id = event.get("user_id"), event.get("device_id")
            insert_id = event.get("insert_id")
            if insert_id is None:
                self.without_insert_id += 1
            else:
                if insert_id.__class__ is not str:
                    insert_id = str(insert_id)  # what was sent may be anything, a key must be hashable
                identity = str(device_id or user_id)
                ids = seen.get(identity)
                if ids is None:
                    seen[identity] = {insert_id}
                elif insert_id in ids:
                    self._duplicates.append(Duplicate(identity, insert_id))
                    continue
                else:
                    ids.add(insert_id)
            unique += 1
            if everything:
                self._events.append(event)
            properties = event.get("event_properties")
            if properties.__class__ is dict and (seq := properties.get("seq")).__class__ is int:
                stream = (
                    user_id if user_id is None else str(user_id),
                    device_id if device_id is None else str(device_id),
                )
                before = highest.get(stream)
                if before is None or seq > before:
                    highest[stream] = seq
                else:
                    self._out_of_order.append(OutOfOrder(*stream, seq, before))
        self.unique = unique
        self.accepted += len(events)
        if everything:
            self._received.extend(events)
