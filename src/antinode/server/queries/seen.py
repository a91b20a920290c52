"""What event types and properties have been seen, by themselves and beside a plan."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from antinode._protocol import exact
from antinode._protocol.fields import GROUP_IDENTIFY, IDENTIFY
from antinode.plan._checking import is_own, written_properties
from antinode.plan._inferring import MOST_EVENT_TYPES, EventShapes
from antinode.plan._marking import BesidePlan, MarkedProperty
from antinode.plan._merging import merged_plan
from antinode.plan._models import TrackingPlan
from antinode.plan._shapes import MOST_NAMES, ShapeRoom, ValueShape
from antinode.plan._writing import to_json, to_yaml
from antinode.server.models import (
    EventBesidePlan,
    PlanBeside,
    PlanDeviation,
    PropertyBesidePlan,
    SchemaPage,
    SeenEventType,
    SeenGroupType,
    SeenProperty,
)
from antinode.server.storage.store import EventStore

_PATIENCE_SECONDS: Final = 0.05
"""How long one reading may take; what it has not come to is read the next time."""

_SLICE_ENTRIES: Final = 256
_MOST_LISTED: Final = 300
"""Properties of one event type. What comes beyond is not listed."""

_MOST_EXAMPLES: Final = 5
_LONGEST_EXAMPLE: Final = 60
"""Characters of its JSON text."""

_ENTRIES: Final = """
SELECT e.seq, e.event_type, e.event, u.received_at FROM entries AS e JOIN uploads AS u ON u.id = e.upload
WHERE e.seq >= ? AND e.seq < ? AND e.outcome = 0 ORDER BY e.seq
"""


class _Sighting:
    """When something was seen, how often, and with which first values."""

    __slots__ = ("count", "examples", "first_seen", "last_seen")

    def __init__(self, at: int) -> None:
        self.count = 0
        self.examples: dict[str, None] = {}
        self.first_seen = self.last_seen = at

    def add(self, at: int) -> None:
        self.count += 1
        self.last_seen = at

    def show(self, value: Any) -> None:
        if len(self.examples) < _MOST_EXAMPLES:
            text = exact.dumps(value).decode()
            if len(text) <= _LONGEST_EXAMPLE:
                self.examples[text] = None


class _Sightings:
    """The same of what has properties, and of each of these."""

    __slots__ = ("properties", "whole")

    def __init__(self, at: int) -> None:
        self.whole = _Sighting(at)
        self.properties: dict[str, _Sighting] = {}

    def add(self, properties: Iterable[tuple[str, Any]], at: int) -> None:
        self.whole.add(at)
        for name, value in properties:
            found = self.properties.get(name)
            if found is None:
                if len(self.properties) >= MOST_NAMES:
                    continue
                found = self.properties[name] = _Sighting(at)
            found.add(at)
            found.show(value)


class Seen:
    """Reads the accepted events of `store`, each once, and remembers what they were like.

    What is forgotten of the oldest events stays counted, until `clear`.
    """

    def __init__(
        self,
        store: EventStore,
        plan: TrackingPlan | None = None,
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._store = store
        self._plan = plan
        self._plan_error = ""
        self._timer = timer
        self.clear()

    def clear(self) -> None:
        """Begin anew: the store was emptied, or users were erased whose values are among the examples."""
        self._next = 0
        self._shapes = EventShapes(is_strict=False)
        self._room = ShapeRoom(is_strict=False)
        self._own: dict[str, ValueShape] = {}
        """Amplitude's own event types, which `_shapes` leaves out; the operations of identifies taken off."""
        self._types: dict[str, _Sightings] = {}
        self._users = _Sightings(0)
        self._groups: dict[str, _Sightings] = {}
        self._beside: BesidePlan | None = None
        self._next_beside = 0
        if self._plan is not None:
            self._beside = BesidePlan(self._plan)

    def replan(self, plan: TrackingPlan, error: str) -> None:
        """Hold the events that are kept beside another plan. `error`: why a later one cannot be read."""
        self._plan_error = error
        if plan is not self._plan:
            self._plan = plan
            self._beside = BesidePlan(plan)
            self._next_beside = 0

    def read(self) -> int:
        """Read on, for 50 ms at most; returns how many entries are still to be read."""
        progress = self._store.progress
        self._next = max(self._next, progress.floor)
        # Another plan begins with what is kept, and the rest goes on where it is.
        self._next_beside = self._next if self._beside is None else max(self._next_beside, progress.floor)
        until = self._timer() + _PATIENCE_SECONDS
        while self._begin < progress.next_seq and self._timer() < until:
            end = min(self._begin + _SLICE_ENTRIES, progress.next_seq)
            for seq, event_type, text, at in self._store.connection.execute(_ENTRIES, (self._begin, end)):
                event = exact.loads(text)
                if seq >= self._next:
                    self._add(event_type, event, at)
                if self._beside is not None and seq >= self._next_beside:
                    self._beside.add(event, f"{seq}")
            self._next, self._next_beside = max(self._next, end), max(self._next_beside, end)
        return progress.next_seq - self._begin

    @property
    def _begin(self) -> int:
        return min(self._next, self._next_beside)

    def page(self) -> SchemaPage:
        """What is known by now, the event types seen most often first; reads on first."""
        unread = self.read()
        if self._beside is not None:
            self._beside.look()
        ranked = sorted(self._types.items(), key=lambda each: (-each[1].whole.count, each[0]))
        types = [self._event_type(name, found) for name, found in ranked]
        if self._beside is not None:
            types += [self._event_type(name, None) for name in self._beside.unseen(self._shapes)]
        users = self._written(self._users, self._shapes.users, None)
        groups = [
            SeenGroupType(group_type=kind, properties=self._written(found, self._shapes.groups[kind], kind))
            for kind, found in sorted(self._groups.items())
        ]
        return SchemaPage(
            event_types=types,
            user_properties=users,
            group_types=groups,
            unread=unread,
            plan=self._told(types, users, groups),
        )

    def plan(self, *, is_json: bool) -> str:
        """What has been read as the text of a plan, merged with the plan that there is."""
        if self._beside is None:
            plan = self._shapes.plan()
        else:
            plan = merged_plan(self._beside.plan, self._shapes, self._beside.findings)
        return to_json(plan) if is_json else to_yaml(plan, self._shapes.remarks())

    def _add(self, event_type: str, event: dict[str, Any], at: int) -> None:
        self._shapes.add(event)
        properties = dict(_properties(event_type, event))
        if is_own(event_type) and (own := self._own_shape(event_type)) is not None:
            own.add_object(properties, MOST_NAMES, 0)
        if (found := _sightings(self._types, event_type, at)) is not None:
            found.add(properties.items(), at)
        if isinstance(users := event.get("user_properties"), dict) and users:
            self._users.add(_written(users), at)
        groups = event.get("groups")
        if event_type == GROUP_IDENTIFY and isinstance(groups, dict):
            written = list(_written(event.get("group_properties")))
            for kind in groups:
                if kind in self._shapes.groups and (found := _sightings(self._groups, kind, at)) is not None:
                    found.add(written, at)

    def _own_shape(self, event_type: str) -> ValueShape | None:
        shape = self._own.get(event_type)
        if shape is None and len(self._own) < MOST_EVENT_TYPES and self._room.take():
            shape = self._own[event_type] = ValueShape(self._room)
        return shape

    def _event_type(self, name: str, found: _Sightings | None) -> SeenEventType:
        shape = (self._own if is_own(name) else self._shapes.types).get(name)
        mark, marked = (None, {}) if self._beside is None else self._beside.event(name, shape)
        planned = None if self._plan is None else self._plan.events.get(name)
        return SeenEventType(
            event_type=name,
            events=0 if found is None else found.whole.count,
            first_seen=None if found is None else found.whole.first_seen,
            last_seen=None if found is None else found.whole.last_seen,
            properties=_listed(found, shape, marked),
            plan=None
            if mark is None
            else EventBesidePlan(
                mark=mark,
                description="" if planned is None else planned.description,
                owners=[] if planned is None else list(planned.owners),
            ),
        )

    def _written(self, found: _Sightings, shape: ValueShape, kind: str | None) -> list[SeenProperty]:
        marked: dict[str, MarkedProperty] = {}
        if self._beside is not None:
            names = found.properties
            marked = self._beside.users(names) if kind is None else self._beside.group(kind, names)
        return _listed(found, shape, marked)

    def _told(
        self, types: list[SeenEventType], users: list[SeenProperty], groups: list[SeenGroupType]
    ) -> PlanBeside | None:
        if self._beside is None:
            return None
        marks = [each.plan.mark for each in types if each.plan is not None]
        held = [*users, *(each for group in groups for each in group.properties)]
        marks_of_held = [each.plan.mark for each in held if each.plan is not None]
        return PlanBeside(
            name=self._beside.plan.name,
            events=sum(not each.is_retired for each in self._beside.plan.events.values()),
            deviating=sum(mark != "planned" for mark in (*marks, *marks_of_held)),
            untold=self._beside.findings.untold,
            error=self._plan_error,
        )


def _sightings(held: dict[str, _Sightings], name: str, at: int) -> _Sightings | None:
    found = held.get(name)
    if found is None and len(held) < MOST_EVENT_TYPES:
        found = held[name] = _Sightings(at)
    return found


def _properties(event_type: str, event: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The properties that an event is about: those of the user or group, where it changes these."""
    if event_type == IDENTIFY:
        return _written(event.get("user_properties"))
    if event_type == GROUP_IDENTIFY:
        return _written(event.get("group_properties"))
    held = event.get("event_properties")
    return iter(held.items()) if isinstance(held, dict) else iter(())


def _written(given: object) -> Iterator[tuple[str, Any]]:
    seen = set()
    for name, value, _ in written_properties(given):
        if name not in seen:
            seen.add(name)
            yield name, value


def _listed(
    found: _Sightings | None, shape: ValueShape | None, marked: Mapping[str, MarkedProperty]
) -> list[SeenProperty]:
    seen = {} if found is None else found.properties
    fields = {} if shape is None else shape.fields
    ranked = sorted(seen.items(), key=lambda each: (-each[1].count, each[0]))[:_MOST_LISTED]
    listed = [_property(name, each, fields.get(name), marked.get(name)) for name, each in ranked]
    unseen = [(name, each) for name, each in marked.items() if name not in seen][:_MOST_LISTED]
    return listed + [_property(name, None, None, each) for name, each in unseen]


def _property(
    name: str, found: _Sighting | None, shape: ValueShape | None, marked: MarkedProperty | None
) -> SeenProperty:
    kinds = Counter[str]() if shape is None else shape.kinds
    return SeenProperty(
        name=name,
        events=0 if found is None else found.count,
        types=dict(kinds.most_common()),
        examples=[] if found is None else list(found.examples),
        first_seen=None if found is None else found.first_seen,
        last_seen=None if found is None else found.last_seen,
        plan=None if marked is None else _beside(marked),
    )


def _beside(marked: MarkedProperty) -> PropertyBesidePlan:
    return PropertyBesidePlan(
        mark=marked.mark,
        types=[] if marked.planned is None else list(marked.planned.types),
        is_required=marked.is_required,
        description="" if marked.planned is None else marked.planned.description,
        deviations=[
            PlanDeviation(
                code=each.code, path=each.path, count=each.count, advice=each.advice, places=each.places
            )
            for each in marked.findings
        ],
    )
