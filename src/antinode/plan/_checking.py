"""Events beside a plan: in which ways each does not conform, and what to write instead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from antinode._protocol.fields import GROUP_IDENTIFY, IDENTIFY, OPERATIONS, REVENUE
from antinode.plan._models import TrackingPlan
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
                _check_written(event.get("group_properties"), schema, f"group_properties.{kind}", found)
    return found


def _check_written(given: object, schema: PropertySchema, path: str, found: list[Violation]) -> None:
    """Properties of a user or group, plain or below operations such as `$set`."""
    for name, value, is_whole in written_properties(given):
        planned = schema.properties.get(name)
        if planned is None:
            found.append(Violation("unknown_property", f"{path}.{name}", value))
        elif is_whole:
            planned.check(value, f"{path}.{name}", found)


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
        return f"`{path}` is not in the plan{_meant(nearest(_last(path), _siblings(plan, event_type, path)))}"
    if code == "missing_property":
        return f"`{path}` is missing, which is required"
    text = f"`{path}` must be {expected}, not {shown(value)}"
    if code == "wrong_value" and expected.startswith("one of ") and isinstance(value, str):
        schema = _schema_at(plan, event_type, path)
        texts = [each for each in (schema.enum if schema and schema.enum else ()) if isinstance(each, str)]
        return text + _meant(nearest(value, texts))
    return text


def _meant(name: str | None) -> str:
    return "" if name is None else f"; did you mean `{name}`?"


def _last(path: str) -> str:
    return path.rpartition(".")[2]


def _siblings(plan: TrackingPlan, event_type: object, path: str) -> list[str]:
    holder = _schema_at(plan, event_type, path.rpartition(".")[0])
    return [] if holder is None else list(holder.properties)


def _schema_at(plan: TrackingPlan, event_type: object, path: str) -> PropertySchema | None:
    """The schema of what lies at a path; None where none does, or where names have dots themselves."""
    schema: PropertySchema | None
    steps = path.split(".") if path else []
    if steps[:1] == ["user_properties"] and plan.user_properties is not None:
        schema, steps = plan.user_properties, steps[1:]
    elif steps[:1] == ["group_properties"] and plan.group_properties is not None and len(steps) > 1:
        schema, steps = plan.group_properties.get(steps[1]), steps[2:]
    else:
        planned = plan.events.get(event_type) if isinstance(event_type, str) else None
        schema = None if planned is None else planned.schema
    for step in steps:
        name = step.rstrip("[]")
        schema = None if schema is None else schema.properties.get(name)
        for _ in range(step.count("[]")):
            schema = None if schema is None else schema.items
    return schema


LABELS: Final[dict[Code, str]] = {
    "unknown_event": "not in the plan",
    "retired_event": "retired",
    "unknown_property": "property not in the plan",
    "missing_property": "property missing",
    "wrong_type": "wrong type",
    "wrong_value": "wrong value",
}
