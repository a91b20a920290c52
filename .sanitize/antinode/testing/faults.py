"""Accidents for the endpoint: small values and functions that combine.

A *fault* is any callable that is given the request (an `Arrival`) and returns the `Answer` to give
instead of the usual one, or None to leave the request alone. An `Answer` is itself the fault that
always answers so. Faults that count are made anew for each endpoint; they are safe under threads.

    endpoint.answer = every(5, Answer(500))
    endpoint.answer = first_of(times(1, throttle(users=["user-1"])), max_body(20_000))
    endpoint.answer = random_mix(7, {drop_after(): 0.05, Answer(503): 0.1})
"""

from __future__ import annotations

import enum
import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from antinode.testing._rules import invalid_key, name_positions, refusal

if TYPE_CHECKING:
    from antinode.testing._arrival import Arrival

Fault = Callable[["Arrival"], "Answer | None"]


class Way(enum.Enum):
    """What happens on the connection."""

    ANSWER = "answer"
    CUT_UNREAD = "cut_unread"
    """The connection is reset with the body still unread."""
    CUT = "cut"
    """The request is read, the connection closed without an answer."""
    CUT_SHORT = "cut_short"
    """The answer announces its full length, and the connection is closed after half of it."""
    HANG = "hang"
    """No answer, and the connection stays open until either side closes it."""
    RAW = "raw"
    """The body is all that is sent, without status line or headers, and the connection is closed."""
    DOWN = "down"
    """The connection is cut and nothing listens for `delay` seconds."""


@dataclass(frozen=True, eq=False)
class Answer:
    """What to do with one request. `Answer(500)` answers 500 with the API's usual body.

    `status` None is what the endpoint would have answered of itself. A mapping as `body` is sent as
    JSON, str and bytes as they are. `store` None accepts the events under a 2xx; True accepts them
    whatever is answered (ValueError with a status that means refusal: those are never ingested);
    events that the endpoint's own rules refuse are never accepted. `delay` seconds pass between
    acceptance and answer; `drip` spreads the answer over that many seconds, in 20 pieces.
    """

    status: int | None = None
    body: Mapping[str, Any] | str | bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    store: bool | None = None
    delay: float = 0.0
    drip: float = 0.0
    way: Way = Way.ANSWER

    def __post_init__(self) -> None:
        object.__setattr__(self, "way", Way(self.way))  # given by name when it comes from JSON
        if self.store and self.status is not None and (300 <= self.status < 500 or self.status == 503):
            raise ValueError(f"store=True with status {self.status}: a refused request is never ingested")

    def __call__(self, _: Arrival) -> Answer:
        """An answer is the fault that always answers so."""
        return self


def drop_before() -> Answer:
    """Reset the connection before the body is read: nothing is stored."""
    return Answer(way=Way.CUT_UNREAD)


def drop_after() -> Answer:
    """Store the events, then close the connection: the answer is lost."""
    return Answer(store=True, way=Way.CUT)


def cut_short() -> Answer:
    """Store the events, then close the connection in the middle of the answer's body."""
    return Answer(way=Way.CUT_SHORT)


def hang(*, store: bool = False) -> Answer:
    """Never answer. The connection stays open until the client or the endpoint closes it."""
    return Answer(store=store, way=Way.HANG)


def delay(seconds: float) -> Answer:
    """Store and answer as usual, but only after so many seconds."""
    return Answer(delay=seconds)


def drip(seconds: float) -> Answer:
    """Store and answer as usual, but a few bytes at a time, the last after so many seconds."""
    return Answer(drip=seconds)


def garbage(data: bytes = b"\x16\x03\x01\x02\x00") -> Answer:
    """Send these bytes, which are not HTTP, and close. Nothing is stored."""
    return Answer(body=data, store=False, way=Way.RAW)


def down(seconds: float) -> Answer:
    """Cut this and every other connection, and refuse new ones for so many seconds."""
    return Answer(store=False, delay=seconds, way=Way.DOWN)


def invalid_api_key() -> Fault:
    """400 as for an unknown API key."""

    def fault(arrival: Arrival) -> Answer:
        return Answer(400, body=invalid_key(arrival.document).body)

    return fault


def project_limit(retry_after: int | None = None) -> Answer:
    """429 for the whole project: it names no user and no device."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return Answer(429, headers=headers)


def max_body(limit: int) -> Fault:
    """413 for a request of more than `limit` bytes, measured after decompression."""

    def fault(arrival: Arrival) -> Answer | None:
        return Answer(413) if arrival.inflated_size > limit else None

    return fault


def throttle(
    users: Iterable[str] | Mapping[str, int] = (),
    devices: Iterable[str] | Mapping[str, int] = (),
    *,
    eps_threshold: int = 30,
    quota_users: Mapping[str, int] | None = None,
    quota_devices: Mapping[str, int] | None = None,
) -> Fault:
    """429 for a request that holds an event of one of these ids; the other events in it are refused with it.

    A mapping gives the rates to report, otherwise they are one above the threshold. The `quota_…` ids are
    over their daily quota, with the count to report. The maps name only ids present in the request.
    """
    named = {
        "throttled_users": ("user_id", _rates(users, eps_threshold)),
        "throttled_devices": ("device_id", _rates(devices, eps_threshold)),
        "exceeded_daily_quota_users": ("user_id", dict(quota_users or {})),
        "exceeded_daily_quota_devices": ("device_id", dict(quota_devices or {})),
    }

    def fault(arrival: Arrival) -> Answer | None:
        found: dict[str, dict[str, int]] = {key: {} for key in named}
        positions: set[int] = set()
        for position, event in enumerate(arrival.events):
            for key, (id_name, rates) in named.items():
                identity = event.get(id_name)
                if isinstance(identity, str) and identity in rates:
                    found[key][identity] = rates[identity]
                    positions.add(position)
        if not positions:
            return None
        maps = {k: v for k, v in found.items() if v or k in ("throttled_users", "throttled_devices")}
        return _refuse(
            429,
            "Too many requests for some devices and users",
            eps_threshold=eps_threshold,
            **maps,
            throttled_events=sorted(positions),
        )

    return fault


def silence(devices: Iterable[str], *, eps_threshold: int = 100) -> Fault:
    """400 for a request that holds an event of one of these devices: the server wants none of theirs."""
    silenced = frozenset(devices)

    def fault(arrival: Arrival) -> Answer | None:
        positions = [i for i, event in enumerate(arrival.events) if _is_in(event.get("device_id"), silenced)]
        if not positions:
            return None
        return _refuse(
            400,
            "Events silenced for device_id",
            eps_threshold=eps_threshold,
            exceeded_daily_quota_devices={},
            silenced_devices=sorted({arrival.events[i]["device_id"] for i in positions}),
            silenced_events=positions,
            throttled_devices={},
            throttled_events=[],
        )

    return fault


def invalid(
    where: Callable[[Mapping[str, Any]], bool] | Mapping[str, Any],
    *,
    field: str = "time",
    first_only: bool | None = None,
    kind: str = "events_with_invalid_fields",
) -> Fault:
    """400 for a request that holds an event for which `where` is true.

    `where` is a predicate, or a mapping of dotted paths to values that must all be equal, such as
    `{"event_properties.bad": True}`. The answer names the first offender on HTTP V2 and all of them on
    Batch, as the APIs do, unless `first_only` says otherwise. `kind` is the key of the answer's map.
    """
    is_bad = _matching(where) if isinstance(where, Mapping) else where
    error = {
        "events_with_missing_fields": "Request missing required field",
        "events_with_invalid_id_lengths": "Invalid id length for user_id or device_id",
    }.get(kind, "Invalid field values on some events")

    def fault(arrival: Arrival) -> Answer | None:
        positions = [i for i, event in enumerate(arrival.events) if is_bad(event)]
        if not positions:
            return None
        if first_only is None:
            named = name_positions(arrival.path, {field: positions})
        else:
            named = {field: positions[:1] if first_only else positions}
        return _refuse(400, error, **{kind: named})

    return fault


def poison(where: Callable[[Mapping[str, Any]], bool] | Mapping[str, Any], *, status: int = 403) -> Fault:
    """A firewall's HTML, naming nobody, while the request holds an event for which `where` is true."""
    is_bad = _matching(where) if isinstance(where, Mapping) else where
    page = f"<html><head><title>{status}</title></head><body>{status}</body></html>"

    def fault(arrival: Arrival) -> Answer | None:
        return Answer(status, body=page) if any(map(is_bad, arrival.events)) else None

    return fault


def first_of(*faults: Fault) -> Fault:
    """The first of these faults that does not leave the request alone."""

    def fault(arrival: Arrival) -> Answer | None:
        for each in faults:
            if (answer := each(arrival)) is not None:
                return answer
        return None

    return fault


def every(n: int, fault: Fault, *, offset: int = 0) -> Fault:
    """The fault for each n-th request it is asked about: the n-th, the 2n-th …, each `offset` later."""
    if n < 1:
        raise ValueError(f"every({n}, …): n must be at least 1")
    ticket = _Counter()

    def every_nth(arrival: Arrival) -> Answer | None:
        asked = ticket.take() - offset
        return fault(arrival) if asked > 0 and asked % n == 0 else None

    return every_nth


def after(n: int, fault: Fault) -> Fault:
    """The fault, once n requests have passed unharmed."""
    ticket = _Counter()

    def after_n(arrival: Arrival) -> Answer | None:
        return fault(arrival) if ticket.take() > n else None

    return after_n


def times(n: int, fault: Fault) -> Fault:
    """The fault until it has struck n times."""
    ticket = _Counter()

    def n_times(arrival: Arrival) -> Answer | None:
        if ticket.taken >= n or (answer := fault(arrival)) is None:
            return None
        return answer if ticket.take() <= n else None

    return n_times


def during(seconds: float, fault: Fault) -> Fault:
    """The fault for so many seconds, counted from the first request that it strikes."""
    lock = threading.Lock()
    until: list[float] = []

    def while_it_lasts(arrival: Arrival) -> Answer | None:
        if (answer := fault(arrival)) is None:
            return None
        with lock:
            if not until:
                until.append(time.monotonic() + seconds)
        return answer if time.monotonic() < until[0] else None

    return while_it_lasts


def random_mix(seed: int, mix: Mapping[Fault, float]) -> Fault:
    """Each fault with its probability, drawn once per request; the rest of the probability is no fault.

    The same seed gives the same sequence of draws. ValueError if the probabilities exceed 1.
    """
    shares = list(mix.items())
    if min(mix.values(), default=0) < 0 or sum(mix.values()) > 1:
        raise ValueError("random_mix: probabilities must not be negative, and add up to 1 at most")
    draw = random.Random(seed)  # noqa: S311 - accidents are to be repeatable, not unpredictable
    lock = threading.Lock()

    def mixed(arrival: Arrival) -> Answer | None:
        with lock:
            point = draw.random()
        for fault, share in shares:
            if point < share:
                return fault(arrival)
            point -= share
        return None

    return mixed


FAULTS: dict[str, Callable[..., Fault]] = {
    "answer": Answer,
    **{
        fault.__name__: fault
        for fault in (
            *(drop_before, drop_after, cut_short, hang, delay, drip, garbage, down),
            *(invalid_api_key, project_limit, max_body, throttle, silence, invalid, poison),
            *(first_of, every, after, times, during, random_mix),
        )
    },
}


def from_spec(spec: object) -> Fault | None:
    """A fault from plain JSON, as the endpoint's command line and control requests take it.

    `"drop_after"`, `{"fault": "every", "n": 5, "of": {"fault": "answer", "status": 500}}`: a name, or
    an object with the name and the function's arguments by keyword; `of` is what a combination
    combines, one fault, a list for `first_of`, or a list of `[fault, probability]` for `random_mix`.
    None stays None. ValueError for anything else.
    """
    if spec is None:
        return None
    if isinstance(spec, str):
        spec = {"fault": spec}
    if not isinstance(spec, Mapping) or not isinstance(spec.get("fault"), str):
        raise ValueError('a fault is a name or an object such as {"fault": "answer", "status": 500}')
    arguments = {key: value for key, value in spec.items() if key != "fault"}
    name = spec["fault"]
    make = FAULTS.get(name)
    if make is None:
        raise ValueError(f"no fault of this name; there are {', '.join(FAULTS)}")
    positional: list[Any] = []
    if "of" in arguments:
        inner = arguments.pop("of")
        if name == "first_of":
            positional = [_required(each) for each in inner]
        elif name == "random_mix":
            arguments["mix"] = {_required(each): float(share) for each, share in inner}
        else:
            arguments["fault"] = _required(inner)
    try:
        fault: Fault = make(*positional, **arguments)
    except TypeError as error:
        raise ValueError(f"the arguments do not fit the fault {name}") from error
    return fault


def _required(spec: object) -> Fault:
    fault = from_spec(spec)
    if fault is None:
        raise ValueError("null is not a fault that can be combined")
    return fault


def _refuse(status: int, error: str, **more: object) -> Answer:
    return Answer(status, body=refusal(status, error, **more).body)


def _rates(ids: Iterable[str] | Mapping[str, int], threshold: int) -> dict[str, int]:
    return dict(ids) if isinstance(ids, Mapping) else dict.fromkeys(ids, threshold + 1)


def _is_in(identity: object, ids: frozenset[str]) -> bool:
    return isinstance(identity, str) and identity in ids


def _matching(where: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], bool]:
    def at(event: Mapping[str, Any], path: str) -> object:
        value: Any = event
        for key in path.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    return lambda event: all(at(event, path) == wanted for path, wanted in where.items())


class _Counter:
    """Numbers from 1, each given once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.taken = 0

    def take(self) -> int:
        with self._lock:
            self.taken += 1
            return self.taken
