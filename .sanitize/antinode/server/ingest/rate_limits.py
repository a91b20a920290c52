"""Who sends too much: silenced devices, and the rates and quotas of projects, users and devices.

Reference, sections 5, 13.2 and 13.6.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from antinode._protocol.fields import ID_FIELDS
from antinode._protocol.limits import DAILY_QUOTA
from antinode.server.ingest import responses
from antinode.server.ingest.apis import IngestApi
from antinode.server.models import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from antinode.server.ingest.responses import Refusal
    from antinode.server.ingest.validation import Checked
    from antinode.server.rules import Rules

_Kind: TypeAlias = Literal["user_id", "device_id"]
_Key: TypeAlias = tuple[int, str, str]
"""Project, kind of id, id; the two strings are empty for a project as a whole."""

_HOUR_MS: Final = 3_600_000
_SLOTS: Final = 30
"""The parts of a rate's window: what is counted leaves it up to one part late."""


class Rates:
    """What was stored of late, by project, user and device. In memory: a restart forgets it.

    Nothing is counted until a rule needs it, so a rule that is put in force begins with empty windows; it
    ends with them too. Memory is bounded by the ids that were seen within the windows.
    """

    def __init__(self) -> None:
        self._of_ids: _RateWindow | None = None
        self._of_days: _RateWindow | None = None
        self._of_projects: _RateWindow | None = None

    def check(self, checked: Checked, rules: Rules, project_id: int, now_ms: int) -> Refusal | None:
        """Why the request is to be refused, or None. Counts nothing."""
        self._prepare(rules)
        if not (rules.silenced_devices or self._of_ids or self._of_days or self._of_projects):
            return None
        api = checked.reading.api
        sent = _positions(checked)
        excess = self._excess(api, sent, rules, project_id, now_ms)
        if rules.silenced_devices:
            refusal = _silence(api, sent, rules, excess)
            if refusal is not None:
                return refusal
        if self._of_projects and rules.project_eps is not None:
            stored = self._of_projects.count((project_id, "", ""), now_ms)
            if stored + len(checked.kept) > rules.project_eps:
                return responses.project_throttled(api)
        return _throttle(api, excess) if excess.positions else None

    def count(self, checked: Checked, project_id: int, now_ms: int) -> None:
        """Count the events of a request that was stored, after `check` let it pass."""
        if self._of_projects:
            self._of_projects.add({(project_id, "", ""): len(checked.kept)}, now_ms)
        if self._of_ids or self._of_days:
            sent = _positions(checked)
            counts: dict[_Key, int] = {(project_id, *key): len(found) for key, found in sent.items()}
            for window in (self._of_ids, self._of_days):
                if window:
                    window.add(counts, now_ms)

    def reset(self) -> None:
        """Forget what was counted."""
        self._of_ids = self._of_days = self._of_projects = None

    def _prepare(self, rules: Rules) -> None:
        is_documented = rules.rates == "documented"
        span = max(1, round(rules.rate_window_s * 1000))
        needs_ids = is_documented or rules.eps_threshold is not None
        self._of_ids = _kept(self._of_ids, max(1, span // _SLOTS), span, is_needed=needs_ids)
        needs_days = is_documented or rules.daily_quota is not None
        self._of_days = _kept(self._of_days, _HOUR_MS, 24 * _HOUR_MS, is_needed=needs_days)
        needs_projects = rules.project_eps is not None
        self._of_projects = _kept(self._of_projects, 1000 // _SLOTS, 1000, is_needed=needs_projects)

    def _excess(
        self,
        api: IngestApi,
        sent: Mapping[tuple[_Kind, str], Sequence[int]],
        rules: Rules,
        project_id: int,
        now_ms: int,
    ) -> _Excess:
        threshold = _threshold(api, rules)
        quota = _quota(api, rules)
        excess = _Excess(threshold)
        for (kind, id_), positions in sent.items():
            key = (project_id, kind, id_)
            if self._of_ids and threshold is not None:
                rate = rules.known_rates.get(id_)
                if rate is None:
                    stored = self._of_ids.count(key, now_ms)
                    rate = (stored + len(positions)) * 1000 / self._of_ids.span_ms
                if rate > threshold:
                    excess.add_rate(kind, id_, rate, positions)
            if self._of_days and quota is not None:
                total = rules.daily_counts.get(id_)
                if total is None:
                    total = self._of_days.count(key, now_ms) + len(positions)
                if total > quota:
                    excess.add_total(kind, id_, total, quota, positions)
        return excess


def _threshold(api: IngestApi, rules: Rules) -> float | None:
    if rules.eps_threshold is not None:
        return rules.eps_threshold
    return api.documented_eps if rules.rates == "documented" else None


def _quota(api: IngestApi, rules: Rules) -> int | None:
    if api is not IngestApi.BATCH:
        return None
    if rules.daily_quota is not None:
        return rules.daily_quota
    return DAILY_QUOTA if rules.rates == "documented" else None


def _positions(checked: Checked) -> dict[tuple[_Kind, str], list[int]]:
    positions: dict[tuple[_Kind, str], list[int]] = {}
    for position, event in enumerate(checked.kept):
        for kind in _KINDS:
            id_ = event.get(kind)
            if id_ is not None:
                positions.setdefault((kind, id_), []).append(position)
    return positions


_KINDS: Final[tuple[_Kind, ...]] = ID_FIELDS


@dataclass
class _Excess:
    """Which ids of a request are over a limit, and with which events."""

    threshold: float | None
    rates: dict[_Kind, dict[str, int]] = field(default_factory=lambda: {"user_id": {}, "device_id": {}})
    totals: dict[_Kind, dict[str, int]] = field(default_factory=lambda: {"user_id": {}, "device_id": {}})
    positions: dict[int, list[Problem]] = field(default_factory=dict)

    def add_rate(self, kind: _Kind, id_: str, rate: float, positions: Sequence[int]) -> None:
        self.rates[kind][id_] = math.ceil(rate)
        message = (
            f"`{kind}` {id_[:60]!r} sends {rate:,.4g} events a second, more than {self.threshold:,.4g}: "
            "send fewer at a time, and these again later"
        )
        self._blame(Problem("throttled", "error", kind, message), positions)

    def add_total(self, kind: _Kind, id_: str, total: int, quota: int, positions: Sequence[int]) -> None:
        self.totals[kind][id_] = total
        message = (
            f"`{kind}` {id_[:60]!r} sent {total:,} events in 24 hours, more than {quota:,}: "
            "send these again when it is fewer"
        )
        self._blame(Problem("over_daily_quota", "error", kind, message), positions)

    def _blame(self, problem: Problem, positions: Sequence[int]) -> None:
        for position in positions:
            self.positions.setdefault(position, []).append(problem)


def _silence(
    api: IngestApi, sent: Mapping[tuple[_Kind, str], Sequence[int]], rules: Rules, excess: _Excess
) -> Refusal | None:
    devices = [device for device in rules.silenced_devices if ("device_id", device) in sent]
    if not devices:
        return None
    reasons: dict[int, list[Problem]] = {}
    for device in devices:
        message = f"the device {device[:60]!r} is silenced: send nothing of it"
        problem = Problem("silenced_device", "error", "device_id", message)
        reasons.update((position, [problem]) for position in sent["device_id", device])
    told = {
        "eps_threshold": _number(_threshold(api, rules) or api.documented_eps),
        "exceeded_daily_quota_devices": excess.totals["device_id"],
        "silenced_devices": devices,
        "silenced_events": sorted(reasons),
        "throttled_devices": excess.rates["device_id"],
        "throttled_events": sorted(excess.positions.keys() - reasons.keys()),
    }
    return responses.silenced(api, told, reasons)


def _throttle(api: IngestApi, excess: _Excess) -> Refusal:
    told: dict[str, Any] = {}
    if excess.threshold is not None:
        told["eps_threshold"] = _number(excess.threshold)
    maps = {
        "throttled_devices": excess.rates["device_id"],
        "throttled_users": excess.rates["user_id"],
        "exceeded_daily_quota_devices": excess.totals["device_id"],
        "exceeded_daily_quota_users": excess.totals["user_id"],
    }
    told |= {name: found for name, found in maps.items() if found}
    told["throttled_events"] = sorted(excess.positions)
    return responses.throttled(api, told, dict(sorted(excess.positions.items())))


def _number(value: float) -> float:
    """Whole numbers without a fraction: some SDKs read nothing else."""
    return int(value) if float(value).is_integer() else value


class _RateWindow:
    """How many events came for each key within a span of time that moves on in slots."""

    def __init__(self, slot_ms: int, span_ms: int) -> None:
        self.slot_ms = slot_ms
        self.span_ms = span_ms
        self._totals: Counter[_Key] = Counter()
        self._slots: deque[tuple[int, Counter[_Key]]] = deque()

    def add(self, counts: Mapping[_Key, int], now_ms: int) -> None:
        """Count events that came now."""
        self._move_to(now_ms)
        start = now_ms - now_ms % self.slot_ms
        if not self._slots or self._slots[-1][0] != start:
            self._slots.append((start, Counter()))
        self._slots[-1][1].update(counts)
        self._totals.update(counts)

    def count(self, key: _Key, now_ms: int) -> int:
        """The events of `key` within the span before now."""
        self._move_to(now_ms)
        return self._totals[key]

    def _move_to(self, now_ms: int) -> None:
        slots = self._slots
        while slots and slots[0][0] + self.slot_ms + self.span_ms <= now_ms:
            self._forget(slots.popleft()[1])
        while slots and slots[-1][0] > now_ms:  # the clock was put back
            self._forget(slots.pop()[1])

    def _forget(self, counts: Mapping[_Key, int]) -> None:
        totals = self._totals
        for key, count in counts.items():
            totals[key] -= count
            if not totals[key]:
                del totals[key]


def _kept(window: _RateWindow | None, slot_ms: int, span_ms: int, *, is_needed: bool) -> _RateWindow | None:
    if not is_needed:
        return None
    if window is None or window.span_ms != span_ms:
        return _RateWindow(slot_ms, span_ms)
    return window
