"""A plan from its file, with every problem told at its place."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from os import PathLike, fspath
from typing import Any, Final, Literal

from antinode._protocol.escaping import escaped
from antinode.plan._errors import PlanError
from antinode.plan._models import PlannedEvent, TrackingPlan
from antinode.plan._schemas import ANNOTATIONS, LIMITS, TYPES, PropertySchema, shown
from antinode.plan._spelling import nearest
from antinode.plan._yaml import MAX_BYTES, Lines, Path, load_json, load_yaml

VERSION: Final = 1
_TOP: Final = ("version", "name", "description", "events", "user_properties", "group_properties")
_OBJECT: Final = ("properties", "required", "additionalProperties")
_EVENT: Final = ("description", "category", "owners", "status", *_OBJECT)
_KEYWORDS: Final = ("type", "enum", "const", "pattern", "items", *LIMITS, *_OBJECT, *ANNOTATIONS)
_MOST_TOLD: Final = 20


def read_plan(path: str | PathLike[str]) -> TrackingPlan:
    """The plan in a file, YAML or, where its name ends in `.json`, JSON.

    Raises PlanError with every problem, each with its place and what to write instead; OSError.
    """
    name = fspath(path)
    with open(name, "rb") as file:
        raw = file.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise PlanError(f"{name}: a plan is at most {MAX_BYTES // 1024 // 1024} MB large")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise PlanError(f"{name}: it is not UTF-8") from None
    return parse_plan(text, is_json=name.lower().endswith(".json"), name=name)


def parse_plan(text: str, *, is_json: bool = False, name: str = "the plan") -> TrackingPlan:
    """The plan that a text says; `name` is what messages call it. Raises PlanError."""
    lines: Lines = {}
    try:
        if is_json:
            document = load_json(text)
        else:
            document, lines = load_yaml(text)
    except PlanError as error:
        raise PlanError(f"{name}: {error}") from None
    reader = _Reader(name, lines)
    plan = reader.plan(document)
    if reader.problems:
        more = len(reader.problems) - _MOST_TOLD
        told = reader.problems[:_MOST_TOLD] + ([f"… and {more} more"] if more > 0 else [])
        raise PlanError("\n".join(told))
    return plan


class _Reader:
    """What is wrong is noted, and the rest read on."""

    def __init__(self, name: str, lines: Lines) -> None:
        self._name = name
        self._lines = lines
        self.problems: list[str] = []

    def _note(self, path: Path, problem: str) -> None:
        line = next(
            (self._lines[path[:end]] for end in range(len(path), -1, -1) if path[:end] in self._lines), None
        )
        where = f"{self._name}:{line}" if line is not None else self._name
        self.problems.append(f"{where}: {written(path)}{': ' if path else ''}{escaped(problem)}")

    def plan(self, document: Any) -> TrackingPlan:
        if not isinstance(document, dict):
            self._note((), f"a plan is a mapping, not {shown(document)}: begin with `version: {VERSION}`")
            return TrackingPlan()
        self._keys(document, _TOP, (), "a plan")
        if document.get("version") is True or document.get("version") != VERSION:
            self._note(("version",), f"it must be {VERSION}, not {shown(document.get('version'))}")
        events = self._mapping(document, "events", ())
        groups = document.get("group_properties")
        users = document.get("user_properties")
        return TrackingPlan(
            events={name: self._event(name, each) for name, each in events.items()},
            user_properties=None if users is None else self._closed(document, "user_properties", ()),
            group_properties=None
            if groups is None
            else {
                kind: self._closed(groups, kind, ("group_properties",))
                for kind in self._mapping(document, "group_properties", ())
            },
            name=self._text(document, "name", ()),
            description=self._text(document, "description", ()),
        )

    def _closed(self, holder: dict[str, Any], key: str, path: Path) -> PropertySchema:
        named = self._mapping(holder, key, path)
        return PropertySchema(properties=self._schemas(named, (*path, key)), takes_others=False)

    def _event(self, name: str, given: Any) -> PlannedEvent:
        path: Path = ("events", name)
        if not name.strip():
            self._note(path, "an event type must not be blank")
        if given is None:
            return PlannedEvent(name)
        if not isinstance(given, dict):
            self._note(path, f"an event is a mapping, not {shown(given)}: write `properties:` below it")
            return PlannedEvent(name)
        self._keys(given, _EVENT, path, "an event")
        status: Literal["active", "retired"] = "active"
        stated = given.get("status", "active")
        if stated == "retired":
            status = "retired"
        elif stated != "active":
            self._note((*path, "status"), f"{shown(stated)} is no status: write `active` or `retired`")
        owners = given.get("owners", [])
        owners = [owners] if isinstance(owners, str) else owners
        if not isinstance(owners, list) or not all(isinstance(each, str) for each in owners):
            self._note((*path, "owners"), "owners are a list of texts: write `owners: [checkout]`")
            owners = []
        return PlannedEvent(
            name,
            schema=self._object(given, path, takes_others=False),
            description=self._text(given, "description", path),
            owners=tuple(owners),
            category=self._text(given, "category", path),
            status=status,
        )

    def _schemas(self, named: dict[str, Any], path: Path) -> dict[str, PropertySchema]:
        return {name: self._schema(each, (*path, name)) for name, each in named.items()}

    def _schema(self, given: Any, path: Path) -> PropertySchema:
        if given is None or given is True:
            return PropertySchema()
        if not isinstance(given, dict):
            self._note(path, f"a property is a JSON Schema, not {shown(given)}: write `{{type: string}}`")
            return PropertySchema()
        self._keys(given, _KEYWORDS, path, "the JSON Schema of a plan")
        held = self._object(given, path, takes_others=True)
        examples = given.get("examples", [])
        if not isinstance(examples, list):
            self._note((*path, "examples"), "examples are a list")
            examples = []
        return PropertySchema(
            types=self._types(given, path),
            enum=self._enum(given, path),
            limits=self._limits(given, path),
            pattern=self._pattern(given, path),
            items=self._schema(given["items"], (*path, "items")) if "items" in given else None,
            properties=held.properties,
            required=held.required,
            takes_others=held.takes_others,
            is_open=held.is_open,
            description=self._text(given, "description", path),
            examples=tuple(examples),
            is_deprecated=given.get("deprecated") is True,
        )

    def _object(self, given: dict[str, Any], path: Path, *, takes_others: bool) -> PropertySchema:
        properties = self._schemas(self._mapping(given, "properties", path), (*path, "properties"))
        required = given.get("required", [])
        if not isinstance(required, list) or not all(isinstance(each, str) for each in required):
            self._note((*path, "required"), "it is a list of names: write `required: [order_id]`")
            required = []
        others = given.get("additionalProperties", takes_others)
        if not isinstance(others, bool):
            self._note((*path, "additionalProperties"), "write true or false")
            others = takes_others
        for at, name in enumerate(required):
            if name not in properties and not others:
                meant = nearest(name, properties)
                self._note(
                    (*path, "required", at),
                    f"there is no property {shown(name)}: "
                    + (f"write `{meant}`" if meant else "add it to `properties`"),
                )
        return PropertySchema(
            properties=properties,
            required=tuple(dict.fromkeys(required)),
            takes_others=others,
            is_open=given.get("additionalProperties") is True,
        )

    def _types(self, given: dict[str, Any], path: Path) -> tuple[str, ...]:
        stated = given.get("type", [])
        types = [stated] if not isinstance(stated, list) else stated
        if "type" in given and not types:
            self._note((*path, "type"), "name a type, or leave `type` out")
        for each in types:
            if each not in TYPES:
                meant = _HABITS.get(str(each).lower()) or nearest(str(each), TYPES)
                advice = f"write `{meant}`" if meant else f"write one of {', '.join(TYPES)}"
                self._note((*path, "type"), f"{shown(each)} is no type of JSON: {advice}")
        return tuple(dict.fromkeys(each for each in types if each in TYPES))

    def _enum(self, given: dict[str, Any], path: Path) -> tuple[Any, ...] | None:
        if "const" in given:
            if "enum" in given:
                self._note((*path, "const"), "give `enum` or `const`, not both")
            return (given["const"],)
        if "enum" not in given:
            return None
        enum = given["enum"]
        if not isinstance(enum, list) or not enum:
            self._note((*path, "enum"), "it is a list of values: write `enum: [free, pro]`")
            return None
        return tuple(enum)

    def _limits(self, given: dict[str, Any], path: Path) -> dict[str, float]:
        limits: dict[str, float] = {}
        for name in LIMITS:
            if name in given:
                at = given[name]
                counts = name not in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
                if isinstance(at, bool) or not isinstance(at, (int, float)) or not math.isfinite(at):
                    self._note((*path, name), f"it is a number, not {shown(at)}")
                elif counts and (at < 0 or at != int(at)):
                    self._note((*path, name), f"it is a whole number from 0 on, not {shown(at)}")
                else:
                    limits[name] = at
        return limits

    def _pattern(self, given: dict[str, Any], path: Path) -> re.Pattern[str] | None:
        pattern = given.get("pattern")
        if pattern is None:
            return None
        try:
            return re.compile(pattern)
        except (re.error, TypeError, RecursionError, OverflowError) as error:
            self._note((*path, "pattern"), f"{shown(pattern)} is no regular expression: {error}")
            return None

    def _mapping(self, holder: dict[str, Any], key: str, path: Path) -> dict[str, Any]:
        value = holder.get(key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self._note((*path, key), f"it is a mapping of names, not {shown(value)}")
            return {}
        return value

    def _text(self, holder: dict[str, Any], key: str, path: Path) -> str:
        value = holder.get(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            self._note((*path, key), f"it is text, not {shown(value)}")
            return ""
        return value

    def _keys(self, given: dict[str, Any], known: Iterable[str], path: Path, of: str) -> None:
        for key in given:
            if key not in known and not key.startswith("x-"):
                meant = nearest(key, known)
                advice = (
                    f"write `{meant}`"
                    if meant
                    else f"it takes {', '.join(known)}, and names that begin with x-"
                )
                self._note((*path, key), f"is no key of {of}: {advice}")


_HABITS: Final = {
    "str": "string",
    "text": "string",
    "date": "string",
    "datetime": "string",
    "int": "integer",
    "float": "number",
    "double": "number",
    "decimal": "number",
    "bool": "boolean",
    "list": "array",
    "dict": "object",
    "none": "null",
}
"""What types are called elsewhere."""


def written(path: Path) -> str:
    """A path as it is told: `events."Order Placed".properties.total`."""
    steps = []
    for step in path:
        if isinstance(step, int):
            steps.append(f"[{step}]")
        else:
            name = step if re.fullmatch(r"[\w$-]+", step, re.ASCII) else f'"{escaped(step[:80])}"'
            steps.append(f".{name}" if steps else name)
    return "".join(steps)
