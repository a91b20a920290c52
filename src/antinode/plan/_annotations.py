"""Schemas as Python's types: annotations, and a `TypedDict` for each object whose properties are planned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from antinode.plan._models import PlannedEvent
from antinode.plan._paths import Trail, written
from antinode.plan._python_names import class_name, docstring, identifiers, is_attribute, quoted
from antinode.plan._schemas import PropertySchema

_TYPES: Final = {
    "string": "str",
    "number": "float",
    "integer": "int",
    "boolean": "bool",
    "object": "dict[str, Any]",
    "null": "None",
}
NAMED: Final = frozenset(
    {"Any", "Literal", "TypedDict", "antinode", "str", "float", "int", "bool", "dict", "list"}
)
"""What annotations name: an attribute or a class of such a name would stand in its place."""

_Path = tuple[str | int, ...]
"""An event type, then properties; 0 is the items of an array."""


class Annotations:
    """The annotations of the properties of events, and the classes that these name."""

    def __init__(self, classes: Mapping[str, str], events: list[PlannedEvent]) -> None:
        """`classes` has the name of each event's class by that of the event."""
        spoken: dict[str, str] = {}
        paths: dict[str, _Path] = {}
        for event in events:
            for path, _ in _objects(event.schema, (event.name,)):
                words = [classes[event.name], *(each for each in path[1:] if isinstance(each, str))]
                spoken[repr(path)] = " ".join(words)
                paths[repr(path)] = path
        made = identifiers(paths, lambda path: class_name(spoken[path]), NAMED | frozenset(classes.values()))
        self._names = {paths[key]: name for key, name in made.items()}
        self.taken = NAMED | frozenset(self._names.values())
        """Names that no attribute may have."""
        self.imported: set[str] = {"TypedDict"} if made else set()
        """What the annotations that were given so far need of `typing`."""

    @property
    def names(self) -> list[str]:
        """Those of the classes for objects."""
        return list(self._names.values())

    def of(self, schema: PropertySchema, *path: str | int) -> str:
        """The annotation of what lies at a path, as near as Python's types come."""
        if schema.enum is not None and all(
            each is None or type(each) in (str, int, bool) for each in schema.enum
        ):
            self.imported.add("Literal")
            values = ", ".join(quoted(each) if isinstance(each, str) else repr(each) for each in schema.enum)
            return f"Literal[{values}]"
        kinds = [each for each in schema.types if not (each == "integer" and "number" in schema.types)]
        named = [self._kind(each, schema, path) for each in kinds] or ["Any"]
        if any("Any" in each for each in named):
            self.imported.add("Any")
        # None comes last, as it is usually written.
        return " | ".join(sorted(named, key=lambda name: name == "None"))

    def _kind(self, kind: str, schema: PropertySchema, path: _Path) -> str:
        if kind == "array":
            return f"list[{'Any' if schema.items is None else self.of(schema.items, *path, 0)}]"
        if kind == "object" and path in self._names:
            return self._names[path]
        return _TYPES[kind]

    def classes_of(self, event: PlannedEvent) -> Iterator[str]:
        """The source of the class of each object in an event; what is within another comes first."""
        for path, schema in _objects(event.schema, (event.name,)):
            yield "\n".join(self._class(path, schema))

    def _class(self, path: _Path, schema: PropertySchema) -> Iterator[str]:
        """What is required and what is not in a class each: Python 3.10 has no `NotRequired`."""
        name = self._names[path]
        within: Trail = ""
        for step in path[1:]:
            within = (within, step)
        about = schema.description or f"`{written(within)}` of the event {path[0]}."
        required = [each for each in sorted(schema.properties) if each in schema.required]
        optional = [each for each in sorted(schema.properties) if each not in schema.required]
        bases: list[str] = []
        if required and optional:
            yield from self._part(f"_{name}Required", required, schema, path, [], "")
            yield from ("", "")
            bases.append(f"_{name}Required")
        total = ["total=False"] if optional else []
        yield from self._part(name, optional or required, schema, path, bases, about, total)

    def _part(
        self,
        name: str,
        keys: list[str],
        schema: PropertySchema,
        path: _Path,
        bases: list[str],
        about: str,
        total: list[str] | None = None,
    ) -> Iterator[str]:
        annotations = {key: self.of(schema.properties[key], *path, key) for key in keys}
        odd = {key: each for key, each in annotations.items() if key in self.taken or not is_attribute(key)}
        if odd:
            # Names that no attribute has.
            below = f"_{name.lstrip('_')}Named"
            yield f"{below} = TypedDict("
            yield f"    {quoted(below)},"
            yield "    {"
            yield from (f"        {quoted(key)}: {each}," for key, each in odd.items())
            yield "    },"
            yield from (f"    {each}," for each in total or ())
            yield from (")", "", "")
            bases = [*bases, below]
        yield f"class {name}({', '.join([*(bases or ['TypedDict']), *(total or ())])}):"
        plain = {key: each for key, each in annotations.items() if key not in odd}
        if about:
            yield from docstring(about, "    ", ())
            yield from [""] if plain else []
        elif not plain:
            yield "    pass"
        for key, each in plain.items():
            yield f"    {key}: {each}"
            if schema.properties[key].description:
                yield from docstring(schema.properties[key].description, "    ", ())


def _objects(schema: PropertySchema, path: _Path) -> Iterator[tuple[_Path, PropertySchema]]:
    """Each object below an event, or another object, that has a class, with its path; inner ones first."""
    for name, each in sorted(schema.properties.items()):
        yield from _within(each, (*path, name))


def _within(schema: PropertySchema, path: _Path) -> Iterator[tuple[_Path, PropertySchema]]:
    if schema.items is not None and "array" in schema.types:
        yield from _within(schema.items, (*path, 0))
    if schema.properties and "object" in schema.types and schema.enum is None and not schema.is_open:
        yield from _objects(schema, path)
        yield path, schema
