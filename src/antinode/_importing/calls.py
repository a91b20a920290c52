"""Calls of the Segment specification, which RudderStack and others archive too, as events.

A track call is an event; identify sets properties of its user; a page or a screen is an event that says which
was viewed; group sets properties of a group, if it is known which type of group it names.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from antinode._importing.objects import as_object, dig
from antinode._protocol.fields import GROUP_IDENTIFY, IDENTIFY

Row: TypeAlias = dict[str, Any]
Event: TypeAlias = dict[str, Any]

_KINDS: Final = frozenset({"track", "identify", "page", "screen", "group", "alias"})
_OWN_KEYS: Final = ("messageId", "anonymousId", "userId", "originalTimestamp")
_TIMES: Final = ("timestamp", "originalTimestamp", "sentAt", "receivedAt")
_FROM_CONTEXT: Final = {
    "ip": ("ip",),
    "user_agent": ("userAgent",),
    "language": ("locale",),
    "app_version": ("app", "version"),
    "os_name": ("os", "name"),
    "os_version": ("os", "version"),
    "device_manufacturer": ("device", "manufacturer"),
    "device_model": ("device", "model"),
    "country": ("location", "country"),
    "region": ("location", "region"),
    "city": ("location", "city"),
}


class NoEvent(ValueError):
    """A call from which no event can be made; the message says why, and what would make one."""


def is_call(row: Row) -> bool:
    """Whether a row is a call, rather than a row that has a column `type`."""
    return row.get("type") in _KINDS and any(key in row for key in _OWN_KEYS)


def from_call(row: Row, groups: dict[str, str]) -> Event:
    """The event of a call, its time as it is written there. Raises `NoEvent`."""
    event: Event = {}
    for key, column in (("user_id", "userId"), ("device_id", "anonymousId"), ("insert_id", "messageId")):
        if row.get(column) not in (None, ""):
            event[key] = row[column]
    written = next((row[key] for key in _TIMES if row.get(key) is not None), None)
    if written is not None:
        event["time"] = written
    context = as_object(row.get("context"))
    if context:
        for key, steps in _FROM_CONTEXT.items():
            value = dig(context, steps)
            if value not in (None, ""):
                event[key] = value
    if row["type"] == "track":
        event["event_type"] = row.get("event")
    event |= of_kind(row, groups)
    properties = as_object(row.get("properties"))
    if properties and event.get("event_type") not in (IDENTIFY, GROUP_IDENTIFY):
        event["event_properties"] = properties
    return event


def of_kind(row: Row, groups: dict[str, str]) -> Event:
    """The event type and the properties that a call other than `track` gives its event.

    `groups` has the column of each group type that is known. Raises `NoEvent`.
    """
    kind = row["type"]
    traits = as_object(row.get("traits")) or {}
    if kind == "identify":
        if not traits:
            raise NoEvent("the identify call has no traits, and so says nothing of its user")
        return {"event_type": IDENTIFY, "user_properties": {"$set": traits}}
    if kind in ("page", "screen"):
        name = row.get("name") or (as_object(row.get("properties")) or {}).get("name")
        noun = kind.capitalize()
        return {"event_type": f"Viewed {name} {noun}" if name else f"Viewed {noun}"}
    if kind == "group":
        return _of_group(row, traits, groups)
    if kind == "alias":
        raise NoEvent("an alias call joins two ids, which no event of the HTTP API does")
    return {}


def _of_group(row: Row, traits: dict[str, Any], groups: dict[str, str]) -> Event:
    kind = next((each for each, column in groups.items() if column == "groupId"), None)
    name = row.get("groupId")
    if kind is None:
        raise NoEvent(
            "a group call does not say of which type its group is: add --group TYPE=groupId, such as company"
        )
    if name in (None, ""):
        raise NoEvent("the group call names no group (groupId)")
    if traits:
        return {
            "event_type": GROUP_IDENTIFY,
            "groups": {kind: name},
            "group_properties": {"$set": traits},
        }
    return {
        "event_type": IDENTIFY,
        "groups": {kind: name},
        "user_properties": {"$set": {kind: name}},
    }
