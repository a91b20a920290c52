"""What Amplitude's Taxonomy API plans: categories, event types, properties of events, users and groups."""

from __future__ import annotations

from collections import deque
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import msgspec

from antinode.server.storage.store import EventStore

COST_PER_HOUR: Final = 7_200
"""Of one project, as Amplitude documents it: a request that reads costs 1, one that changes 2."""

_HOUR_MS: Final = 3_600_000

PropertyKind: TypeAlias = Literal["event", "user", "group"]


class PropertyNames(NamedTuple):
    """What the API calls a property of one kind."""

    name: str
    holder: str
    """Of what it is a property; empty for those of users."""
    prefix: str
    """Before the names of properties that are the project's own, in answers and in paths."""


PROPERTY_NAMES: Final[dict[PropertyKind, PropertyNames]] = {
    "event": PropertyNames("event_property", "event_type", ""),
    "user": PropertyNames("user_property", "", "gp:"),
    "group": PropertyNames("group_property", "group_type", "grp:"),
}


class CategoryName(msgspec.Struct, frozen=True, kw_only=True):
    name: str


class EventCategory(msgspec.Struct, frozen=True, kw_only=True):
    """A category of event types."""

    id: int
    name: str


class TaxonomyEventType(msgspec.Struct, frozen=True, kw_only=True):
    """A planned event type."""

    event_type: str
    category: CategoryName | None = None
    description: str | None = None
    display_name: str | None = None
    is_active: bool = True
    tags: list[str] = []
    owner: str | None = None


class TaxonomyProperty(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """A planned property."""

    description: str | None = None
    type: str | None = None
    """`string`, `number`, `boolean`, `enum` or `any`."""
    regex: str | None = None
    enum_values: str | None = None
    """With commas between them."""
    is_array_type: bool = False
    is_required: bool = False
    is_hidden: bool = False
    classifications: list[str] = []


class TaxonomyConflict(Exception):
    """What is asked does not go with what there is. The message is the answer's."""


class Taxonomy:
    """The plans of the projects, in the store."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._costs: dict[int, deque[tuple[int, int]]] = {}

    def spend(self, project_id: int, cost: int, now_ms: int) -> bool:
        """Whether the project may spend this yet in this hour; if so it is counted."""
        costs = self._costs.setdefault(project_id, deque())
        while costs and costs[0][0] <= now_ms - _HOUR_MS:
            costs.popleft()
        if sum(each for _, each in costs) + cost > COST_PER_HOUR:
            return False
        costs.append((now_ms, cost))
        return True

    def clear(self) -> None:
        """Forget what was spent."""
        self._costs.clear()

    def categories(self, project_id: int) -> list[EventCategory]:
        """All of a project, by name."""
        return [
            EventCategory(id=msgspec.json.decode(text), name=name)
            for name, text in self._all(project_id, "category", "")
        ]

    def add_category(self, project_id: int, name: str) -> None:
        """Raises TaxonomyConflict."""
        known = self.categories(project_id)
        if any(each.name == name for each in known):
            raise TaxonomyConflict(f'Attempted to add an event category, "{name}", that already exists.')
        self._put(project_id, "category", "", name, 1 + max((each.id for each in known), default=0))

    def change_category(self, project_id: int, category: str, name: str | None) -> None:
        """Rename the category with this id or, with None, delete it. Raises TaxonomyConflict."""
        found = next((each for each in self.categories(project_id) if str(each.id) == category), None)
        if found is None:
            raise TaxonomyConflict(
                f'Attempted to operate on entity event_category, id "{category}", that does not exist.'
            )
        self._drop(project_id, "category", "", found.name)
        if name is not None:
            self._put(project_id, "category", "", name, found.id)
        for each in self.event_types(project_id):
            if each.category is not None and each.category.name == found.name:
                moved = None if name is None else CategoryName(name=name)
                self._put_event_type(project_id, msgspec.structs.replace(each, category=moved))

    def event_types(self, project_id: int) -> list[TaxonomyEventType]:
        """All of a project, by name."""
        return [
            msgspec.json.decode(text, type=TaxonomyEventType)
            for _, text in self._all(project_id, "event", "")
        ]

    def event_type(self, project_id: int, name: str) -> TaxonomyEventType | None:
        """One of them; None if it is not planned."""
        text = self._one(project_id, "event", "", name)
        return None if text is None else msgspec.json.decode(text, type=TaxonomyEventType)

    def add_event_type(self, project_id: int, name: str, changes: dict[str, Any]) -> None:
        """Raises TaxonomyConflict."""
        if self.event_type(project_id, name) is not None:
            raise TaxonomyConflict(f'Attempted to add an event, "{name}", that already exists.')
        self._change_event_type(project_id, TaxonomyEventType(event_type=name), changes)

    def change_event_type(
        self, project_id: int, name: str, changes: dict[str, Any], new_name: str | None
    ) -> None:
        """Raises TaxonomyConflict."""
        found = self.event_type(project_id, name)
        if found is None:
            raise TaxonomyConflict(f'Attempted to change the event "{name}", but the event is not in schema.')
        if new_name is not None and new_name != name:
            if self.event_type(project_id, new_name) is not None:
                raise TaxonomyConflict(f'Attempted to add an event, "{new_name}", that already exists.')
            self._store.connection.execute(
                "UPDATE taxonomy SET holder = ?"
                " WHERE project_id = ? AND kind = 'event property' AND holder = ?",
                (new_name, project_id, name),
            )
            self._drop(project_id, "event", "", name)
            found = msgspec.structs.replace(found, event_type=new_name)
        self._change_event_type(project_id, found, changes)

    def delete_event_type(self, project_id: int, name: str) -> None:
        """Its properties go with it. Raises TaxonomyConflict."""
        if self.event_type(project_id, name) is None:
            raise TaxonomyConflict(f'Attempted to remove an event, "{name}", that is not a planned event.')
        self._drop(project_id, "event", "", name)
        self._store.connection.execute(
            "DELETE FROM taxonomy WHERE project_id = ? AND kind = 'event property' AND holder = ?",
            (project_id, name),
        )

    def properties(
        self, project_id: int, kind: PropertyKind, holder: str
    ) -> list[tuple[str, TaxonomyProperty]]:
        """Those of an event type, of a group type, or of users."""
        return [
            (name, msgspec.json.decode(text, type=TaxonomyProperty))
            for name, text in self._all(project_id, f"{kind} property", holder)
        ]

    def add_property(
        self, project_id: int, kind: PropertyKind, holder: str, name: str, changes: dict[str, Any]
    ) -> None:
        """Raises TaxonomyConflict."""
        told = _told(kind, holder, name)
        if kind == "event" and self.event_type(project_id, holder) is None:
            raise TaxonomyConflict(f"Attempted to add {told}, but the event is not in schema.")
        if self._one(project_id, f"{kind} property", holder, name) is not None:
            raise TaxonomyConflict(f"Attempted to add {told}, that already exists.")
        made = msgspec.structs.replace(TaxonomyProperty(), **changes)
        self._put(project_id, f"{kind} property", holder, name, made)

    def change_property(
        self,
        project_id: int,
        kind: PropertyKind,
        holder: str,
        name: str,
        changes: dict[str, Any],
        new_name: str | None,
    ) -> None:
        """Raises TaxonomyConflict."""
        text = self._one(project_id, f"{kind} property", holder, name)
        if text is None:
            told = _told(kind, holder, name)
            raise TaxonomyConflict(f"Attempted to change {told}, but the property is not in schema.")
        found = msgspec.json.decode(text, type=TaxonomyProperty)
        if new_name is not None and new_name != name:
            if self._one(project_id, f"{kind} property", holder, new_name) is not None:
                raise TaxonomyConflict(
                    f"Attempted to add {_told(kind, holder, new_name)}, that already exists."
                )
            self._drop(project_id, f"{kind} property", holder, name)
            name = new_name
        self._put(project_id, f"{kind} property", holder, name, msgspec.structs.replace(found, **changes))

    def delete_property(self, project_id: int, kind: PropertyKind, holder: str, name: str) -> None:
        """Raises TaxonomyConflict."""
        if self._one(project_id, f"{kind} property", holder, name) is None:
            told = _told(kind, holder, name)
            raise TaxonomyConflict(f"Attempted to remove {told}, that is not a planned {kind} property.")
        self._drop(project_id, f"{kind} property", holder, name)

    def _change_event_type(self, project_id: int, found: TaxonomyEventType, changes: dict[str, Any]) -> None:
        if "category" in changes:
            name = changes["category"]
            if name and all(each.name != name for each in self.categories(project_id)):
                raise TaxonomyConflict(f'Attempted to use an event category, "{name}", that does not exist.')
            changes = {**changes, "category": CategoryName(name=name) if name else None}
        self._put_event_type(project_id, msgspec.structs.replace(found, **changes))

    def _put_event_type(self, project_id: int, made: TaxonomyEventType) -> None:
        self._put(project_id, "event", "", made.event_type, made)

    def _all(self, project_id: int, kind: str, holder: str) -> list[tuple[str, str]]:
        return self._store.connection.execute(
            "SELECT name, entry FROM taxonomy WHERE project_id = ? AND kind = ? AND holder = ? ORDER BY name",
            (project_id, kind, holder),
        ).fetchall()

    def _one(self, project_id: int, kind: str, holder: str, name: str) -> str | None:
        found = self._store.connection.execute(
            "SELECT entry FROM taxonomy WHERE project_id = ? AND kind = ? AND holder = ? AND name = ?",
            (project_id, kind, holder, name),
        ).fetchone()
        return None if found is None else found[0]

    def _put(self, project_id: int, kind: str, holder: str, name: str, entry: Any) -> None:
        self._store.connection.execute(
            "INSERT OR REPLACE INTO taxonomy VALUES (?, ?, ?, ?, ?)",
            (project_id, kind, holder, name, msgspec.json.encode(entry).decode()),
        )

    def _drop(self, project_id: int, kind: str, holder: str, name: str) -> None:
        self._store.connection.execute(
            "DELETE FROM taxonomy WHERE project_id = ? AND kind = ? AND holder = ? AND name = ?",
            (project_id, kind, holder, name),
        )


def _told(kind: PropertyKind, holder: str, name: str) -> str:
    article = "an" if kind == "event" else "a"
    of = f' for {"event" if kind == "event" else "group type"} "{holder}"' if kind != "user" else ""
    return f'{article} {kind} property, "{name}"{of}'
