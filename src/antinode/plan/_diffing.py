"""What another version of a plan changes, and which of it breaks: events that conformed, and do no longer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from antinode.plan._models import PlannedEvent, TrackingPlan
from antinode.plan._paths import joined
from antinode.plan._schemas import LIMITS, PropertySchema, Violation, are_equal, shown_list


class PlanChange(NamedTuple):
    """One difference between two plans."""

    is_breaking: bool
    """Whether an event that conforms to the old plan may not conform to the new one."""
    event_type: str
    """Empty for what is not about one event."""
    path: str
    text: str


def diff_plans(old: TrackingPlan, new: TrackingPlan) -> list[PlanChange]:
    """The changes from one plan to another, what breaks first; none for equal plans."""
    changes = list(_changes(old, new))
    return sorted(changes, key=lambda each: not each.is_breaking)


def _changes(old: TrackingPlan, new: TrackingPlan) -> Iterator[PlanChange]:
    for name in dict.fromkeys((*old.events, *new.events)):
        before, after = old.events.get(name), new.events.get(name)
        if before is None:
            if after is not None:
                yield PlanChange(False, name, "", "added, retired already" if after.is_retired else "added")
        elif after is None:
            yield PlanChange(not before.is_retired, name, "", "removed")
        else:
            yield from _event(before, after)
    yield from _held(old.user_properties, new.user_properties, "user_properties")
    before_groups, after_groups = old.group_properties, new.group_properties
    kinds = dict.fromkeys((*(before_groups or {}), *(after_groups or {})))
    for kind in kinds:
        yield from _held(
            (before_groups or {}).get(kind), (after_groups or {}).get(kind), joined("group_properties", kind)
        )
    for what in ("name", "description"):
        if getattr(old, what) != getattr(new, what):
            yield PlanChange(False, "", "", f"another {what}")


def _event(old: PlannedEvent, new: PlannedEvent) -> Iterator[PlanChange]:
    name = old.name
    if old.status != new.status:
        yield PlanChange(new.is_retired, name, "", "retired" if new.is_retired else "active again")
    for change in _schema(old.schema, new.schema, ""):
        # Of a retired event nothing conforms, so nothing can break.
        yield change._replace(
            event_type=name, is_breaking=change.is_breaking and not old.is_retired and not new.is_retired
        )
    if old.description != new.description:
        yield PlanChange(False, name, "", "another description")
    if old.category != new.category:
        yield PlanChange(False, name, "", f"category is {new.category or 'none'} now")
    if old.owners != new.owners:
        yield PlanChange(False, name, "", f"owners are {', '.join(new.owners) or 'nobody'} now")


def _held(old: PropertySchema | None, new: PropertySchema | None, path: str) -> Iterator[PlanChange]:
    if old is None or new is None:
        if new is not None:
            yield PlanChange(True, "", path, "planned now: others are not taken any more")
        elif old is not None:
            yield PlanChange(False, "", path, "not planned any more: any are taken")
        return
    yield from _schema(old, new, path)


def _schema(old: PropertySchema, new: PropertySchema, path: str) -> Iterator[PlanChange]:
    def change(is_breaking: bool, text: str, at: str = path) -> PlanChange:
        return PlanChange(is_breaking, "", at, text)

    is_listed = old.enum is not None
    refused = _refused(old, new, path)
    if is_listed and refused:
        yield change(True, f"no longer takes {shown_list(refused)}")
    gone, come = _types_beyond(old, new), _types_beyond(new, old)
    if gone:
        yield change(not is_listed, f"no longer takes {' or '.join(gone)}")
    if come:
        yield change(False, f"takes {' or '.join(come)}, too")
    if old.enum is not None and new.enum is None:
        yield change(False, "takes other values, too")
    elif old.enum is None and new.enum is not None:
        yield change(True, f"takes only {shown_list(new.enum)}")
    elif old.enum is not None and new.enum is not None:
        added = tuple(each for each in new.enum if not any(are_equal(each, known) for known in old.enum))
        if added:
            yield change(False, f"takes {shown_list(added)}, too")
        dropped = tuple(each for each in old.enum if not any(are_equal(each, kept) for kept in new.enum))
        if dropped and not refused:
            yield change(False, f"no longer lists {shown_list(dropped)}")
    for name, limit in LIMITS.items():
        before, after = old.limits.get(name), new.limits.get(name)
        if before != after:
            is_tighter = after is not None and (
                before is None or (after > before if limit.is_least else after < before)
            )
            text = f"`{name}` is {after:g} now" if after is not None else f"no `{name}` any more"
            yield change(is_tighter and not is_listed, text)
    before_pattern = old.pattern.pattern if old.pattern else None
    after_pattern = new.pattern.pattern if new.pattern else None
    if before_pattern != after_pattern:
        text = f"must fit {after_pattern}" if after_pattern is not None else "need not fit a pattern any more"
        yield change(after_pattern is not None and not is_listed, text)
    if old.items is not None or new.items is not None:
        yield from _within(_schema(old.items or _ANY, new.items or _ANY, f"{path}[]"), is_listed)
    yield from _within(_object(old, new, path), is_listed)
    if old.description != new.description:
        yield change(False, "another description")
    if old.examples != new.examples:
        yield change(False, "other examples")
    if old.is_deprecated != new.is_deprecated:
        yield change(False, "deprecated" if new.is_deprecated else "deprecated no more")


_ANY = PropertySchema()


def _within(changes: Iterator[PlanChange], is_listed: bool) -> Iterator[PlanChange]:
    """Where the old values are listed, each was tried, so that nothing else can break."""
    return (each._replace(is_breaking=each.is_breaking and not is_listed) for each in changes)


def _object(old: PropertySchema, new: PropertySchema, path: str) -> Iterator[PlanChange]:
    for name in dict.fromkeys((*old.properties, *new.properties)):
        at = joined(path, name)
        before, after = old.properties.get(name), new.properties.get(name)
        if before is not None and after is not None:
            yield from _schema(before, after, at)
        elif after is None:
            yield PlanChange(not new.takes_others, "", at, "removed")
        else:
            # Where others were taken, what has that name already may be anything.
            yield PlanChange(old.takes_others and after != _ANY, "", at, "added")
    for name in new.required:
        if name not in old.required:
            yield PlanChange(True, "", joined(path, name), "required now")
    for name in old.required:
        if name not in new.required and name in new.properties:
            yield PlanChange(False, "", joined(path, name), "required no more")
    if old.takes_others != new.takes_others:
        text = (
            "other properties are taken, too"
            if new.takes_others
            else "no other properties are taken any more"
        )
        yield PlanChange(not new.takes_others, "", path, text)


def _refused(old: PropertySchema, new: PropertySchema, path: str) -> tuple[object, ...]:
    """The values listed in the old schema that fit it, and not the new one."""

    def fits(schema: PropertySchema, value: object) -> bool:
        found: list[Violation] = []
        schema.check(value, path, found)
        return not found

    return tuple(each for each in old.enum or () if fits(old, each) and not fits(new, each))


def _types_beyond(one: PropertySchema, other: PropertySchema) -> tuple[str, ...]:
    """The types that one takes, and the other does not."""
    if not other.types:
        return ()
    if not one.types:
        return ("any other type",)
    taken = {*other.types, *(("integer",) if "number" in other.types else ())}
    return tuple(each for each in one.types if each not in taken)
