"""What is wrong with many events, added up: bounded, however many there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from antinode.plan._checking import advise, violations
from antinode.plan._models import TrackingPlan
from antinode.plan._schemas import Code, shown

_MOST_KINDS: Final = 5_000
_MOST_EXAMPLES: Final = 3


@dataclass
class PlanFinding:
    """One way in which some events do not conform."""

    event_type: str
    code: Code
    path: str
    advice: str
    """What is wrong with the first of them, and what to write instead."""
    count: int = 0
    expected: list[str] = field(default_factory=list)
    """What the plan says there, in words: each way in which it was not so."""
    examples: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)


class PlanFindings:
    """Takes events, one after the other, and keeps what is wrong with them by its kind."""

    def __init__(self, plan: TrackingPlan) -> None:
        self._plan = plan
        self._kinds: dict[tuple[str, Code, str], PlanFinding] = {}
        self._seen: set[str] = set()
        self.events = 0
        self.wrong = 0
        """Events that do not conform."""
        self.untold = 0
        """Violations of kinds for which there was no room."""

    def add(self, event: Mapping[str, Any], place: str) -> None:
        """One event, and where it was found."""
        self.events += 1
        event_type = event.get("event_type")
        if event_type in self._plan.events:
            self._seen.add(event_type)
        found = violations(self._plan, event)
        self.wrong += bool(found)
        for violation in found:
            key = (str(event_type), violation.code, violation.path)
            finding = self._kinds.get(key)
            if finding is None:
                if len(self._kinds) >= _MOST_KINDS:
                    self.untold += 1
                    continue
                advice = advise(self._plan, event_type, violation)
                finding = self._kinds[key] = PlanFinding(*key, advice)
            finding.count += 1
            if violation.expected and violation.expected not in finding.expected:
                finding.expected.append(violation.expected)
            if len(finding.places) < _MOST_EXAMPLES:
                finding.places.append(place)
            example = shown(violation.value)
            has_value = violation.code in ("unknown_property", "wrong_type", "wrong_value")
            if has_value and len(finding.examples) < _MOST_EXAMPLES and example not in finding.examples:
                finding.examples.append(example)

    @property
    def kinds(self) -> list[PlanFinding]:
        """What was found, the most frequent first."""
        return sorted(
            self._kinds.values(), key=lambda each: (-each.count, each.event_type, each.path, each.code)
        )

    @property
    def unseen(self) -> list[str]:
        """The active events of the plan that were not among those given."""
        return [
            each.name
            for each in self._plan.events.values()
            if not each.is_retired and each.name not in self._seen
        ]
