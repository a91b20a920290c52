"""A plan as a page for people."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from antinode.plan._models import PlannedEvent, TrackingPlan
from antinode.plan._paths import joined
from antinode.plan._schemas import PropertySchema, enum_words, limit_words, shown

_MARKS: Final = re.compile(r"([\\`*_{}\[\]<>#|~&!])")


def to_markdown(plan: TrackingPlan) -> str:
    """A Markdown page: each event with its properties, the retired ones at the end."""
    return "\n".join(_lines(plan)).rstrip("\n") + "\n"


def _lines(plan: TrackingPlan) -> Iterator[str]:
    yield f"# {_text(plan.name) or 'Tracking plan'}"
    yield ""
    if plan.description:
        yield from (_text(plan.description), "")
    for event in plan.events.values():
        if not event.is_retired:
            yield from _event(event)
    if plan.user_properties is not None:
        yield from ("## User properties", "")
        yield from _table(plan.user_properties, has_required=False)
    for kind, schema in (plan.group_properties or {}).items():
        yield from (f"## Properties of the group type {_text(kind)}", "")
        yield from _table(schema, has_required=False)
    retired = [event for event in plan.events.values() if event.is_retired]
    if retired:
        yield from ("## Retired", "")
        for event in retired:
            yield f"- {_text(event.name)}" + (f": {_text(event.description)}" if event.description else "")
        yield ""


def _event(event: PlannedEvent) -> Iterator[str]:
    yield from (f"## {_text(event.name)}", "")
    if event.description:
        yield from (_text(event.description), "")
    if event.category:
        yield from (f"Category: {_text(event.category)}", "")
    if event.owners:
        yield from (f"Owners: {', '.join(map(_text, event.owners))}", "")
    if event.schema.properties:
        yield from _table(event.schema, has_required=True)
    else:
        yield from ("No properties.", "")
    if event.schema.takes_others:
        yield from ("Other properties are taken, too.", "")


def _table(schema: PropertySchema, *, has_required: bool) -> Iterator[str]:
    yield "| property | type |" + (" required |" if has_required else "") + " what it is |"
    yield "| --- | --- |" + (" --- |" if has_required else "") + " --- |"
    for path, each, is_required in _rows(schema, ""):
        required = f" {'yes' if is_required else ''} |" if has_required else ""
        yield f"| {_text(path)} | {_text(_type(each))} |{required} {_text(_about(each))} |"
    yield ""


def _rows(schema: PropertySchema, path: str) -> Iterator[tuple[str, PropertySchema, bool]]:
    for name, each in schema.properties.items():
        inner, at = each, joined(path, name)
        yield at, each, name in schema.required
        while inner.items is not None:
            inner, at = inner.items, f"{at}[]"
        yield from _rows(inner, at)


def _type(schema: PropertySchema) -> str:
    text = " or ".join(schema.types) or "any"
    return f"{text} of {_type(schema.items)}" if schema.items is not None else text


def _about(schema: PropertySchema) -> str:
    parts = [schema.description.rstrip(".")] if schema.description else []
    if schema.is_deprecated:
        parts.append("deprecated")
    if schema.enum is not None:
        parts.append(enum_words(schema.enum))
    parts += [limit_words(name, at) for name, at in schema.limits.items()]
    if schema.pattern is not None:
        parts.append(f"fits {schema.pattern.pattern}")
    if schema.examples and schema.enum is None:
        parts.append(f"such as {', '.join(map(shown, schema.examples))}")
    return "; ".join(parts)


def _text(text: str) -> str:
    """Text that stands for itself in Markdown, on one line."""
    return _MARKS.sub(r"\\\1", " ".join(text.split()))
