"""A plan as a file: YAML that a person goes on writing, or JSON; the same plan gives the same bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Final

from antinode.plan._models import PlannedEvent, TrackingPlan
from antinode.plan._reading import VERSION
from antinode.plan._schemas import PropertySchema
from antinode.plan._yaml import Path

SCHEMA_NAME: Final = "tracking-plan.schema.json"
_PLAIN: Final = re.compile(r"[A-Za-z_$][\w$]*(?:[ -][\w$]+)*", re.ASCII)
_NOT_PLAIN: Final = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
"""What some reader of YAML takes for something else than text."""
_WIDTH: Final = 100


def file_schema() -> str:
    """The JSON Schema of plan files, for editors."""
    return files("antinode.plan").joinpath(SCHEMA_NAME).read_text(encoding="utf-8")


def to_document(plan: TrackingPlan) -> dict[str, Any]:
    """The plan as the values that its file holds."""
    document: dict[str, Any] = {"version": VERSION}
    _put(document, name=plan.name, description=plan.description)
    document["events"] = {event.name: _event(event) for event in plan.events.values()}
    if plan.user_properties is not None:
        document["user_properties"] = _named(plan.user_properties)
    if plan.group_properties is not None:
        document["group_properties"] = {kind: _named(each) for kind, each in plan.group_properties.items()}
    return document


def to_json(plan: TrackingPlan) -> str:
    """The plan as a JSON file."""
    return json.dumps(to_document(plan), ensure_ascii=False, indent=2) + "\n"


def to_yaml(plan: TrackingPlan, remarks: Mapping[Path, str] | None = None) -> str:
    """The plan as a YAML file; `remarks` are comments, by the path of what they are about."""
    lines = [f"# yaml-language-server: $schema={SCHEMA_NAME}"]
    _emit(to_document(plan), (), lines, remarks or {})
    return "\n".join(lines) + "\n"


def _put(document: dict[str, Any], **values: Any) -> None:
    document.update((key, value) for key, value in values.items() if value)


def _event(event: PlannedEvent) -> dict[str, Any]:
    made: dict[str, Any] = {}
    _put(made, description=event.description, category=event.category, owners=list(event.owners))
    if event.is_retired:
        made["status"] = event.status
    _put(made, properties=_named(event.schema), required=list(event.schema.required))
    if event.schema.takes_others:
        made["additionalProperties"] = True
    return made


def _named(schema: PropertySchema) -> dict[str, Any]:
    return {name: to_keywords(each) for name, each in schema.properties.items()}


def to_keywords(schema: PropertySchema) -> dict[str, Any]:
    """A schema as the keywords of JSON Schema."""
    made: dict[str, Any] = {}
    if schema.types:
        made["type"] = schema.types[0] if len(schema.types) == 1 else list(schema.types)
    _put(made, description=schema.description)
    if schema.enum is not None:
        made["enum"] = list(schema.enum)
    made.update(schema.limits)
    if schema.pattern is not None:
        made["pattern"] = schema.pattern.pattern
    if schema.items is not None:
        made["items"] = to_keywords(schema.items)
    _put(made, properties=_named(schema), required=list(schema.required))
    if not schema.takes_others or schema.is_open:
        made["additionalProperties"] = schema.takes_others
    _put(made, examples=list(schema.examples), deprecated=schema.is_deprecated)
    return made


def _emit(value: dict[str, Any], path: Path, lines: list[str], remarks: Mapping[Path, str]) -> None:
    margin = "  " * len(path)
    for key, held in value.items():
        at = (*path, key)
        remark = f"  # {remarks[at]}" if at in remarks else ""
        head = f"{margin}{_key(key)}:"
        flow = _flow(held)
        is_small = not isinstance(held, dict) or (
            len(at) > 2
            and len(margin) + len(head) + len(flow) <= _WIDTH
            and not any(isinstance(each, dict) for each in held.values())
        )
        if isinstance(held, dict) and held and not is_small:
            lines.append(head + remark)
            _emit(held, at, lines, remarks)
        else:
            lines.append(f"{head} {flow}{remark}")


def _flow(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)}: {_flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _key(value) if isinstance(value, str) else json.dumps(value)


def _key(text: str) -> str:
    is_plain = _PLAIN.fullmatch(text) is not None and text.lower() not in _NOT_PLAIN
    return text if is_plain else json.dumps(text, ensure_ascii=not text.isprintable())
