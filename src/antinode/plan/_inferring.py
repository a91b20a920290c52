"""A plan from the events that there are: the same whatever their order, in memory that is bounded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from antinode._protocol.fields import GROUP_IDENTIFY
from antinode.plan._checking import is_own, written_properties
from antinode.plan._models import PlannedEvent, TrackingPlan
from antinode.plan._shapes import MOST_NAMES, ShapeRoom, TooVaried, ValueShape
from antinode.plan._yaml import Path

MOST_EVENT_TYPES: Final = 2_000
"""As many as a project of Amplitude keeps."""


class EventShapes:
    """What a number of events hold.

    Where that grows without bound, a strict one raises TooVaried, and another leaves out what is beyond.
    """

    def __init__(self, *, is_strict: bool = True) -> None:
        self.events = 0
        self.types: dict[str, ValueShape] = {}
        """By event type, Amplitude's own left out."""
        self.users: ValueShape
        """User properties, whatever event wrote them."""
        self.groups: dict[str, ValueShape] = {}
        """The same of groups, by group type."""
        self._is_strict = is_strict
        self._room = ShapeRoom(is_strict=is_strict)
        self.users = ValueShape(self._room)

    def add(self, event: Mapping[str, Any]) -> None:
        """One event, in JSON's types. Raises TooVaried."""
        self.events += 1
        event_type = event.get("event_type")
        if isinstance(event_type, str) and event_type.strip() and not is_own(event_type):
            shape = self._shape_of(self.types, event_type, "event types")
            if shape is not None:
                shape.add_object(event.get("event_properties"), MOST_NAMES, 0)
        _add_written(self.users, event.get("user_properties"))
        groups = event.get("groups")
        if event_type == GROUP_IDENTIFY and isinstance(groups, dict):
            for kind in groups:
                shape = self._shape_of(self.groups, kind, "group types")
                if shape is not None:
                    _add_written(shape, event.get("group_properties"))

    def _shape_of(self, shapes: dict[str, ValueShape], name: str, what: str) -> ValueShape | None:
        shape = shapes.get(name)
        if shape is None:
            if len(shapes) >= MOST_EVENT_TYPES:
                if not self._is_strict:
                    return None
                raise TooVaried(
                    f"there are more than {MOST_EVENT_TYPES:,} {what}, more than Amplitude keeps: "
                    f"does their name hold an id, as {name[:60]!r} may?"
                )
            if not self._room.take():
                return None
            shape = shapes[name] = ValueShape(self._room)
        return shape

    def plan(self, *, has_examples: bool = True) -> TrackingPlan:
        """The plan to which these events conform."""
        users = self.users.schema("", has_examples, is_partial=True)
        return TrackingPlan(
            events={
                name: PlannedEvent(name, shape.schema(name, has_examples))
                for name, shape in sorted(self.types.items())
            },
            user_properties=users if users.properties else None,
            group_properties={
                kind: shape.schema(kind, has_examples, is_partial=True)
                for kind, shape in sorted(self.groups.items())
            }
            or None,
        )

    def remarks(self) -> dict[Path, str]:
        """How often each event, and in which share of its events each property was there."""
        told: dict[Path, str] = {}
        for name, shape in self.types.items():
            told["events", name] = f"{shape.objects:,} seen"
            for key, each in shape.fields.items():
                if each.count < shape.objects:
                    told["events", name, "properties", key] = f"in {_share(each.count, shape.objects)}"
        return told


def _share(count: int, of: int) -> str:
    percent = 100 * count / of
    return f"{percent:.0f}%" if 1 <= percent <= 99 else f"{count:,} of {of:,}"


def _add_written(shape: ValueShape, given: object) -> None:
    whole: dict[str, Any] = {}
    for name, value, is_whole in written_properties(given):
        if is_whole:
            whole[name] = value
        else:
            shape.touch(name)
    if whole:
        shape.add_object(whole, MOST_NAMES, 0)
