"""A tracking plan: which events there are, and what each holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from antinode._protocol.words import counted
from antinode.plan._schemas import PropertySchema


@dataclass(frozen=True)
class PlannedEvent:
    """An event. `schema` is that of its `event_properties`; it takes no others unless it says so."""

    name: str
    schema: PropertySchema = field(default_factory=lambda: PropertySchema(takes_others=False))
    description: str = ""
    owners: tuple[str, ...] = ()
    category: str = ""
    """Of which group of events it is, as Amplitude shows them."""
    status: Literal["active", "retired"] = "active"

    @property
    def is_retired(self) -> bool:
        """Whether it must not be logged any more."""
        return self.status == "retired"


@dataclass(frozen=True)
class TrackingPlan:
    """Which events there are, and what each holds. Read one with `antinode.plan.read_plan`."""

    events: dict[str, PlannedEvent] = field(default_factory=dict)
    user_properties: PropertySchema | None = None
    """None: the plan says nothing about them, and takes any."""
    group_properties: dict[str, PropertySchema] | None = None
    """By group type; None as above."""
    name: str = ""
    description: str = ""

    def __repr__(self) -> str:
        return f"<TrackingPlan {self.name!r:.60}: {counted(len(self.events), 'event')}>"
