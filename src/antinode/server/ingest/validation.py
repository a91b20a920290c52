"""Events against the API's rules, and as they are applied (reference, sections 3, 4 and 13.8)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from msgspec import UNSET

from antinode._protocol import objections
from antinode._protocol.fields import (
    FIELDS,
    GROUP_IDENTIFY,
    ID_FIELDS,
    IDENTIFY,
    PROPERTY_FIELDS,
    REMOTE,
    RESERVED_EVENT_TYPES,
    REVENUE,
    FieldKind,
)
from antinode._protocol.ids import INVALID_IDS, as_text, is_good_id
from antinode._protocol.limits import MAX_DEPTH, MAX_STRING
from antinode._protocol.values import depth, truncate
from antinode.server.ingest import responses, warnings
from antinode.server.ingest.apis import IngestApi
from antinode.server.ingest.fast_schemas import LooseShape, Shape, plain, sound
from antinode.server.ingest.responses import Refusal
from antinode.server.models import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from antinode.server.ingest.parsing import RequestReading
    from antinode.server.ingest.responses import Stage
    from antinode.server.rules import Rules


@dataclass(frozen=True, slots=True)
class Checked:
    """Events that the API takes."""

    reading: RequestReading
    kept: list[dict[str, Any]]
    """By position, what to apply: ids as text, whole numbers as int, long strings cut, `ip` "$remote" as the
    address that the request came from, and of the event's own keys those that are None, empty or nested too
    deep left out. Where nothing changed, the reading's own."""
    problems: dict[int, list[Problem]]
    """Warnings, by position. Most events have none."""


def check(reading: RequestReading, rules: Rules) -> Checked | Refusal:
    """Required fields, field values, id lengths: the first stage that an event fails answers.

    Changes nothing in the reading and raises nothing, whatever the events hold. The `reasons` of a refusal
    explain every event at fault, whichever of them the answer names.
    """
    work = _Check(reading, rules)
    work.run()
    return work.refusal() if work.faults else work.checked()


def find_problems(reading: RequestReading, rules: Rules) -> dict[int, list[Problem]]:
    """What `check` would refuse each event for, and what is worth mending in it, by position.

    Unlike a refusal it is not silent about the events beside a bad one. Raises nothing, as `check`.
    """
    work = _Check(reading, rules)
    work.run()
    return work.problems()


def is_clear(shape: Shape, shortest: int) -> bool:
    """Whether an event of this shape has no faults, and can be applied as it is but for a "$remote" `ip`."""
    return _has_good_ids(shape, shortest) and _has_good_type(shape)


def _has_good_ids(shape: Shape, shortest: int) -> bool:
    user_id, device_id = shape.user_id, shape.device_id
    if user_id is not UNSET and (len(user_id) < shortest or user_id.strip().lower() in INVALID_IDS):
        return False
    if device_id is UNSET:
        return user_id is not UNSET
    return len(device_id) >= shortest and device_id.strip().lower() not in INVALID_IDS


def _has_good_type(shape: Shape) -> bool:
    event_type = shape.event_type
    return event_type is not UNSET and event_type not in RESERVED_EVENT_TYPES and not event_type.isspace()


def _is_good(shape: LooseShape | None, shortest: int) -> bool:
    if shape is None:
        return False
    event_type = shape.event_type
    if not isinstance(event_type, str) or event_type in RESERVED_EVENT_TYPES or not event_type.strip():
        return False
    ids = [value for value in (shape.user_id, shape.device_id) if value not in (UNSET, None, "")]
    if not ids:
        return event_type == GROUP_IDENTIFY
    return all(isinstance(value, str) and is_good_id(value, shortest) for value in ids)


def _may_be_mended(shape: Shape) -> bool:
    return (
        shape.insert_id is UNSET
        or shape.time is UNSET
        or shape.user_properties is not UNSET
        or shape.group_properties is not UNSET
        or shape.price is not UNSET
        or shape.quantity is not UNSET
        or shape.productId is not UNSET
        or shape.revenueType is not UNSET
        or shape.currency is not UNSET
        or shape.event_type in _SPECIAL
    )


_SPECIAL: Final = frozenset({IDENTIFY, GROUP_IDENTIFY, REVENUE})
_MOST_WARNINGS: Final = 20
"""Of one event: somebody could send an event with a hundred thousand unknown operations."""


class _Check:
    """One run of `check`: what was found so far."""

    def __init__(self, reading: RequestReading, rules: Rules) -> None:
        self.faults: dict[int, list[objections.Problem]] = {}
        self._warnings: dict[int, list[Problem]] = {}
        self._changed: dict[int, dict[str, Any]] = {}
        self._reading = reading
        self._rules = rules
        self._removes_short_ids = rules.short_id_policy == "strip"
        # The Identify APIs have no field for an insert_id or a time.
        self._needs_id_and_time = reading.api not in (IngestApi.IDENTIFY, IngestApi.GROUP_IDENTIFY)

    def run(self) -> None:
        """Look at every event."""
        shortest = self._reading.min_id_length
        for position, event in enumerate(self._reading.events):
            shape = plain(event)
            if shape is None or not is_clear(shape, shortest):
                self.look_closely(position, event)
            else:
                if _may_be_mended(shape):
                    self.warn(position, event)
                if shape.ip == REMOTE:
                    self._changed[position] = self._located(event)

    def look_closely(self, position: int, event: dict[str, Any]) -> None:
        """Find what is wrong with an event, or mend it."""
        found: list[Problem] = []
        shortest = self._reading.min_id_length
        given = event
        if self._removes_short_ids:
            event = _without_short_ids(event, shortest, found)
        # The protocol's rules take a while; the shape clears most of what comes here.
        faults = [] if _is_good(sound(event), shortest) else objections.problems(event, shortest)
        if faults:
            self.faults[position] = faults
        else:
            event = _tidied(event, self._is_long(position), found)
            if event.get("ip") == REMOTE:
                event = self._located(event)
            if event is not given:
                self._changed[position] = event
            found.extend(islice(self._advice(event), _MOST_WARNINGS))
        if found:
            self._warnings[position] = found[:_MOST_WARNINGS]

    def _is_long(self, position: int) -> bool:
        """Whether any text of an event can exceed the limit: not if its JSON does not."""
        return memoryview(self._reading.texts[position]).nbytes > MAX_STRING

    def _located(self, event: dict[str, Any]) -> dict[str, Any]:
        """An event from "$remote", with the address that it came from; with none if that is not known."""
        if address := self._reading.address:
            return {**event, "ip": address}
        return {key: value for key, value in event.items() if key != "ip"}

    def warn(self, position: int, event: dict[str, Any]) -> None:
        """Find what is worth mending in an event that can be applied as it is."""
        found = list(islice(self._advice(event), _MOST_WARNINGS))
        if found:
            self._warnings[position] = found

    def _advice(self, event: Mapping[str, Any]) -> Iterator[Problem]:
        if self._needs_id_and_time:
            if "insert_id" not in event:
                yield warnings.NO_INSERT_ID
            if "time" not in event:
                yield warnings.NO_TIME
        yield from warnings.on_time(event.get("time"))
        if "groups" in event:
            yield from warnings.on_groups(event["groups"])
        yield from warnings.on_properties(event)
        yield from warnings.on_revenue(event)

    def problems(self) -> dict[int, list[Problem]]:
        """Everything found: faults first, then warnings."""
        found = {
            at: [*(_told(fault) for fault in faults), *self._warnings.get(at, ())]
            for at, faults in self.faults.items()
        }
        return {**self._warnings, **found}

    def checked(self) -> Checked:
        kept = self._reading.events
        if self._changed:
            kept = [self._changed.get(position, event) for position, event in enumerate(kept)]
        return Checked(self._reading, kept, self._warnings)

    def refusal(self) -> Refusal:
        stage, failing = next(
            (stage, failing)
            for stage in _STAGES
            if (failing := [at for at, faults in self.faults.items() if any(f.kind == stage for f in faults)])
        )
        named: dict[str, list[int]] = {}
        mode = self._rules.error_indices
        if mode is None:
            mode = "all" if self._reading.api is IngestApi.BATCH else "first_per_field"
        for position in failing[:1] if mode == "first_event_only" else failing:
            for fault in self.faults[position]:
                if fault.kind == stage:
                    named.setdefault(fault.field, []).append(position)
        if mode == "first_per_field":
            named = {field: positions[:1] for field, positions in named.items()}
        found = self.problems()
        reasons = {at: found[at] for at in self.faults}
        return responses.bad_events(self._reading.api, stage, named, reasons)


_STAGES: Final[Sequence[Stage]] = ("missing", "invalid", "id_length")


def _told(fault: objections.Problem) -> Problem:
    if fault.kind == "missing":
        code = "missing_id" if fault.field in ID_FIELDS else f"missing_{fault.field}"
    else:
        code = f"{'invalid' if fault.kind == 'invalid' else 'short'}_{fault.field.removeprefix('$')}"
    return Problem(code, "error", fault.field, fault.message)


def _without_short_ids(event: dict[str, Any], shortest: int, found: list[Problem]) -> dict[str, Any]:
    short = {
        field: as_text(value)
        for field in ID_FIELDS
        if isinstance(value := event.get(field), str | int | float) and not isinstance(value, bool)
        if value != "" and len(as_text(value)) < shortest
    }
    if not short:
        return event
    found.extend(warnings.short_id_removed(field, value, shortest) for field, value in short.items())
    return {key: value for key, value in event.items() if key not in short}


def _tidied(event: dict[str, Any], is_long: bool, found: list[Problem]) -> dict[str, Any]:
    """An event without faults in the form in which it is applied; the same object if that is its form."""
    changed: dict[str, Any] = {}
    for key, value in event.items():
        kind = _KIND_OF(key)
        if kind is None:
            found.extend(warnings.on_unknown_key(key))
        if type(value) in _CONTAINERS and key not in PROPERTY_FIELDS and depth(value) > MAX_DEPTH:
            found.append(warnings.left_out(key))
            changed[key] = None
        elif kind is not None:
            tidy = _tidy(key, kind, value, found)
            if is_long and key != "user_agent":  # the API keeps a user agent whole
                tidy, cut = truncate(tidy, path=key)
                if cut:
                    found.append(warnings.truncated(key, cut))
            if tidy is not value or value is None:
                changed[key] = tidy
    if not changed:
        return event
    tidied = {**event, **changed}
    return {key: value for key, value in tidied.items() if value is not None}


def _tidy(key: str, kind: FieldKind, value: Any, found: list[Problem]) -> Any:
    if kind is FieldKind.STRING:
        if type(value) is str or value is None:
            return value or None
        if key in ID_FIELDS:
            found.append(warnings.number_as_id(key, value))
        return as_text(value)
    if kind is FieldKind.INTEGER and type(value) is float:
        return int(value)
    return value


# Looked up for every key; only JSON's own types come here.
_KIND_OF: Final = dict(FIELDS).get
_CONTAINERS: Final = frozenset({dict, list})
