"""`segment-analytics-python` in antinode's words."""

from __future__ import annotations

from typing import Final

from antinode.cli.doctor.migration import rules
from antinode.cli.doctor.migration.rules import Call, Change, Given, Sdk, log_event

_REST: Final = ("context", "timestamp", "anonymous_id", "integrations", "message_id")


def _ids(given: Given) -> dict[str, str | None]:
    return {"user_id": given.text("user_id"), "device_id": given.text("anonymous_id")}


def _when(given: Given) -> dict[str, str | None]:
    return {"time": given.text("timestamp"), "insert_id": given.text("message_id")}


def _context(given: Given) -> str:
    if given.node("context") is None:
        return ""
    return "what `context` says belongs into the event's own keys: ip, language, os_name, app_version, …"


def _track(given: Given) -> Change:
    pairs = {"event_type": given.text("event"), **_ids(given), "event_properties": given.text("properties")}
    return log_event({**pairs, **_when(given)}, _context(given))


def _viewed(event_type: str) -> rules.Rule:
    def rule(given: Given) -> Change:
        named = {key: given.text(key) for key in ("category", "name")}
        properties = rules.event(named)
        if (more := given.text("properties")) is not None:
            properties = f"{{**{properties}, **{more}}}"
        pairs = {"event_type": event_type, **_ids(given), "event_properties": properties}
        return log_event({**pairs, **_when(given)}, _context(given))

    return rule


def _identify(given: Given) -> Change:
    return rules.identify(given, "set", "traits", user="user_id", device="anonymous_id", note=_context(given))


def _group(given: Given) -> Change:
    user, group = given.text("user_id"), given.text("group_id")
    if user is None:
        device = given.text("anonymous_id")
        joins = f"client.set_group(device_id={device}, group_type='group', group_name={group})"
    else:
        joins = f"client.set_group({user}, 'group', {group})"
    note = "'group' is the group type of the project's settings"
    if given.node("traits") is None:
        return Change(joins, note)
    describes = rules.group_identify("'group'", str(group), given.node("traits"), "set")
    return Change(f"{joins}; {describes.write}", note)


def _alias(given: Given) -> Change:
    return log_event(
        {
            "event_type": "'$identify'",
            "user_id": given.text("user_id"),
            "device_id": given.text("previous_id"),
        },
        "Amplitude joins an anonymous device to a user by an event that has both ids",
    )


_CALLS: Final = {
    "track": Call(("user_id", "event", "properties", *_REST), _track),
    "identify": Call(("user_id", "traits", *_REST), _identify),
    "group": Call(("user_id", "group_id", "traits", *_REST), _group),
    "page": Call(("user_id", "category", "name", "properties", *_REST), _viewed("'Page Viewed'")),
    "screen": Call(("user_id", "category", "name", "properties", *_REST), _viewed("'Screen Viewed'")),
    "alias": Call(("previous_id", "user_id", "context", "timestamp", "integrations", "message_id"), _alias),
    "flush": rules.plain("client.flush()"),
    "join": rules.plain("client.shutdown()"),
    "shutdown": rules.plain("client.shutdown()"),
}
_SETTINGS: Final = {
    "write_key": rules.SdkSetting("{}", rules.KEY_NOTE),
    "host": rules.HOST,
    "debug": rules.DEBUG,
    "max_queue_size": rules.QUEUE,
    "send": rules.SEND,
    "on_error": rules.ON_ERROR,
    "gzip": rules.GZIP,
    "max_retries": rules.RETRIES,
    "sync_mode": rules.SYNC,
    "timeout": rules.TIMEOUT,
    "proxies": rules.PROXIES,
    "thread": rules.THREAD,
    "upload_size": rules.BATCH,
    "upload_interval": rules.INTERVAL,
    "log_handler": rules.SdkSetting(note="logging.getLogger('antinode').addHandler(…)"),
}
SEGMENT: Final = Sdk(
    "segment-analytics-python",
    ("segment.analytics", "analytics"),
    "docs/migrating-segment.md",
    _CALLS,
    {"Client": Call(("write_key", "host", "debug"), rules.make_client(_SETTINGS, "write_key"))},
    _SETTINGS,
    "write_key",
)
