"""`mixpanel` in antinode's words."""

from __future__ import annotations

import ast
from typing import Final

from antinode.cli.doctor.migration import rules
from antinode.cli.doctor.migration.rules import Call, Change, Given, Sdk, log_event

_GROUP: Final = ("group_key", "group_id", "properties", "meta")
_PEOPLE: Final = ("distinct_id", "properties", "meta")


def _track(given: Given) -> Change:
    return log_event(
        {
            "event_type": given.text("event_name"),
            "user_id": given.text("distinct_id"),
            "event_properties": given.text("properties"),
            "time": given.text("timestamp"),
        }
    )


def _people(method: str) -> Call:
    return Call(_PEOPLE, lambda given: rules.identify(given, method, "properties"))


def _unset(given: Given) -> Change:
    user, names = given.text("distinct_id"), given.node("properties")
    if isinstance(names, ast.List):
        calls = "".join(f".unset({ast.unparse(name)})" for name in names.elts)
        return Change(f"client.identify({user}, antinode.Identify(){calls})")
    unset = f"{{'$unset': dict.fromkeys({given.text('properties')}, '-')}}"
    return log_event({"event_type": "'$identify'", "user_id": user, "user_properties": unset})


def _group(method: str, note: str = "") -> Call:
    def rule(given: Given) -> Change:
        kind, name = given.text("group_key") or "group_key", given.text("group_id") or "group_id"
        return rules.group_identify(kind, name, given.node("properties"), method, note)

    return Call(_GROUP, rule)


def _group_unset(given: Given) -> Change:
    names = given.node("properties")
    where = f"client.group_identify({given.text('group_key')}, {given.text('group_id')}, antinode.Identify()"
    if isinstance(names, ast.List):
        return Change(f"{where}{''.join(f'.unset({ast.unparse(name)})' for name in names.elts)})")
    return Change(f"{where}.unset(…))", "one unset for each property")


def _charge(given: Given) -> Change:
    properties = given.text("properties")
    more = "" if properties is None else f".set_event_properties({properties})"
    return Change(
        f"client.revenue({given.text('distinct_id')}, antinode.Revenue(price={given.text('amount')}){more})"
    )


def _alias(given: Given) -> Change:
    return log_event(
        {
            "event_type": "'$identify'",
            "user_id": given.text("alias_id"),
            "device_id": given.text("original"),
        },
        "Amplitude joins an anonymous device to a user by an event that has both ids",
    )


_FORGET: Final = "Amplitude's User Privacy API deletes users"
_CALLS: Final = {
    "track": Call(("distinct_id", "event_name", "properties", "meta"), _track),
    "import_data": Call(
        ("api_key", "distinct_id", "event_name", "timestamp", "properties", "meta", "api_secret"), _track
    ),
    "alias": Call(("alias_id", "original", "meta"), _alias),
    "merge": rules.nothing("Amplitude merges users by an event that has the user_id and the device_id"),
    "people_set": _people("set"),
    "people_set_once": _people("set_once"),
    "people_increment": _people("add"),
    "people_append": _people("append"),
    "people_union": _people("post_insert"),
    "people_remove": _people("remove"),
    "people_unset": Call(_PEOPLE, _unset),
    "people_track_charge": Call(("distinct_id", "amount", "properties", "meta"), _charge),
    "people_clear_charges": rules.nothing("Amplitude keeps revenue as events, which stay"),
    "people_delete": rules.nothing(_FORGET),
    "people_update": rules.nothing("write the operations: client.identify(user_id, antinode.Identify()…)"),
    "group_set": _group("set"),
    "group_set_once": _group("set_once"),
    "group_union": _group("append", "a value that is there already is added once more"),
    "group_unset": Call(_GROUP, _group_unset),
    "group_remove": rules.nothing("Amplitude takes nothing out of a group's lists: set the whole list"),
    "group_delete": rules.nothing("unset the group's properties"),
    "group_update": rules.nothing(
        "write the operations: client.group_identify(type, name, antinode.Identify()…)"
    ),
    "flush": rules.plain("client.flush()"),
}
_SETTINGS: Final = {
    "token": rules.SdkSetting("{}", rules.KEY_NOTE),
    "consumer": rules.SdkSetting(note="not needed: events are batched, and sent in the background"),
    "serializer": rules.SdkSetting(note="not needed: dates, Decimals and UUIDs are written as JSON"),
}
MIXPANEL: Final = Sdk(
    "mixpanel",
    ("mixpanel",),
    "docs/migrating-mixpanel.md",
    _CALLS,
    {
        "Mixpanel": Call(("token", "consumer", "serializer"), rules.make_client(_SETTINGS, "token")),
        "BufferedConsumer": rules.nothing("not needed: events are batched, and sent in the background"),
        "Consumer": rules.nothing("not needed: events are batched, and sent in the background"),
    },
    _SETTINGS,
    "token",
)
