"""Events beside a plan: in which ways each does not conform, and what to write instead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from antinode._protocol.fields import GROUP_IDENTIFY, IDENTIFY, OPERATIONS, REVENUE
from antinode.plan._models import TrackingPlan
from antinode.plan._paths import joined, steps_of
from antinode.plan._schemas import Code, PropertySchema, Violation, shown
from antinode.plan._spelling import nearest

_OWN_PREFIX: Final = "[Amplitude] "
_VALUED: Final = ("$set", "$setOnce")
"""Operations whose values are the property's own; those of the others are parts of it, or none."""


def is_own(event_type: object) -> bool:
    """Whether an event type is Amplitude's or the SDK's own, so that no team plans it."""
    return isinstance(event_type, str) and (
        event_type in (IDENTIFY, GROUP_IDENTIFY, REVENUE) or event_type.startswith(_OWN_PREFIX)
    )


def violations(plan: TrackingPlan, event: Mapping[str, Any]) -> list[Violation]:
    """In which ways an event, in JSON's types, does not conform; none if it does."""
    found: list[Violation] = []
    event_type = event.get("event_type")
    planned = plan.events.get(event_type) if isinstance(event_type, str) else None
    if planned is None:
        if not is_own(event_type):
            found.append(Violation("unknown_event", "", event_type))
    elif planned.is_retired:
        found.append(Violation("retired_event", "", event_type))
    else:
        properties = event.get("event_properties")
        if properties is None:
            properties = {}
        if isinstance(properties, dict):
            planned.schema.check_object(properties, "", found)
        else:
            found.append(Violation("wrong_type", "event_properties", properties, "object"))
    if plan.user_properties is not None:
        _check_written(event.get("user_properties"), plan.user_properties, "user_properties", found)
    if plan.group_properties is not None and event_type == GROUP_IDENTIFY:
        groups = event.get("groups")
        for kind in groups if isinstance(groups, dict) else ():
            schema = plan.group_properties.get(kind)
            if schema is not None:
                _check_written(event.get("group_properties"), schema, joined("group_properties", kind), found)
    return found


def _check_written(given: object, schema: PropertySchema, path: str, found: list[Violation]) -> None:
    """Properties of a user or group, plain or below operations such as `$set`."""
    for name, value, is_whole in written_properties(given):
        planned = schema.properties.get(name)
        if planned is None:
            found.append(Violation("unknown_property", joined(path, name), value))
        elif is_whole:
            planned.check(value, (path, name), found)


def written_properties(given: object) -> Iterator[tuple[str, Any, bool]]:
    """The name and the value of each property that is written, and whether the value is the whole one."""
    if not isinstance(given, dict):
        return
    for key, value in given.items():
        if key not in OPERATIONS:
            yield key, value, True
        elif isinstance(value, dict):
            for name, each in value.items():
                yield name, each, key in _VALUED


def advise(plan: TrackingPlan, event_type: object, violation: Violation) -> str:
    """What is wrong, in words, and what was probably meant."""
    code, path, value, expected = violation
    if code == "unknown_event":
        active = [each.name for each in plan.events.values() if not each.is_retired]
        return f"is not in the plan{_meant(nearest(str(event_type), active))}"
    if code == "retired_event":
        return "is retired: log it no more"
    if code == "unknown_property":
        own, steps = steps_of(path)
        holder = _schema_at(plan, event_type, own, steps[:-1])
        names = () if holder is None else holder.properties
        return f"`{path}` is not in the plan{_meant(nearest(str(steps[-1]), names))}"
    if code == "missing_property":
        return f"`{path}` is missing, which is required"
    text = f"`{path}` must be {expected}, not {shown(value)}"
    if code == "wrong_value" and expected.startswith("one of ") and isinstance(value, str):
        schema = _schema_at(plan, event_type, *steps_of(path))
        texts = [each for each in (schema.enum if schema and schema.enum else ()) if isinstance(each, str)]
        return text + _meant(nearest(value, texts))
    return text


def _meant(name: str | None) -> str:
    return "" if name is None else f"; did you mean `{name}`?"


def _schema_at(
    plan: TrackingPlan, event_type: object, own: str, steps: list[str | int]
) -> PropertySchema | None:
    """The schema of what lies there; None where the plan says nothing of it."""
    schema: PropertySchema | None
    if own == "user_properties":
        schema = plan.user_properties
    elif own == "group_properties":
        schema, steps = (plan.group_properties or {}).get(str(steps[0])), steps[1:]
    else:
        planned = plan.events.get(event_type) if isinstance(event_type, str) else None
        schema = None if planned is None else planned.schema
    for step in steps:
        if schema is not None:
            schema = schema.items if step == 0 else schema.properties.get(str(step))
    return schema


LABELS: Final[dict[Code, str]] = {
    "unknown_event": "not in the plan",
    "retired_event": "retired",
    "unknown_property": "property not in the plan",
    "missing_property": "property missing",
    "wrong_type": "wrong type",
    "wrong_value": "wrong value",
}
