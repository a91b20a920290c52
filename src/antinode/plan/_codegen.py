"""A plan as a Python module: a class for each event; the same plan gives the same bytes."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from antinode import TypedEvent
from antinode.plan._models import PlannedEvent, TrackingPlan
from antinode.plan._schemas import PropertySchema

_TYPES: Final = {
    "string": "str",
    "number": "float",
    "integer": "int",
    "boolean": "bool",
    "object": "dict[str, Any]",
    "null": "None",
}
_TAKEN: Final = frozenset({"Any", "Literal", "antinode", "str", "float", "int", "bool", "dict", "list"})
"""What annotations name: an attribute with a default would stand in its place."""
_WIDTH: Final = 100


def to_module(plan: TrackingPlan) -> str:
    """The source of a module with a `TypedEvent` for each active event of the plan, in the order of names.

    A name that is no identifier becomes one; of two that become the same, the later in order gets a number.
    """
    events = sorted(
        (each for each in plan.events.values() if not each.is_retired), key=lambda each: each.name
    )
    names = _identifiers((event.name for event in events), _class_name, _TAKEN)
    classes = ["\n".join(_class(names[event.name], event)) for event in events]
    body = "\n\n\n".join(classes)
    used = [name for name in ("Any", "Literal") if re.search(rf"\b{name}\b", _code_of(events))]
    title = f"Events of the tracking plan {plan.name}" if plan.name else "Events of the tracking plan"
    head = [*_docstring(f"{title}, written by `antinode codegen`: change the plan, not this file.", "", ())]
    if used:
        head += ["", f"from typing import {', '.join(used)}"]
    if events:
        head += ["", "import antinode"]
    listed = [f"    {_quoted(name)}," for name in sorted(names.values())]
    head += ["", "__all__ = [", *listed, "]"] if listed else ["", "__all__: list[str] = []"]
    return "\n".join(head) + "\n" + (f"\n\n{body}\n" if body else "")


def _code_of(events: Iterable[PlannedEvent]) -> str:
    return "\n".join(_type(each) for event in events for each in event.schema.properties.values())


def _class(name: str, event: PlannedEvent) -> Iterator[str]:
    properties = sorted(event.schema.properties)
    attributes = _identifiers(properties, _attribute, _TAKEN | frozenset(dir(TypedEvent)))
    renamed = {attributes[each]: each for each in properties if attributes[each] != each}
    head = f"class {name}(antinode.TypedEvent, event_type={_quoted(event.name)}"
    if renamed:
        yield f"{head}, names={{"
        yield from (f"    {_quoted(key)}: {_quoted(value)}," for key, value in renamed.items())
        yield "}):"
    else:
        yield f"{head}):"
    owners = (f"Owners: {', '.join(event.owners)}.",) if event.owners else ()
    yield from _docstring(event.description or f"The event {event.name}.", "    ", owners)
    required = [each for each in properties if each in event.schema.required]
    optional = [each for each in properties if each not in event.schema.required]
    if properties:
        yield ""
    for each in (*required, *optional):
        schema = event.schema.properties[each]
        kind = _type(schema)
        if each in optional:
            kind = kind if kind == "Any" or kind.endswith("None") else f"{kind} | None"
        yield f"    {attributes[each]}: {kind}" + (" = None" if each in optional else "")
        if schema.description:
            yield from _docstring(schema.description, "    ", ())


def _type(schema: PropertySchema) -> str:
    """The annotation of a property, as near as Python's types come."""
    if schema.enum is not None and all(
        each is None or type(each) in (str, int, bool) for each in schema.enum
    ):
        values = ", ".join(_quoted(each) if isinstance(each, str) else repr(each) for each in schema.enum)
        return f"Literal[{values}]"
    kinds = [each for each in schema.types if not (each == "integer" and "number" in schema.types)]
    if not kinds:
        return "Any"
    named = []
    for each in kinds:
        if each == "array":
            named.append(f"list[{_type(schema.items) if schema.items is not None else 'Any'}]")
        else:
            named.append(_TYPES[each])
    # None comes last, as it is usually written.
    return " | ".join(sorted(named, key=lambda name: name == "None"))


def _identifiers(names: Iterable[str], make: Callable[[str], str], taken: frozenset[str]) -> dict[str, str]:
    """An identifier for each name, none twice, and none that is taken."""
    made: dict[str, str] = {}
    used: set[str] = set()
    # Those that are identifiers already keep their names.
    for name in sorted(names, key=lambda each: (make(each) != each, each)):
        wanted = identifier = f"{make(name)}_" if make(name) in taken else make(name)
        number = 2
        while identifier in used:
            identifier = f"{wanted.rstrip('_')}_{number}"
            number += 1
        used.add(identifier)
        made[name] = identifier
    return made


def _words(name: str) -> list[str]:
    return re.findall(r"\w+", unicodedata.normalize("NFKC", name).replace("_", " "))


def _class_name(name: str) -> str:
    made = "".join(word[:1].upper() + word[1:] for word in _words(name))
    return _safe(made, "Event")


def _attribute(name: str) -> str:
    if name.isidentifier() and unicodedata.normalize("NFKC", name) == name and not name.startswith("_"):
        return f"{name}_" if keyword.iskeyword(name) else name
    return _safe("_".join(_words(name)), "property").lstrip("_")


def _safe(made: str, prefix: str) -> str:
    """The name, if Python takes it; with a prefix or an underscore otherwise."""
    if keyword.iskeyword(made):
        return f"{made}_"
    if made.isidentifier():
        return made
    longer = f"{prefix}_{made}".rstrip("_")
    return longer if longer.isidentifier() else prefix


def _docstring(text: str, margin: str, more: Iterable[str]) -> Iterator[str]:
    """A docstring that says this text, whatever it holds."""
    paragraphs = [_plain(text), *map(_plain, more)]
    if len(paragraphs) == 1 and len(paragraphs[0]) + len(margin) + 6 <= _WIDTH:
        yield f'{margin}"""{paragraphs[0]}"""'
        return
    yield f'{margin}"""{paragraphs[0]}'
    for paragraph in paragraphs[1:]:
        yield ""
        yield f"{margin}{paragraph}"
    yield f'{margin}"""'


def _plain(text: str) -> str:
    """Text for a docstring: on one line, what would end or change it escaped."""
    text = " ".join(text.split()).replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    text = _escaped(text)
    return text[:-1] + '\\"' if text.endswith('"') else text


def _quoted(text: str) -> str:
    """A string literal, in double quotes."""
    return '"' + _escaped(text.replace("\\", "\\\\")).replace('"', '\\"') + '"'


def _escaped(text: str) -> str:
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
