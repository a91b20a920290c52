"""What an answer of the HTTP V2 or Batch API means for the events of the request (reference, section 14)."""

from __future__ import annotations

import enum
import math
import re
from codecs import BOM_UTF8
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any, Final, TypeAlias, TypeGuard

import msgspec

from antinode import _json
from antinode._patterns import pattern
from antinode._protocol.limits import ID_HOLD_SECONDS, MAX_RETRY_AFTER_SECONDS, PROJECT_WAIT_SECONDS
from antinode._protocol.secrets import public_url, without_secrets
from antinode._protocol.status import Status
from antinode._protocol.texts import one_line

ELSEWHERE: Final = "check server_url, and what is on the way: a proxy, a firewall, a network's log-in page"
"""What to do where something else than Amplitude seems to answer."""

_Ids: TypeAlias = Callable[[int], tuple[str | None, str | None]]


class Action(enum.Enum):
    """What to do with the request as a whole."""

    DELIVERED = "delivered"
    """All events were accepted."""
    SORT = "sort"
    """Nothing was ingested; the answer names events: drop some, hold some, send the others again at once."""
    BISECT = "bisect"
    """The body was refused and nobody was named: cut it in two; a single event is dropped."""
    HALVE = "halve"
    """Too large: cut it in two by bytes, and make smaller requests for a while; a single event is dropped."""
    RETRY = "retry"
    """The server is not well, or was not reached: back off, send the same events again."""
    WAIT = "wait"
    """The whole project is throttled: every upload waits `wait` seconds, then the same events again."""
    STOP = "stop"
    """A configuration fault (key, URL, redirect): uploading pauses, the events stay."""


class Verdict(msgspec.Struct, frozen=True):
    """One answer, judged. Positions are indices into the request's `events`, all within range."""

    action: Action
    status: Status
    code: int
    """The code that decided: the HTTP status, or the body's under a 2xx; 0 without an answer."""
    message: str
    drop: Mapping[int, tuple[Status, str]] = msgspec.field(default_factory=dict)
    """SORT: position -> why the event is never sent again."""
    hold: frozenset[int] = frozenset()
    """SORT: positions of throttled events that the maps do not explain by user or device."""
    throttled_users: frozenset[str] = frozenset()
    throttled_devices: frozenset[str] = frozenset()
    """SORT: ids that alone wait `wait` seconds, with all their events, in this request and after it."""
    wait: float = 0.0
    """Seconds: SORT, for the throttled; WAIT, for everybody; RETRY, the least the server asked for."""
    threshold: float | None = None
    """`eps_threshold`: events per second of one user or device above which the server throttles."""
    ingested: int | None = None
    """DELIVERED: `events_ingested`, if the answer told it."""
    is_confirmed: bool = True
    """DELIVERED: whether the answer has Amplitude's form, and is not just any 2xx."""
    is_own: bool = True
    """Whether the answer is a JSON object, as all of Amplitude's are, and not of something in front of it."""
    body: Mapping[str, Any] | None = None
    """The answer's JSON object, if it was one."""


def judge(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    count: int,
    ids: Callable[[int], tuple[str | None, str | None]],
) -> Verdict:
    """What an answer means for a request of `count` events. Raises nothing, whatever the server sent.

    `headers` may have any case, `body` is decompressed, `ids(i)` gives user_id and device_id of event i. The
    HTTP status decides; only under a 2xx does a body `code` of 400 or more. No message holds the API key.
    """
    answer = _Answer(status, headers, body)
    code = answer.code
    if 200 <= code < 300:
        return _judge_success(answer)
    if code == 400:
        return _judge_refusal(answer, count, ids)
    if code == 403:
        return answer.verdict(
            Action.BISECT, Status.INVALID, f"a firewall or proxy refused the request: {answer.said}"
        )
    if code == 408:
        return answer.verdict(
            Action.RETRY, Status.TIMEOUT, f"the server timed out: {answer.said}", wait=answer.retry_after
        )
    if code == 413:
        return answer.verdict(
            Action.HALVE, Status.PAYLOAD_TOO_LARGE, f"too large for the server: {answer.said}"
        )
    if code == 429:
        return _judge_throttling(answer, count, ids)
    if 100 <= code < 500:
        return answer.verdict(Action.STOP, Status.FAILED, _explained(answer))
    kind = Status.FAILED if code >= 500 else Status.UNKNOWN
    return answer.verdict(Action.RETRY, kind, f"the server failed: {answer.said}", wait=answer.retry_after)


def unreached(status: Status, message: str) -> Verdict:
    """The verdict on a request without an answer: TIMEOUT or SYSTEM_ERROR. It may have arrived."""
    return Verdict(Action.RETRY, status, 0, one_line(message))


def _judge_success(answer: _Answer) -> Verdict:
    if answer.is_page:
        message = f"a web page came instead of Amplitude's answer ({answer.code}): {answer.said}; {ELSEWHERE}"
        return answer.verdict(Action.STOP, Status.FAILED, message)
    message = (
        "accepted" if answer.is_success else f"accepted with {answer.form}, which is not Amplitude's answer"
    )
    return answer.verdict(
        Action.DELIVERED, Status.SUCCESS, message, ingested=answer.ingested, is_confirmed=answer.is_success
    )


def _judge_refusal(answer: _Answer, count: int, ids: _Ids) -> Verdict:
    fault = _fault_of_request(answer)
    if fault:
        return answer.verdict(Action.STOP, Status.FAILED, fault)
    sorting = _Sorting(answer, count, ids)
    sorting.drop_refused()
    sorting.drop_over_quota()
    sorting.hold_throttled()
    if not sorting.concerns_some:
        return answer.verdict(
            Action.BISECT, Status.INVALID, f"the server refused the request and named no event: {answer.said}"
        )
    return sorting.verdict(Status.INVALID if sorting.has_refused else Status.RATE_LIMIT)


def _judge_throttling(answer: _Answer, count: int, ids: _Ids) -> Verdict:
    sorting = _Sorting(answer, count, ids)
    sorting.drop_over_quota()
    sorting.hold_throttled()
    if sorting.concerns_some:
        return sorting.verdict(Status.RATE_LIMIT)
    if any(map(answer.json.get, (*_THROTTLED, *_OVER_QUOTA))):
        # Sending these events again at once, unchanged, would be a storm: the whole project waits.
        message, least = (
            f"the server throttles, but names no event of the request: {answer.said}",
            ID_HOLD_SECONDS,
        )
    else:
        message, least = f"the server throttles the whole project: {answer.said}", PROJECT_WAIT_SECONDS
    wait = max(least, answer.retry_after)
    return answer.verdict(Action.WAIT, Status.RATE_LIMIT, message, wait=wait, threshold=answer.threshold)


def _fault_of_request(answer: _Answer) -> str:
    """What a 400 says about every request of this client rather than about events; "" if nothing."""
    said, missing = answer.said, answer.json.get("missing_field")
    told = said.lower()
    if isinstance(missing, str) and missing:
        return (
            f"the request misses `{one_line(missing)}`: {said}; "
            "something on the way changes it: check server_url, and proxies"
        )
    if told.startswith("invalid api key"):
        return f'{said}; check the key, and server_zone: a key of an EU project needs "EU"'
    if told.startswith("invalid request path"):
        return f"{said}: server_url leads to no upload endpoint; {_NO_ENDPOINT}"
    if told.startswith("missing request body"):
        return f"{said}; something on the way drops it: check server_url, and proxies"
    if _WANTS_TLS().search(said):
        return f"{said}; write https:// in server_url"
    return ""


def _explained(answer: _Answer) -> str:
    code = answer.code
    if code == 401:
        return f"the server, or a proxy before it, wants credentials: {answer.said}; {ELSEWHERE}"
    if code == 407:
        return (
            f"the proxy wants credentials: {answer.said}; write them in its URL (proxy=, or HTTPS_PROXY "
            "in the environment): http://user:password@host:port"
        )
    if code in (404, 405, 410):
        return f"server_url leads to no upload endpoint: {answer.said}; {_NO_ENDPOINT}"
    if 300 <= code < 400:
        target = answer.header("location")
        place = f" to {one_line(public_url(target))}" if target else ""
        return (
            f"server_url redirects{place} ({code}), which a POST does not follow; "
            "write the final URL, https:// and all, or log in to the network that asks for it"
        )
    return f"the server does not take the request: {answer.said}; {ELSEWHERE}"


class _Answer:
    """The parts of one answer, each read with distrust."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        parsed = _parsed(body)
        self._headers = headers
        self._body = body
        self._is_json = parsed is not None
        self.is_object = isinstance(parsed, dict)
        self.json: dict[str, Any] = parsed if isinstance(parsed, dict) else {}
        self.code = status
        code = self.json.get("code")
        if 200 <= status < 300 and _is_integer(code) and code >= 400:
            self.code = code

    @cached_property
    def said(self) -> str:
        """What it says of a failure, on one line."""
        texts = (self.json.get("error"), self.json.get("message")) if self.is_object else (self._body,)
        text = next((each for each in texts if isinstance(each, str | bytes)), "")
        return one_line(text) or f"HTTP {self.code}"

    def header(self, name: str) -> str | None:
        return next((str(value) for key, value in self._headers.items() if str(key).lower() == name), None)

    @property
    def is_success(self) -> bool:
        """Whether the body reports success in Amplitude's form."""
        code = self.json.get("code")
        return self.ingested is not None or (_is_integer(code) and 200 <= code < 300)

    @property
    def is_page(self) -> bool:
        """Whether the body is a page for people: HTML, or XML."""
        if self._is_json:
            return False
        text = self._body[:_LONGEST_PREFIX].removeprefix(BOM_UTF8).lstrip()
        kind = (self.header("content-type") or "").lower()
        return bool(text) and (text.startswith(b"<") or "html" in kind)

    @property
    def form(self) -> str:
        """What kind of body the answer has, for a message."""
        if not self._body.strip():
            return "an empty body"
        return "other JSON" if self._is_json else "a body that is not JSON"

    @property
    def retry_after(self) -> float:
        """Seconds to wait; 0 if the answer does not say. A date counts from the answer's own `Date` only."""
        value = (self.header("retry-after") or "").strip()
        if _NUMBER().fullmatch(value):
            return min(float(value), MAX_RETRY_AFTER_SECONDS)
        until, since = _timestamp(value), _timestamp(self.header("date") or "")
        if until is None or since is None:
            return 0.0
        return min(max((until - since).total_seconds(), 0.0), MAX_RETRY_AFTER_SECONDS)

    @property
    def threshold(self) -> float | None:
        value = self.json.get("eps_threshold")
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
            return None
        return float(value)

    @property
    def ingested(self) -> int | None:
        value = self.json.get("events_ingested")
        return value if _is_integer(value) and value >= 0 else None

    def verdict(self, action: Action, status: Status, message: str, **more: Any) -> Verdict:
        body = None
        if self.is_object:
            body = {
                key: without_secrets(value) if isinstance(value, str) else value
                for key, value in self.json.items()
            }
        return Verdict(action, status, self.code, message, body=body, is_own=self.is_object, **more)


class _Sorting:
    """Takes apart the events of a request by what the answer says about each."""

    def __init__(self, answer: _Answer, count: int, ids: _Ids) -> None:
        self._answer = answer
        self._count = count
        self._ids = ids
        self._drop: dict[int, tuple[Status, str]] = {}
        self._hold: set[int] = set()
        self._users: frozenset[str] = frozenset()
        self._devices: frozenset[str] = frozenset()
        self.has_refused = False

    @property
    def concerns_some(self) -> bool:
        return bool(self._drop or self._hold or self._users or self._devices)

    def drop_refused(self) -> None:
        complaints: dict[int, dict[str, list[str]]] = {}
        for name, value in self._answer.json.items():
            if name in _REFUSALS or name.startswith("events_with_"):
                verb = _REFUSALS.get(name, f"listed, under {one_line(name)},")
                for culprit, positions in _by_field(value):
                    for position in self._positions(positions):
                        complaints.setdefault(position, {}).setdefault(verb, []).append(culprit)
        for position, verbs in complaints.items():
            complaint = " and ".join(f"{verb} {_enumerated(names)}" for verb, names in verbs.items())
            self._drop[position] = (Status.INVALID, f"the server {complaint}: {self._answer.said}")
        silenced = set(self._positions(self._answer.json.get("silenced_events")))
        _, by_device = self._matching((), _names(self._answer.json.get("silenced_devices")))
        for position in silenced.union(*by_device.values()):
            message = f"the server silences this event's device: {self._answer.said}"
            self._drop.setdefault(position, (Status.INVALID, message))
        self.has_refused = bool(self._drop)

    def drop_over_quota(self) -> None:
        users, devices = (_names(self._answer.json.get(name)) for name in _OVER_QUOTA)
        by_user, by_device = self._matching(users, devices)
        for whose, found in (("user", by_user), ("device", by_device)):
            message = f"this event's {whose} is over the daily quota: {self._answer.said}"
            for position in set().union(*found.values()):
                self._drop.setdefault(position, (Status.RATE_LIMIT, message))

    def hold_throttled(self) -> None:
        users, devices = (_names(self._answer.json.get(name)) for name in _THROTTLED[:2])
        by_user, by_device = self._matching(users, devices)
        self._users, self._devices = frozenset(by_user), frozenset(by_device)
        explained = set().union(*by_user.values(), *by_device.values())
        listed = self._positions(self._answer.json.get(_THROTTLED[2]))
        self._hold = set(listed) - explained - self._drop.keys()

    def verdict(self, status: Status) -> Verdict:
        throttles = bool(self._hold or self._users or self._devices)
        return self._answer.verdict(
            Action.SORT,
            status,
            self._answer.said,
            drop=self._drop,
            hold=frozenset(self._hold),
            throttled_users=self._users,
            throttled_devices=self._devices,
            wait=max(ID_HOLD_SECONDS, self._answer.retry_after) if throttles else 0.0,
            threshold=self._answer.threshold,
        )

    def _positions(self, value: Any) -> list[int]:
        """The indices within the request in an integer, a list, or a map of lists."""
        if isinstance(value, dict):
            value = [each for part in value.values() for each in (part if isinstance(part, list) else [part])]
        elif not isinstance(value, list):
            value = [value]
        return [each for each in value if _is_integer(each) and 0 <= each < self._count]

    def _matching(
        self, users: Collection[str], devices: Collection[str]
    ) -> tuple[dict[str, set[int]], dict[str, set[int]]]:
        """Positions of this request's events of `users` and of `devices`, by the id that occurs."""
        by_user: dict[str, set[int]] = {}
        by_device: dict[str, set[int]] = {}
        if users or devices:
            for position in range(self._count):
                user, device = self._ids(position)
                if user is not None and user in users:
                    by_user.setdefault(user, set()).add(position)
                if device is not None and device in devices:
                    by_device.setdefault(device, set()).add(position)
        return by_user, by_device


def _names(value: Any) -> frozenset[str]:
    """The ids in a map by id, a list of ids, or a single one."""
    if isinstance(value, str):
        return frozenset((value,))
    if not isinstance(value, dict | list):
        return frozenset()
    return frozenset(each for each in value if isinstance(each, str))


def _by_field(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [(f"`{one_line(name)}`", positions) for name, positions in value.items()]
    return [("the event", value)]


def _enumerated(names: list[str]) -> str:
    several = list(dict.fromkeys(names))
    more = f" and {len(several) - 4} more" if len(several) > 4 else ""
    return ", ".join(several[:4]) + more


def _is_integer(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _parsed(body: bytes) -> Any:
    if len(body) > _LARGEST_BODY_BYTES:
        return None
    try:
        return _json.loads(body)
    except ValueError:
        pass
    try:
        # The indices in it still count when the text beside them is in some other encoding.
        # Not by the codec that knows the mark: it is a module, imported when it is first asked for.
        return _json.loads(body.removeprefix(BOM_UTF8).decode(errors="replace"))
    except ValueError:
        return None


def _timestamp(value: str) -> datetime | None:
    """An HTTP date in the form that RFC 9110 lets servers send."""
    match = _HTTP_DATE().fullmatch(value.strip())
    if match is None or match[2] not in _MONTHS:
        return None
    month = _MONTHS.index(match[2]) + 1
    day, year, hour, minute, second = map(int, match.group(1, 3, 4, 5, 6))
    try:
        return datetime(year, month, day, hour, minute, second)
    except ValueError:
        return None


# An answer that names the user and the device of 2000 events, all ids of the full length, takes half of this.
_LARGEST_BODY_BYTES: Final = 16_000_000

# As much of a body as is looked through for its first letter.
_LONGEST_PREFIX: Final = 4096
_NO_ENDPOINT: Final = "end it in /2/httpapi or /batch, such as https://api2.amplitude.com/2/httpapi"
# What nginx, Go and Apache say to plain HTTP on a port for TLS.
_WANTS_TLS: Final = pattern(
    "plain HTTP request was sent to HTTPS|HTTP request to an HTTPS server|plain HTTP to an SSL", re.IGNORECASE
)

_THROTTLED: Final = ("throttled_users", "throttled_devices", "throttled_events")
_OVER_QUOTA: Final = ("exceeded_daily_quota_users", "exceeded_daily_quota_devices")
_REFUSALS: Final = {
    "events_with_invalid_fields": "refused",
    "events_with_missing_fields": "misses",
    "events_missing_required_fields": "misses",
    "events_with_invalid_id_lengths": "does not take the length of",
}

_NUMBER: Final = pattern(r"[0-9]+(\.[0-9]+)?")
_HTTP_DATE: Final = pattern(
    r"[A-Z][a-z]{2}, ([0-9]{2}) ([A-Z][a-z]{2}) ([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) GMT"
)
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
