"""`posthog` in antinode's words."""

from __future__ import annotations

from typing import Final

from antinode.cli.doctor.migration import rules
from antinode.cli.doctor.migration.rules import Call, Change, Given, Sdk, log_event

_FLAGS: Final = "feature flags are Amplitude Experiment's: use amplitude-experiment"
_REST: Final = ("properties", "timestamp", "uuid", "groups")


def _capture(given: Given) -> Change:
    note = "" if given.text("groups") is None else "names of groups are sent as they are"
    return log_event(
        {
            "event_type": given.text("event"),
            "user_id": given.text("distinct_id"),
            "event_properties": given.text("properties"),
            "time": given.text("timestamp"),
            "insert_id": given.text("uuid"),
            "groups": given.text("groups"),
        },
        note,
    )


def _properties(method: str) -> rules.Rule:
    return lambda given: rules.identify(given, method, "properties")


def _group(given: Given) -> Change:
    return rules.group_identify(
        given.text("group_type") or "group_type",
        given.text("group_key") or "group_key",
        given.node("properties"),
        "set",
    )


def _alias(given: Given) -> Change:
    return log_event(
        {
            "event_type": "'$identify'",
            "user_id": given.text("distinct_id"),
            "device_id": given.text("previous_id"),
        },
        "Amplitude joins an anonymous device to a user by an event that has both ids",
    )


def _person(given: Given) -> Change:
    return Change(f"antinode.add_context(user_id={given.text('distinct_id')})")


def _tag(given: Given) -> Change:
    return Change(f"antinode.add_context(event_properties={{{given.text('name')}: {given.text('value')}}})")


_CALLS: Final = {
    "capture": Call(("event", "distinct_id", *_REST), _capture),
    "set": Call(("distinct_id", "properties"), _properties("set")),
    "set_once": Call(("distinct_id", "properties"), _properties("set_once")),
    "identify": Call(("distinct_id", "properties"), _properties("set")),
    "group_identify": Call(("group_type", "group_key", "properties"), _group),
    "alias": Call(("previous_id", "distinct_id"), _alias),
    "new_context": rules.plain("antinode.context()"),
    "identify_context": Call(("distinct_id",), _person),
    "tag": Call(("name", "value"), _tag),
    "flush": rules.plain("client.flush()"),
    "join": rules.plain("client.shutdown()"),
    "shutdown": rules.plain("client.shutdown()"),
    "capture_exception": rules.nothing("Amplitude keeps no exceptions: send them to an error tracker"),
    **{
        name: rules.nothing(_FLAGS)
        for name in (
            *("feature_enabled", "get_feature_flag", "get_all_flags", "get_feature_flag_payload"),
            *("get_feature_flag_result", "get_all_flags_and_payloads", "get_feature_variants"),
            *("load_feature_flags", "evaluate_flags", "get_remote_config_payload"),
        )
    },
}
_SETTINGS: Final = {
    "project_api_key": rules.SdkSetting("{}", rules.KEY_NOTE),
    "api_key": rules.SdkSetting("{}", rules.KEY_NOTE),
    "host": rules.HOST,
    "debug": rules.DEBUG,
    "max_queue_size": rules.QUEUE,
    "send": rules.SEND,
    "disabled": rules.SdkSetting("enabled=not {}"),
    "on_error": rules.ON_ERROR,
    "flush_at": rules.BATCH,
    "flush_interval": rules.INTERVAL,
    "gzip": rules.GZIP,
    "max_retries": rules.RETRIES,
    "sync_mode": rules.SYNC,
    "timeout": rules.TIMEOUT,
    "thread": rules.THREAD,
    "before_send": rules.SdkSetting(note="client.add_event_middleware(fn), where fn takes (payload, next)"),
    "super_properties": rules.SdkSetting(note="antinode.add_context(event_properties={…})"),
    "personal_api_key": rules.SdkSetting(note=_FLAGS),
}
_MAKE: Final = Call(("project_api_key", "host", "debug"), rules.make_client(_SETTINGS, "project_api_key"))
POSTHOG: Final = Sdk(
    "posthog",
    ("posthog",),
    "docs/migrating-posthog.md",
    _CALLS,
    {"Posthog": _MAKE, "Client": _MAKE},
    _SETTINGS,
    "project_api_key",
)
