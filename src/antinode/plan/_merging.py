"""A plan and what was seen beside it, as one plan: what was contradicted is widened, what is new is added."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from functools import partial
from typing import Any, Final

from antinode.plan._findings import PlanFinding, PlanFindings
from antinode.plan._inferring import EventShapes
from antinode.plan._models import PlannedEvent, TrackingPlan
from antinode.plan._paths import above, joined
from antinode.plan._schemas import (
    TYPES,
    Code,
    PropertySchema,
    are_equal,
    enum_words,
    limit_words,
    pattern_words,
)
from antinode.plan._shapes import ValueShape, gives_away

_USERS: Final = "user_properties"
_GROUPS: Final = "group_properties"


def merged_plan(
    plan: TrackingPlan, seen: EventShapes, findings: PlanFindings, *, has_examples: bool = True
) -> TrackingPlan:
    """The plan that takes what `plan` takes and what was seen, of whose events `findings` were made.

    Where all conform, it is `plan`. What is retired stays so; where the plan says nothing of user or group
    properties, it goes on saying nothing.
    """
    merging = _Merging(findings, has_examples)
    events = {name: merging.event(each, seen.types.get(name)) for name, each in plan.events.items()}
    for name, shape in sorted(seen.types.items()):
        if name not in events:
            events[name] = PlannedEvent(name, shape.schema(name, has_examples))
    users, groups = plan.user_properties, plan.group_properties
    if users is not None:
        users = merging.written(users, seen.users, _USERS)
    if groups is not None:
        groups = {
            kind: merging.written(each, seen.groups.get(kind), joined(_GROUPS, kind))
            for kind, each in groups.items()
        }
    return replace(plan, events=events, user_properties=users, group_properties=groups)


class _Contradictions:
    """In which ways a plan was contradicted, by path: in one event, or in what all events write."""

    def __init__(self, *, is_complete: bool) -> None:
        """Incomplete: there was no room to keep all, so that everything may have been."""
        self._is_complete = is_complete
        self._codes: dict[str, set[Code]] = defaultdict(set)
        self._expected: dict[str, set[str]] = defaultdict(set)
        self._touched: set[str] = set()
        self._has_unknown: set[str] = set()

    def add(self, found: PlanFinding) -> None:
        self._codes[found.path].add(found.code)
        self._expected[found.path].update(found.expected)
        around = above(found.path)
        if found.code == "unknown_property":
            self._has_unknown.update(around)
        self._touched.update(around if found.code == "missing_property" else (*around, found.path))

    def has(self, path: str, code: Code, expected: str | None = None) -> bool:
        """Whether it was, in this way."""
        if not self._is_complete:
            return True
        return code in self._codes.get(path, ()) and (
            expected is None or expected in self._expected.get(path, ())
        )

    def touches(self, path: str) -> bool:
        """Whether it was at this path, or below it."""
        return path in self._touched or not self._is_complete

    def has_unknown(self, path: str) -> bool:
        """Whether there was a property that is not planned below this path."""
        return path in self._has_unknown or not self._is_complete


class _Merging:
    def __init__(self, findings: PlanFindings, has_examples: bool) -> None:
        self._has_examples = has_examples
        make = partial(_Contradictions, is_complete=not findings.untold)
        self._of_events: dict[str, _Contradictions] = defaultdict(make)
        self._of_all = make()
        for each in findings.kinds:
            self._of_events[each.event_type].add(each)
            self._of_all.add(each)

    def event(self, planned: PlannedEvent, shape: ValueShape | None) -> PlannedEvent:
        if shape is None or planned.is_retired:
            return planned
        schema = self._object(planned.schema, shape, "", self._of_events[planned.name])
        return replace(planned, schema=schema)

    def written(self, planned: PropertySchema, shape: ValueShape | None, path: str) -> PropertySchema:
        """Properties of users or of a group, of which none is required."""
        if shape is None:
            return planned
        return self._object(planned, shape, path, self._of_all)

    def _object(
        self, planned: PropertySchema, shape: ValueShape, path: str, met: _Contradictions
    ) -> PropertySchema:
        properties = {
            name: self._value(each, shape.fields.get(name), name, joined(path, name), met)
            for name, each in planned.properties.items()
        }
        required = [name for name in planned.required if not met.has(joined(path, name), "missing_property")]
        takes_others = planned.takes_others
        if not takes_others and met.has_unknown(path):
            for name, each in sorted(shape.fields.items()):
                if name not in properties and met.has(joined(path, name), "unknown_property"):
                    properties[name] = each.schema(name, self._has_examples, layer=1)
            takes_others = shape.is_open
        return replace(planned, properties=properties, required=tuple(required), takes_others=takes_others)

    def _value(
        self, planned: PropertySchema, shape: ValueShape | None, name: str, path: str, met: _Contradictions
    ) -> PropertySchema:
        if shape is None:
            # Nothing is known of it, but that there was none, or that it was too deep to be looked at.
            open_to_all = replace(
                PropertySchema(),
                description=planned.description,
                examples=planned.examples,
                is_deprecated=planned.is_deprecated,
            )
            return open_to_all if met.touches(path) else planned
        types = planned.types
        is_mistyped = bool(types) and met.has(path, "wrong_type")
        if is_mistyped:
            types = _united(types, shape.types)
        enum = planned.enum
        # A value of another type, or of none that is listed, was looked at no further.
        is_unlisted = enum is not None and (is_mistyped or met.has(path, "wrong_value", enum_words(enum)))
        if enum is not None and is_unlisted:
            enum = _extended(enum, shape, name)
        limits = {
            key: at
            for key, at in planned.limits.items()
            if not (is_mistyped or is_unlisted or met.has(path, "wrong_value", limit_words(key, at)))
        }
        pattern = planned.pattern
        if pattern is not None and (
            is_mistyped or is_unlisted or met.has(path, "wrong_value", pattern_words(pattern))
        ):
            pattern = None
        widened = replace(planned, types=types, enum=enum, limits=limits, pattern=pattern)
        if is_mistyped or (is_unlisted and enum is None):
            return replace(widened, items=None, properties={}, required=(), takes_others=True)
        if widened.items is not None:
            widened = replace(widened, items=self._value(widened.items, shape.items, name, f"{path}[]", met))
        return self._object(widened, shape, path, met)


def _united(planned: tuple[str, ...], seen: tuple[str, ...]) -> tuple[str, ...]:
    """The types of both, those of the plan first; whole numbers among others are numbers."""
    both = [*planned, *(each for each in TYPES if each in seen and each not in planned)]
    return tuple(each for each in both if not (each == "integer" and "number" in both))


def _extended(enum: tuple[Any, ...], shape: ValueShape, name: str) -> tuple[Any, ...] | None:
    """The list with the values that were seen; None if these are many, or not to be shown."""
    values = shape.values
    if values is None or gives_away(name, values):
        return None
    return (*enum, *(each for each in sorted(values) if not any(are_equal(each, known) for known in enum)))
