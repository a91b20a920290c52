"""Misbehaviour on purpose: which requests fail, and how.

A fault is spelled as on the command line: what happens, to whom, and how often.

    500                            the next request is answered 500, and nothing of it is stored
    500@10%                        one in ten
    500-after@1%                   one in a hundred, though its events are stored
    429:user=user-20391@next=3     the next three requests with this user, who alone is throttled
    503:path=/batch                the next request to this endpoint
    413:events=10                  the next request with ten events or more
    delay:2s@20%                   one in five is answered two seconds late
    drop-before@next=1             the connection is closed before anything is stored
    drop-after@5%                  the connection is closed once everything is stored
    down:10s                       for ten seconds, every connection is closed
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final, Literal
from urllib.parse import quote, unquote

import msgspec

from antinode.server.quoting import quoted

STATUSES: Final = (400, 403, 408, 413, 429, 500, 502, 503, 504)
"""What a fault can answer."""

_MAX_SECONDS: Final = 86_400.0
_MAX_NEXT: Final = 1_000_000_000
_SPENT_KEPT: Final = 50
_MAX_FAULTS: Final = 1_000


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One kind of misbehaviour, for the next so many requests or for a share of all.

    Raises ValueError for a combination that means nothing.
    """

    action: Literal["answer", "delay", "drop", "down"]
    """`answer` with `status`, `delay` the answer, `drop` the connection, or be `down` for a time."""
    status: int | None = None
    """For `answer`: 400, 403, 408, 413, 429, 500, 502, 503 or 504."""
    stored: bool = False
    """Whether the events are stored all the same before the answer fails, or the connection is dropped."""
    seconds: float | None = None
    """For `delay` and `down`."""
    user_id: str | None = None
    """Only requests with an event of this user; a 429 then throttles this user alone."""
    device_id: str | None = None
    path: str | None = None
    """Only this endpoint, such as `/batch`."""
    events: int | None = None
    """Only requests with so many events or more."""
    next: int | None = None
    """The next so many requests it applies to; 1 if `percent` is not given either, except for `down`."""
    percent: float | None = None
    """This share of the requests it applies to, 0 to 100, until it is taken back."""

    def __post_init__(self) -> None:
        if self.action == "answer":
            if self.status not in STATUSES:
                raise ValueError(f"status is {self.status!r}; an `answer` takes one of {_listed(STATUSES)}")
        elif self.status is not None:
            raise ValueError(f"status is for `answer`; leave it out of a `{self.action}`")
        if self.action in ("delay", "down"):
            if self.seconds is None or not 0 < self.seconds <= _MAX_SECONDS:
                raise ValueError(
                    f"seconds is {self.seconds!r}; a `{self.action}` takes more than 0 and at most 86,400"
                )
            if self.stored:
                raise ValueError(f"stored is for `answer` and `drop`; leave it out of a `{self.action}`")
        elif self.seconds is not None:
            raise ValueError(f"seconds is for `delay` and `down`; leave it out of a `{self.action}`")
        if self.action == "down" and not self._is_for_all:
            raise ValueError(
                "`down` closes every connection: leave out user, device, path, events, next and percent"
            )
        if self.user_id == "" or self.device_id == "":
            raise ValueError("a user or device id is empty; write the whole id, or leave it out")
        if self.path is not None and not self.path.startswith("/"):
            raise ValueError(f"path is {quoted(self.path)}; write it from its slash, such as '/batch'")
        if self.events is not None and not 1 <= self.events <= _MAX_NEXT:
            raise ValueError(f"events is {self.events!r}; write how many events, 1 or more")
        if self.next is not None and not 1 <= self.next <= _MAX_NEXT:
            raise ValueError(f"next is {self.next!r}; write how many requests, 1 or more")
        if self.percent is not None and not 0 <= self.percent <= 100:
            raise ValueError(f"percent is {self.percent!r}; write a share from 0 to 100")

    @property
    def _is_for_all(self) -> bool:
        given = (self.user_id, self.device_id, self.path, self.events, self.next, self.percent)
        return given == (None,) * len(given)


class Strike(msgspec.Struct, frozen=True, kw_only=True):
    """What the faults do to one request."""

    spelling: str
    """The faults at work."""
    status: int | None = None
    """Answer this instead; None: answer as usual, unless the connection is cut."""
    is_cut: bool = False
    """Close the connection instead of answering."""
    stored: bool = False
    """With a status or a cut: store the events first, as if nothing were wrong."""
    delay_s: float = 0.0
    """Wait this long before the answer, or before the connection is closed."""
    user_id: str | None = None
    """With a 429: this user alone is throttled."""
    device_id: str | None = None
    """With a 429: this device alone is throttled."""

    @property
    def is_refused(self) -> bool:
        """Whether the request ends without being stored."""
        return (self.status is not None or self.is_cut) and not self.stored


class FaultView(msgspec.Struct, frozen=True, kw_only=True):
    """A fault, and what it has done so far."""

    id: int
    spelling: str
    fault: Fault
    hits: int
    """Requests that it struck."""
    remaining: int | None
    """Requests that it will strike yet; None: no end, or the end is a time."""
    until: int | None
    """For `down`: when it is over, by the server's clock."""
    is_over: bool


class _Standing:
    """A fault in force."""

    def __init__(self, number: int, fault: Fault, now_ms: int) -> None:
        self.id = number
        self.fault = fault
        self.spelling = spell(fault)
        self.hits = 0
        self.remaining = fault.next
        if fault.next is None and fault.percent is None and fault.action != "down":
            self.remaining = 1
        self.until = now_ms + round((fault.seconds or 0) * 1000) if fault.action == "down" else None

    def is_over(self, now_ms: int) -> bool:
        return self.remaining == 0 or (self.until is not None and now_ms >= self.until)

    def view(self, now_ms: int) -> FaultView:
        return FaultView(
            id=self.id,
            spelling=self.spelling,
            fault=self.fault,
            hits=self.hits,
            remaining=self.remaining,
            until=self.until,
            is_over=self.is_over(now_ms),
        )


class Faults:
    """The faults in force. Used from one thread at a time; the same `seed` gives the same strikes again.

    A fault that is over stays in the list for a while, so that its hits can be read.
    """

    def __init__(self, faults: Iterable[Fault] = (), *, seed: int | None = None, now_ms: int = 0) -> None:
        self._first = tuple(faults)
        self._seed = seed
        self.reset(now_ms)

    def reset(self, now_ms: int) -> None:
        """Return to the faults of the start, with no hits, and to the first draw of the seed."""
        self._random = random.Random(self._seed)  # noqa: S311 - chooses what to break, protects nothing
        self._standing: list[_Standing] = []
        self._over: list[_Standing] = []
        self._numbered = 0
        for fault in self._first:
            self.add(fault, now_ms)

    def add(self, fault: Fault, now_ms: int) -> FaultView:
        """Put `fault` in force; a `down` begins now. Raises ValueError when 1,000 are in force already."""
        if len(self._standing) >= _MAX_FAULTS:
            raise ValueError(f"{_MAX_FAULTS:,} faults are in force; clear some before adding more")
        self._numbered += 1
        standing = _Standing(self._numbered, fault, now_ms)
        self._standing.append(standing)
        return standing.view(now_ms)

    def remove(self, number: int) -> bool:
        """Remove a fault, whether in force or over. False if there is none of this id."""
        before = len(self._standing) + len(self._over)
        self._standing = [each for each in self._standing if each.id != number]
        self._over = [each for each in self._over if each.id != number]
        return len(self._standing) + len(self._over) < before

    def clear(self) -> None:
        """Remove all faults."""
        self._standing = []
        self._over = []

    def list(self, now_ms: int) -> Sequence[FaultView]:
        """All faults in force and the newest of those that are over, oldest first."""
        self._retire(now_ms)
        return [each.view(now_ms) for each in sorted(self._standing + self._over, key=lambda each: each.id)]

    def strike(
        self, path: str, events: int, user_ids: Iterable[str], device_ids: Iterable[str], now_ms: int
    ) -> Strike | None:
        """What happens to a request to `path` with so many events, of these ids; None: nothing.

        The ids are iterated only if a fault asks for them. Delays add up; of the faults that end a request,
        the oldest that strikes decides, and the others are kept for the requests that come after.
        """
        if not self._standing:
            return None
        self._retire(now_ms)
        users: frozenset[str] | None = None
        devices: frozenset[str] | None = None
        delay_s = 0.0
        ending: _Standing | None = None
        struck: list[_Standing] = []
        for each in self._standing:
            fault = each.fault
            if fault.action != "delay" and ending is not None:
                continue
            if fault.path is not None and fault.path != path:
                continue
            if fault.events is not None and events < fault.events:
                continue
            if fault.user_id is not None:
                users = frozenset(user_ids) if users is None else users
                if fault.user_id not in users:
                    continue
            if fault.device_id is not None:
                devices = frozenset(device_ids) if devices is None else devices
                if fault.device_id not in devices:
                    continue
            if fault.percent is not None and self._random.random() * 100 >= fault.percent:
                continue
            struck.append(each)
            if fault.action == "delay":
                delay_s += fault.seconds or 0.0
            else:
                ending = each
        if not struck:
            return None
        for each in struck:
            each.hits += 1
            if each.remaining is not None:
                each.remaining -= 1
        self._retire(now_ms)
        spelling = " ".join(each.spelling for each in struck)
        if ending is None:
            return Strike(spelling=spelling, delay_s=delay_s)
        fault = ending.fault
        return Strike(
            spelling=spelling,
            status=fault.status,
            is_cut=fault.action != "answer",
            stored=fault.stored,
            delay_s=delay_s,
            user_id=fault.user_id,
            device_id=fault.device_id,
        )

    def _retire(self, now_ms: int) -> None:
        if any(each.is_over(now_ms) for each in self._standing):
            self._over += [each for each in self._standing if each.is_over(now_ms)]
            self._over = self._over[-_SPENT_KEPT:]
            self._standing = [each for each in self._standing if not each.is_over(now_ms)]


_AMOUNT = re.compile(r"@(?:next=(?P<next>[0-9]{1,12})|(?P<percent>[0-9]{1,12}(?:\.[0-9]+)?)%)\Z")
_DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]+)?)(ms|s|m|h)\Z")
_UNIT: Final = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600)}
_KEYS: Final = {"user": "user_id", "device": "device_id", "path": "path", "events": "events"}

# What would be read as something else inside of a value: a separator, an escape, a share, or space at an end.
_MISREAD = re.compile(r"[%:,\s\x00-\x1f\x7f-\x9f]|@(?=next=)")


def parse(text: str) -> Fault:
    """The fault that `text` spells. Raises ValueError that says what to write instead.

    Inside of a value, `%3A` stands for a colon, and any other character can be written likewise.
    """
    rest = text.strip()
    found: dict[str, str | int | float | bool] = {}
    while match := _AMOUNT.search(rest):
        kind, number = ("next", match["next"]) if match["next"] else ("percent", match["percent"])
        if kind in found:
            raise _unreadable(text, f"{kind} is given twice")
        found[kind] = int(number) if kind == "next" else float(number)
        rest = rest[: match.start()]
    head, *parts = rest.split(":")
    found |= _head(text, head)
    for part in parts:
        key, equals, value = part.partition("=")
        if not equals and (duration := _DURATION.match(part)) and "seconds" not in found:
            found["seconds"] = float(Decimal(duration[1]) * _UNIT[duration[2]])
        elif key == "events" and value.isascii() and value.isdigit() and key not in found:
            found[key] = int(value[:12])
        elif key in _KEYS and key != "events" and value and _KEYS[key] not in found:
            found[_KEYS[key]] = unquote(value, errors="surrogatepass")
        else:
            raise _unreadable(
                text,
                f"{quoted(part)} is not a duration such as 2s, nor user=…, device=…, path=… or events=… once",
            )
    try:
        return Fault(**found)  # type: ignore[arg-type]  # Fault checks the values itself
    except ValueError as error:
        raise _unreadable(text, str(error)) from None


def spell(fault: Fault) -> str:
    """`fault` as the command line writes it; `parse` reads it back."""
    if fault.action == "answer":
        words = f"{fault.status}-after" if fault.stored else f"{fault.status}"
    elif fault.action == "drop":
        words = "drop-after" if fault.stored else "drop-before"
    else:
        words = f"{fault.action}:{_plain(fault.seconds or 0)}s"
    for key, name in _KEYS.items():
        value = getattr(fault, name)
        if value is not None:
            safe = _MISREAD.sub(lambda it: quote(it[0], errors="surrogatepass", safe=""), str(value))
            words += f":{key}={safe}"
    if fault.next is not None:
        words += f"@next={fault.next}"
    if fault.percent is not None:
        words += f"@{_plain(fault.percent)}%"
    return words


def _head(text: str, head: str) -> dict[str, str | int | bool]:
    stem, dash, when = head.partition("-")
    if stem.isascii() and stem.isdigit() and (not dash or when == "after"):
        return {"action": "answer", "status": int(stem[:9]), "stored": bool(dash)}
    if stem == "drop" and when in ("before", "after"):
        return {"action": "drop", "stored": when == "after"}
    if head in ("delay", "down"):
        return {"action": head}
    raise _unreadable(
        text,
        f"{quoted(head)} is no status such as 500 or 500-after, nor delay, drop-before, drop-after or down",
    )


def _unreadable(text: str, why: str) -> ValueError:
    return ValueError(
        f"cannot read the fault {quoted(text)}: {why}. "
        "Write for example 500@10%, 429:user=user-20391@next=3, delay:2s@20%, drop-after@next=1 or down:10s"
    )


def _listed(statuses: Sequence[int]) -> str:
    return f"{', '.join(map(str, statuses[:-1]))} or {statuses[-1]}"


def _plain(number: float) -> str:
    # The grammar of faults has no exponents.
    plain = format(Decimal(repr(float(number))), "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain
