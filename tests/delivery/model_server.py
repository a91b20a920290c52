"""A model of the server for simulated time, which can be told to misbehave.

It keeps the API's real rules, as far as delivery depends on them.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from antinode._protocol.limits import (
    DAILY_QUOTA,
    HTTP_V2_BODY_LIMIT_BYTES,
    MAX_EVENTS_PER_REQUEST,
    RATE_WINDOW_SECONDS,
)
from antinode._protocol.status import Status

HTML = b"<html>\n<head><title>400 Bad Request</title></head>\n</html>\n"
# An envelope's bytes beside the events, as the model server counts them.
ENVELOPE = 100
NOTHING = {"user_id": None, "device_id": None, "insert_id": None, "kind": "good"}


@dataclass
class Answer:
    """What the server says to one request, and when."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    lost: Status | None = None
    """The client sees no answer but this failure."""
    latency: float | None = None
    """Seconds until the client sees it; None: the server's usual."""


def saying(status: int, error: str = "", headers: Mapping[str, str] | None = None, /, **more: Any) -> Answer:
    """An answer in the API's own form."""
    body = {"code": status, "error": error or f"error {status}", **more}
    return Answer(status, json.dumps(body).encode(), headers or {})


Misbehaviour = Callable[["Server", list[dict[str, Any]], float], Answer]


def _plain(answer: Answer) -> Misbehaviour:
    return lambda server, events, now: answer


def _after_storing(answer: Answer) -> Misbehaviour:
    def behave(server: Server, events: list[dict[str, Any]], now: float) -> Answer:
        ruling = server.rule(events, now)
        return answer if ruling.status == 200 else ruling

    return behave


def _late(server: Server, events: list[dict[str, Any]], now: float) -> Answer:
    """The request is stuck on the way, and arrives after its sender has given it up."""
    server.later.append((now + 11.0, events))
    return Answer(lost=Status.TIMEOUT, latency=10.0)


def _throttling_strangers(server: Server, events: list[dict[str, Any]], now: float) -> Answer:
    return saying(429, "Too many requests for some devices and users", throttled_users={"a stranger": 99})


def _throttling_first(server: Server, events: list[dict[str, Any]], now: float) -> Answer:
    return saying(429, "Too many requests for some devices and users", eps_threshold=30, throttled_events=[0])


def _refusing_first(server: Server, events: list[dict[str, Any]], now: float) -> Answer:
    server.refused.add(events[0]["n"])
    return saying(400, "Invalid field values on some events", events_with_invalid_fields={"time": [0]})


NO_ANSWER = Answer(lost=Status.SYSTEM_ERROR, latency=0.01)
TIMED_OUT = Answer(lost=Status.TIMEOUT, latency=10.0)

# Nothing of these costs an event, however long it lasts.
OUTAGES: dict[str, Misbehaviour] = {
    "down": _plain(NO_ANSWER),
    "drop after": _after_storing(NO_ANSWER),
    "hang": _plain(TIMED_OUT),
    "hang after": _after_storing(TIMED_OUT),
    "late": _late,
    "408": _plain(saying(408)),
    "500": _plain(saying(500)),
    "500 after": _after_storing(saying(500)),
    "502 in HTML": _plain(Answer(502, HTML)),
    "503": _plain(Answer(503)),
    "503 with a wait": _plain(Answer(503, headers={"Retry-After": "20"})),
    "a status of no meaning": _plain(Answer(799, b"?")),
}
THROTTLES: dict[str, Misbehaviour] = {
    "project": _plain(saying(429, "Too many requests")),
    "project with a wait": _plain(saying(429, "Too many requests", {"retry-after": "90"})),
    "project under 200": _plain(Answer(200, b'{"code": 429, "error": "Too many requests"}')),
    "strangers": _throttling_strangers,
    "by position": _throttling_first,
}
# Each of these costs some events, with a reason.
FAULTS: dict[str, Misbehaviour] = {
    "invalid key": _plain(saying(400, "Invalid API key: 0123456789abcdef0123456789abcdef")),
    "missing field": _plain(saying(400, "Request missing required field", missing_field="api_key")),
    "404": _plain(Answer(404, b"<html>404</html>")),
    "redirect": _plain(Answer(307, headers={"Location": "https://elsewhere.invalid/"})),
    "firewall": _plain(saying(403, "Forbidden")),
    "400 in HTML": _plain(Answer(400, HTML)),
    "400 beyond the events": _plain(saying(400, "x", events_with_invalid_fields={"time": [5000]})),
    "413": _plain(saying(413, "Payload too large")),
    "413 in HTML": _plain(Answer(413, b"<html>413 Request Entity Too Large</html>")),
    "refuses the first": _refusing_first,
}
ODDITIES: dict[str, Misbehaviour] = {
    "200 in plain text": _after_storing(Answer(200, b"success")),
    "200 cut short": _after_storing(Answer(200, b'{"code": 200, "even')),
    "200 with a wrong count": _after_storing(Answer(200, b'{"code": 200, "events_ingested": 100000}')),
}
MISBEHAVIOURS = {**OUTAGES, **THROTTLES, **FAULTS, **ODDITIES}


class Server:
    """A model of the ingestion API.

    An event's `kind` says what is wrong with it: "invalid" and "missing" are named by a 400, "short" in the
    id-length map, "silenced" by its device, "poison" makes a firewall refuse the whole body in HTML.
    """

    def __init__(
        self,
        *,
        is_batch_api: bool = False,
        max_events: int = MAX_EVENTS_PER_REQUEST,
        max_body: int = HTTP_V2_BODY_LIMIT_BYTES,
    ) -> None:
        self.is_batch_api = is_batch_api
        self.max_events = max_events
        self.max_body = max_body
        self.latency = 0.05
        self.eps_threshold: float | None = None
        self.window = RATE_WINDOW_SECONDS
        self.over_quota: set[str] = set()
        self.weather: str | Misbehaviour | None = None
        """The misbehaviour of every request, or None."""
        self.accidents: deque[str | Misbehaviour | None] = deque()
        """Misbehaviours of the next requests, one each; they win over the weather."""
        self.stored: dict[tuple[str, str], dict[str, Any]] = {}
        self.accepted: dict[tuple[Any, Any], list[int]] = defaultdict(list)
        """By user and device: the log numbers of events in the order of their first acceptance."""
        self.refused: set[int] = set()
        self.requests: list[float] = []
        self.answers: Counter[int | str] = Counter()
        self.later: list[tuple[float, list[dict[str, Any]]]] = []
        self._counted: dict[tuple[str, str], deque[tuple[float, int]]] = defaultdict(deque)

    def receive(self, events: list[dict[str, Any]], now: float) -> Answer:
        self.arrive_late(now)
        self.requests.append(now)
        name = self.accidents.popleft() if self.accidents else self.weather
        behave = MISBEHAVIOURS[name] if isinstance(name, str) else name
        answer = self.rule(events, now) if behave is None else behave(self, events, now)
        self.answers[answer.status if answer.lost is None else answer.lost.value] += 1
        return answer

    def arrive_late(self, now: float) -> None:
        while self.later and self.later[0][0] <= now:
            time, events = self.later.pop(0)
            self.rule(events, time)

    def rule(self, events: list[dict[str, Any]], now: float) -> Answer:
        """The answer of a well server, which stores the events if it is 200."""
        size = sum(event["size"] + 1 for event in events) + ENVELOPE
        if size > self.max_body or len(events) > self.max_events:
            return saying(413, "Payload too large")
        if any(event["kind"] == "poison" for event in events):
            return Answer(403 if events[0]["n"] % 2 else 400, HTML)
        for kind, error, key, name in (
            ("missing", "Request missing required field", "events_with_missing_fields", "event_type"),
            ("invalid", "Invalid field values on some events", "events_with_invalid_fields", "time"),
            (
                "short",
                "Invalid id length for user_id or device_id",
                "events_with_invalid_id_lengths",
                "user_id",
            ),
        ):
            bad = [position for position, event in enumerate(events) if event["kind"] == kind]
            if bad:
                return saying(400, error, **{key: {name: bad if self.is_batch_api else bad[:1]}})
        silenced = [position for position, event in enumerate(events) if event["kind"] == "silenced"]
        if silenced:
            return saying(400, "Events silenced for device_id", silenced_events=silenced)
        return self._throttle(events, now) or self._store(events, now)

    def _throttle(self, events: list[dict[str, Any]], now: float) -> Answer | None:
        keys = Counter(key for event in events for key in _keys(event))
        over = [value for name, value in keys if name == "user" and value in self.over_quota]
        throttled: dict[str, dict[str, int]] = {"user": {}, "device": {}}
        if self.eps_threshold is not None:
            for (name, value), count in keys.items():
                counted = self._counted[name, value]
                while counted and counted[0][0] <= now - self.window:
                    counted.popleft()
                rate = (sum(number for _, number in counted) + count) / self.window
                if rate > self.eps_threshold:
                    throttled[name][value] = int(rate)
        if not (over or throttled["user"] or throttled["device"]):
            return None
        return saying(
            429,
            "Too many requests for some devices and users",
            eps_threshold=self.eps_threshold,
            throttled_users=throttled["user"],
            throttled_devices=throttled["device"],
            exceeded_daily_quota_users=dict.fromkeys(over, DAILY_QUOTA + 1),
        )

    def _store(self, events: list[dict[str, Any]], now: float) -> Answer:
        for (name, value), count in Counter(key for event in events for key in _keys(event)).items():
            self._counted[name, value].append((now, count))
        for event in events:
            key = (event["device_id"] or event["user_id"], event["insert_id"])
            known = self.stored.setdefault(key, event)
            if known is event:
                self.accepted[event["user_id"], event["device_id"]].append(event["n"])
            assert known == event, "a repeated event is the same event"
        return Answer(200, json.dumps({"code": 200, "events_ingested": len(events)}).encode())


def _keys(event: dict[str, Any]) -> list[tuple[str, str]]:
    return [(name, value) for name in ("user", "device") if (value := event[f"{name}_id"]) is not None]
