"""What was seen beside a plan, marked: what is new, missing, of another type, or retired."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from antinode.plan._checking import is_own
from antinode.plan._findings import PlanFinding, PlanFindings
from antinode.plan._inferring import EventShapes
from antinode.plan._marks import EventMark, PropertyMark
from antinode.plan._models import TrackingPlan
from antinode.plan._paths import joined, steps_of
from antinode.plan._schemas import PropertySchema
from antinode.plan._shapes import ValueShape

_USERS: Final = "user_properties"
_GROUPS: Final = "group_properties"


class MarkedProperty(NamedTuple):
    """A property beside the plan."""

    mark: PropertyMark
    planned: PropertySchema | None
    """None: it is not."""
    is_required: bool = False
    findings: tuple[PlanFinding, ...] = ()
    """What did not conform, at it or below it."""


class BesidePlan:
    """Takes events, one after the other, and tells what they hold beside a plan; bounded."""

    def __init__(self, plan: TrackingPlan) -> None:
        self.plan = plan
        self.findings = PlanFindings(plan)
        self._of_events: dict[str, list[PlanFinding]] = {}
        self._of_all: list[PlanFinding] = []

    def add(self, event: Mapping[str, Any], place: str) -> None:
        """One event, and where it was found."""
        self.findings.add(event, place)

    def look(self) -> None:
        """Go by what was found until now, from here on."""
        of_events = defaultdict(list)
        self._of_all = self.findings.kinds
        for each in self._of_all:
            of_events[each.event_type].append(each)
        self._of_events = of_events

    def event(
        self, name: str, shape: ValueShape | None
    ) -> tuple[EventMark | None, dict[str, MarkedProperty]]:
        """The mark of an event type, and of each property of it that is planned or was seen.

        None for Amplitude's own event types, which are no part of a plan.
        """
        seen = {} if shape is None else shape.fields
        planned = self.plan.events.get(name)
        if planned is None:
            if is_own(name):
                return None, {}
            return "new", {each: MarkedProperty("new", None) for each in seen}
        if planned.is_retired:
            known = planned.schema.properties
            return "retired", {each: MarkedProperty("retired", known.get(each)) for each in seen}
        marked = _marked(planned.schema, seen, self._of_events.get(name, ()), "")
        if shape is None:
            return "missing", marked
        is_as_planned = all(each.mark == "planned" for each in marked.values())
        return "planned" if is_as_planned else "deviating", marked

    def users(self, seen: Iterable[str]) -> dict[str, MarkedProperty]:
        """The same for user properties; none where the plan says nothing of them."""
        planned = self.plan.user_properties
        return {} if planned is None else _marked(planned, seen, self._of_all, _USERS)

    def group(self, kind: str, seen: Iterable[str]) -> dict[str, MarkedProperty]:
        """The same for the properties of a group type."""
        planned = (self.plan.group_properties or {}).get(kind)
        return {} if planned is None else _marked(planned, seen, self._of_all, joined(_GROUPS, kind))

    def unseen(self, seen: EventShapes) -> Iterator[str]:
        """The active events of the plan that did not come."""
        for each in self.plan.events.values():
            if not each.is_retired and each.name not in seen.types:
                yield each.name


def _marked(
    planned: PropertySchema, seen: Iterable[str], findings: Iterable[PlanFinding], path: str
) -> dict[str, MarkedProperty]:
    """Each property of what lies at `path`: of the event if that is empty, else of users or a group type."""
    seen = frozenset(seen)
    of_which, kind = steps_of(path)
    by_name = defaultdict(list)
    for each in findings:
        own, steps = steps_of(each.path)
        if own == of_which and len(steps) > len(kind) and steps[: len(kind)] == kind:
            by_name[steps[len(kind)]].append(each)
    return {
        name: MarkedProperty(
            _mark(joined(path, name), name in seen, planned.properties.get(name), by_name[name]),
            planned.properties.get(name),
            name in planned.required,
            tuple(by_name[name]),
        )
        for name in dict.fromkeys((*planned.properties, *sorted(seen)))
    }


def _mark(
    path: str, is_seen: bool, planned: PropertySchema | None, findings: list[PlanFinding]
) -> PropertyMark:
    codes = {each.code for each in findings}
    if any(each.code == "unknown_property" and each.path == path for each in findings):
        return "new"
    if not is_seen and planned is not None:
        return "missing"
    if "wrong_type" in codes:
        return "mistyped"
    if any(each.code != "missing_property" or each.path != path for each in findings):
        return "invalid"
    return "incomplete" if findings else "planned"
