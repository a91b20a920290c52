"""A plan as Amplitude's Taxonomy API has it: what of it the API can carry, and what to change there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from antinode.plan._checking import is_own
from antinode.plan._models import PlannedEvent, TrackingPlan
from antinode.plan._schemas import PropertySchema

Action: TypeAlias = Literal["create", "update", "delete"]
What: TypeAlias = Literal["category", "event", "event property", "user property", "group property"]

_SIMPLE: Final = {"string": "string", "number": "number", "integer": "number", "boolean": "boolean"}
USER_PREFIX: Final = "gp:"
GROUP_PREFIX: Final = "grp:"
"""Before the names of a project's own properties in the API, so that no name may begin with it."""

_CUSTOM_PREFIX: Final = "ce:"
"""Before the names of events that are made of others in Amplitude, and logged by nobody."""


class PropertyEntry(NamedTuple):
    """A property as the API has it."""

    type: str = "any"
    """`string`, `number`, `boolean`, `enum` or `any`; of an array, that of its items."""
    is_array_type: bool = False
    enum_values: tuple[str, ...] = ()
    regex: str = ""
    description: str = ""
    is_required: bool = False
    """Of event properties alone."""

    @property
    def facts(self) -> dict[str, str]:
        """As the API's parameters."""
        return {
            "type": self.type,
            "is_array_type": _flag(self.is_array_type),
            "enum_values": ", ".join(self.enum_values),
            "regex": self.regex,
            "description": self.description,
            "is_required": _flag(self.is_required),
        }


@dataclass(frozen=True)
class EventEntry:
    """An event type as the API has it."""

    category: str = ""
    description: str = ""
    owner: str | None = ""
    """An e-mail address; None: the API does not say."""
    is_active: bool | None = True
    """The same."""
    properties: dict[str, PropertyEntry] = field(default_factory=dict)

    @property
    def facts(self) -> dict[str, str]:
        """As the API's parameters; what it does not say is left out."""
        told = {"category": self.category, "description": self.description}
        if self.owner is not None:
            told["owner"] = self.owner
        if self.is_active is not None:
            told["is_active"] = _flag(self.is_active)
        return told


@dataclass(frozen=True)
class TaxonomyEntries:
    """What a project has planned, as the API has it."""

    events: dict[str, EventEntry] = field(default_factory=dict)
    users: dict[str, PropertyEntry] = field(default_factory=dict)
    groups: dict[str, dict[str, PropertyEntry]] = field(default_factory=dict)
    categories: frozenset[str] = frozenset()


class TaxonomyChange(NamedTuple):
    """One request that makes the project more like the plan."""

    action: Action
    what: What
    holder: str
    """The event type or group type of a property."""
    name: str
    facts: dict[str, str]
    """The API's parameters."""
    before: dict[str, str]
    """Of an update, what they were."""


def _flag(value: bool) -> str:
    return "true" if value else "false"


def to_entries(plan: TrackingPlan) -> TaxonomyEntries:
    """What the API can carry of a plan."""
    events = {
        event.name: EventEntry(
            category=event.category.strip(),
            description=event.description,
            owner=_owner(event),
            is_active=not event.is_retired,
            properties=_entries(event.schema),
        )
        for event in plan.events.values()
        if is_carried(event.name)
    }
    return TaxonomyEntries(
        events=events,
        users={} if plan.user_properties is None else _entries(plan.user_properties, USER_PREFIX),
        groups={
            kind: _entries(each, GROUP_PREFIX) for kind, each in (plan.group_properties or {}).items() if kind
        },
        categories=frozenset(each.category for each in events.values() if each.category),
    )


def is_carried(event_type: str) -> bool:
    """Whether an event type is one that is planned: neither Amplitude's own, nor made of others there."""
    return not is_own(event_type) and not event_type.startswith(_CUSTOM_PREFIX)


def _owner(event: PlannedEvent) -> str:
    is_address = len(event.owners) == 1 and re.fullmatch(r"[^@\s]+@[^@\s]+", event.owners[0]) is not None
    return event.owners[0] if is_address else ""


def _is_name(name: str, prefix: str) -> bool:
    """Whether the API can carry this name of a property."""
    return bool(name.strip()) and not (prefix and name.startswith(prefix))


def _entries(schema: PropertySchema, prefix: str = "") -> dict[str, PropertyEntry]:
    return {
        name: to_entry(each, is_required=name in schema.required)
        for name, each in schema.properties.items()
        if _is_name(name, prefix)
    }


def to_entry(schema: PropertySchema, *, is_required: bool = False) -> PropertyEntry:
    """The API's form of a property: its type as near as the API comes."""
    is_array = schema.types == ("array",)
    inner = (schema.items or PropertySchema()) if is_array else schema
    kind = _SIMPLE.get(inner.types[0], "any") if len(inner.types) == 1 else "any"
    values: tuple[str, ...] = ()
    if inner.enum is not None and kind in ("string", "any") and _is_listable(inner):
        kind, values = "enum", tuple(str(each) for each in inner.enum)
    is_pattern = kind == "string" and inner.pattern is not None
    return PropertyEntry(
        type=kind,
        is_array_type=is_array,
        enum_values=values,
        regex=inner.pattern.pattern if is_pattern and inner.pattern is not None else "",
        description=schema.description,
        is_required=is_required,
    )


def _is_listable(schema: PropertySchema) -> bool:
    """Whether its values are texts that come through a list with commas as they are."""
    return set(schema.types) <= {"string"} and all(
        isinstance(each, str) and each and each == each.strip() and "," not in each
        for each in schema.enum or ()
    )


def to_schema(entry: PropertyEntry) -> PropertySchema:
    """The plan's form of a property."""
    inner = PropertySchema()
    if entry.type == "enum":
        inner = replace(inner, types=("string",), enum=entry.enum_values or None)
    elif entry.type in _SIMPLE:
        inner = replace(inner, types=(entry.type,), pattern=_pattern(entry))
    if entry.is_array_type:
        items = None if inner == PropertySchema() else inner
        return PropertySchema(types=("array",), items=items, description=entry.description)
    return replace(inner, description=entry.description)


def _pattern(entry: PropertyEntry) -> re.Pattern[str] | None:
    try:
        return re.compile(entry.regex) if entry.regex and entry.type == "string" else None
    except (re.error, RecursionError, OverflowError):
        # Written for another engine.
        return None


def to_plan(entries: TaxonomyEntries, base: TrackingPlan | None = None) -> TrackingPlan:
    """The plan that the API tells of. What it cannot carry is that of `base`, where the rest is the same."""
    base = base or TrackingPlan()
    events = {}
    for name in dict.fromkeys((*base.events, *sorted(entries.events))):
        if name in entries.events:
            events[name] = _event(name, entries.events[name], base.events.get(name))
        elif not is_carried(name):
            events[name] = base.events[name]
    users = _held(entries.users, base.user_properties, USER_PREFIX)
    groups = {
        kind: _held(each, (base.group_properties or {}).get(kind), GROUP_PREFIX)
        for kind, each in entries.groups.items()
    }
    return replace(
        base,
        events=events,
        user_properties=users if users.properties else None,
        group_properties={kind: each for kind, each in groups.items() if each.properties} or None,
    )


def _event(name: str, entry: EventEntry, known: PlannedEvent | None) -> PlannedEvent:
    known = known or PlannedEvent(name)
    is_known_owner = entry.owner is None or entry.owner == _owner(known)
    owners = known.owners if is_known_owner else (entry.owner,) if entry.owner else ()
    return replace(
        known,
        schema=_held(entry.properties, known.schema),
        category=known.category if entry.category == known.category.strip() else entry.category,
        description=entry.description,
        owners=owners,
        status=known.status if entry.is_active is None else "active" if entry.is_active else "retired",
    )


def _held(
    entries: Mapping[str, PropertyEntry], known: PropertySchema | None, prefix: str = ""
) -> PropertySchema:
    known = known or PropertySchema(takes_others=False)
    properties = {}
    for name in dict.fromkeys((*known.properties, *sorted(entries))):
        entry, own = entries.get(name), known.properties.get(name)
        if entry is None:
            if own is not None and not _is_name(name, prefix):
                properties[name] = own
        else:
            is_same = own is not None and to_entry(own, is_required=entry.is_required) == entry
            properties[name] = own if is_same and own is not None else to_schema(entry)
    is_required = {name: entry.is_required for name, entry in entries.items()}
    required = [name for name in known.required if is_required.get(name, not _is_name(name, prefix))]
    required += sorted(name for name in entries if is_required[name] and name not in required)
    return replace(known, properties=properties, required=tuple(required))


def changes(
    plan: TrackingPlan, there: TaxonomyEntries, *, prunes: bool
) -> tuple[list[TaxonomyChange], list[TaxonomyChange]]:
    """What makes the project be as the plan, in order; and what is only there, to be deleted if `prunes`."""
    wanted = to_entries(plan)
    made = [
        TaxonomyChange("create", "category", "", name, {}, {})
        for name in sorted(wanted.categories - there.categories)
    ]
    extra: list[TaxonomyChange] = []
    for name, entry in wanted.events.items():
        known = there.events.get(name)
        held = {} if known is None else known.properties
        if known is None:
            made.append(TaxonomyChange("create", "event", "", name, _filled(entry.facts), {}))
        else:
            made += _update("event", "", name, entry.facts, known.facts)
        properties, gone = _of_properties("event property", name, entry.properties, held)
        made += properties
        extra += gone
    extra += [
        TaxonomyChange("delete", "event", "", name, {}, {})
        for name in there.events
        if name not in wanted.events
    ]
    if plan.user_properties is not None:
        properties, gone = _of_properties("user property", "", wanted.users, there.users)
        made += properties
        extra += gone
    for kind, each in wanted.groups.items():
        properties, gone = _of_properties("group property", kind, each, there.groups.get(kind, {}))
        made += properties
        extra += gone
    return (made + extra, []) if prunes else (made, extra)


def _of_properties(
    what: What, holder: str, wanted: Mapping[str, PropertyEntry], there: Mapping[str, PropertyEntry]
) -> tuple[list[TaxonomyChange], list[TaxonomyChange]]:
    made: list[TaxonomyChange] = []
    for name, entry in wanted.items():
        known = there.get(name)
        facts = _facts(what, entry)
        if known is None:
            made.append(TaxonomyChange("create", what, holder, name, _filled(facts), {}))
        else:
            made += _update(what, holder, name, facts, _facts(what, known))
    gone = [TaxonomyChange("delete", what, holder, name, {}, {}) for name in there if name not in wanted]
    return made, gone


def _facts(what: What, entry: PropertyEntry) -> dict[str, str]:
    facts = entry.facts
    if what != "event property":
        del facts["is_required"]
    return facts


def _filled(facts: dict[str, str]) -> dict[str, str]:
    usual = {"is_active": "true"}
    return {key: value for key, value in facts.items() if value not in ("", usual.get(key, "false"))}


def _update(
    what: What, holder: str, name: str, facts: dict[str, str], before: dict[str, str]
) -> Iterator[TaxonomyChange]:
    changed = {key: value for key, value in facts.items() if key in before and before[key] != value}
    if changed:
        yield TaxonomyChange("update", what, holder, name, changed, {key: before[key] for key in changed})


def shown_change(change: TaxonomyChange) -> str:
    """A change in words, without what it does."""
    where = f"{change.holder} `{change.name}`" if change.holder else change.name
    told: list[Any] = []
    for key, value in change.facts.items():
        if change.action == "update":
            told.append(f"{key} {change.before[key]!r} → {value!r}")
        elif value == "true":
            told.append(key.removeprefix("is_"))
        elif value == "false":
            told.append("retired")
        else:
            told.append(value if key == "type" else f"{key} {value!r}")
    return f"{change.what} {where}" + (f": {', '.join(told)}" if told else "")
