"""A plan as a Python module: a class for each event; the same plan gives the same bytes."""

from __future__ import annotations

from collections.abc import Iterator

from antinode import TypedEvent
from antinode.plan._annotations import NAMED, Annotations
from antinode.plan._models import PlannedEvent, TrackingPlan
from antinode.plan._python_names import attribute, class_name, docstring, identifiers, quoted


def to_module(plan: TrackingPlan) -> str:
    """The source of a module with a `TypedEvent` for each active event of the plan, in the order of names.

    Before each come the `TypedDict`s of the objects in it.

    A name that is no identifier becomes one; of two that become the same, the later in order gets a number.
    """
    events = sorted(
        (each for each in plan.events.values() if not each.is_retired), key=lambda each: each.name
    )
    names = identifiers((event.name for event in events), class_name, NAMED)
    annotations = Annotations(names, events)
    classes = []
    for event in events:
        classes += [*annotations.classes_of(event), "\n".join(_class(names[event.name], event, annotations))]
    body = "\n\n\n".join(classes)
    title = f"Events of the tracking plan {plan.name}" if plan.name else "Events of the tracking plan"
    head = [*docstring(f"{title}, written by `antinode codegen`: change the plan, not this file.", "", ())]
    if annotations.imported:
        head += ["", f"from typing import {', '.join(sorted(annotations.imported))}"]
    if events:
        head += ["", "import antinode"]
    listed = [f"    {quoted(name)}," for name in sorted([*names.values(), *annotations.names])]
    head += ["", "__all__ = [", *listed, "]"] if listed else ["", "__all__: list[str] = []"]
    return "\n".join(head) + "\n" + (f"\n\n{body}\n" if body else "")


def _class(name: str, event: PlannedEvent, annotations: Annotations) -> Iterator[str]:
    properties = sorted(event.schema.properties)
    attributes = identifiers(properties, attribute, annotations.taken | frozenset(dir(TypedEvent)))
    renamed = {attributes[each]: each for each in properties if attributes[each] != each}
    head = f"class {name}(antinode.TypedEvent, event_type={quoted(event.name)}"
    if renamed:
        yield f"{head}, names={{"
        yield from (f"    {quoted(key)}: {quoted(value)}," for key, value in renamed.items())
        yield "}):"
    else:
        yield f"{head}):"
    owners = (f"Owners: {', '.join(event.owners)}.",) if event.owners else ()
    yield from docstring(event.description or f"The event {event.name}.", "    ", owners)
    required = [each for each in properties if each in event.schema.required]
    optional = [each for each in properties if each not in event.schema.required]
    if properties:
        yield ""
    for each in (*required, *optional):
        schema = event.schema.properties[each]
        kind = annotations.of(schema, event.name, each)
        if each in optional:
            kind = kind if kind in ("Any", "None") or kind.endswith(" | None") else f"{kind} | None"
        yield f"    {attributes[each]}: {kind}" + (" = None" if each in optional else "")
        if schema.description:
            yield from docstring(schema.description, "    ", ())
