"""The middleware that holds events to a plan."""

from __future__ import annotations

import logging
import threading
from os import PathLike
from typing import Any, Final, Literal

from antinode import ConfigurationError, MiddlewareNext, MiddlewarePayload
from antinode._protocol.values import make_safe
from antinode.plan._checking import advise, violations
from antinode.plan._errors import PlanViolation
from antinode.plan._models import TrackingPlan
from antinode.plan._reading import read_plan
from antinode.plan._schemas import Code, Violation

_CHOICES: Final = ("observe", "warn", "drop", "raise")
_MOST_KINDS: Final = 1_000
_log = logging.getLogger("antinode")


class Conformance:
    """The middleware that `conform` makes."""

    def __init__(self, plan: TrackingPlan, on_violation: str) -> None:
        self._plan = plan
        self._choice = on_violation
        self._counts: dict[tuple[str, Code, str], int] = {}
        self._lock = threading.Lock()
        self.__qualname__ = "conform"

    @property
    def violations(self) -> dict[tuple[str, Code, str], int]:
        """How often what was violated: event type, code and path to a count. The first thousand kinds."""
        with self._lock:
            return dict(self._counts)

    def __call__(self, payload: MiddlewarePayload, next: MiddlewareNext) -> None:
        event = payload.event
        found = violations(self._plan, event)
        if found:
            # What becomes something else when it is sent, such as a datetime, is judged as that.
            event = make_safe(event, path="event", notes=[])
            found = violations(self._plan, event)
        if found:
            self._note(event, found)
            if self._choice == "raise":
                raise PlanViolation(self._told(event, found[0], has_values=True))
            if self._choice == "drop":
                return
        next(payload)

    def _note(self, event: dict[str, Any], found: list[Violation]) -> None:
        fresh = []
        with self._lock:
            for each in found:
                key = (str(event.get("event_type"))[:200], each.code, each.path[:200])
                if key not in self._counts:
                    if len(self._counts) >= _MOST_KINDS:
                        continue
                    fresh.append(each)
                self._counts[key] = self._counts.get(key, 0) + 1
        if self._choice in ("warn", "drop"):
            for each in fresh:
                _log.warning("%s (told once)", self._told(event, each, has_values=False))

    def _told(self, event: dict[str, Any], violation: Violation, *, has_values: bool) -> str:
        event_type = event.get("event_type")
        if not has_values and violation.code in ("wrong_type", "wrong_value"):
            advice = f"`{violation.path}` must be {violation.expected}"
        else:
            advice = advise(self._plan, event_type, violation)
        return f"{event_type!r:.80} does not conform to the tracking plan: {advice}"


def conform(
    plan: TrackingPlan | str | PathLike[str],
    on_violation: Literal["observe", "warn", "drop", "raise"] = "warn",
) -> Conformance:
    """A middleware that holds events to a plan: one that was read, or its file.

    "observe" only counts, in `violations` of what this returns; "warn" counts and writes a line to the log,
    once for each kind of violation, without the values; "drop" does so and stops the event, which ends as
    skipped; "raise" raises PlanViolation, so that the event is not sent, and with `strict=True` the call of
    `log_event` raises. Raises PlanError and OSError for the file, `ConfigurationError` for another choice.
    """
    if on_violation not in _CHOICES:
        raise ConfigurationError(
            f"on_violation must be one of {', '.join(map(repr, _CHOICES))}, not {on_violation!r:.60}"
        )
    return Conformance(plan if isinstance(plan, TrackingPlan) else read_plan(plan), on_violation)
