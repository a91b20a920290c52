"""Keys that are none of an event's: which one was meant, and what to write instead.

Amplitude ignores what it does not know, without a word (reference, section 3), so these are told wherever an
event is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Final

from antinode._protocol.fields import FIELDS
from antinode._protocol.remarks import Remark


def advice(key: str) -> str:
    """What is wrong with `key`, and what to write instead: the end of a sentence after its name."""
    meant = meant_key(key)
    if meant is not None:
        return f"is no key of an event and is ignored by Amplitude: write `{meant}`"
    if _spelling(key) in _MADE_BY_AMPLITUDE:
        return "is made by Amplitude itself and is ignored in an event: leave it out"
    return "is no key of an event and is ignored by Amplitude: write it into `event_properties`"


def note_on(key: str) -> Remark:
    """What to tell of an event that has `key`."""
    label = key if len(key) <= 60 else key[:59] + "…"
    text = f"`{label}` {advice(key)}"
    return Remark(text, subject=f"the key `{label}`", objection=text, is_change=False)


def meant_key(key: str) -> str | None:
    """The key of an event that `key`, which is none, was probably meant to be, such as `traits`."""
    spelling = _spelling(key)
    found = _SPELLINGS.get(spelling) or _HABITS.get(spelling)
    if (
        found is not None
        or spelling in _MADE_BY_AMPLITUDE
        or not _MIN_SPELLING <= len(spelling) <= _MAX_SPELLING
    ):
        return found
    near = get_close_matches(spelling, _SPELLINGS, n=1, cutoff=_LIKENESS)
    return _SPELLINGS[near[0]] if near else None


def _spelling(name: str) -> str:
    return name.translate(_NO_PUNCTUATION).lower()


_NO_PUNCTUATION: Final = str.maketrans("", "", "_- $.")
# Shorter ones resemble each other by chance, longer ones cost time.
_MIN_SPELLING: Final = 4
_MAX_SPELLING: Final = 40
_LIKENESS: Final = 0.8

_SPELLINGS: Final[Mapping[str, str]] = {_spelling(name): name for name in FIELDS}


def _by_spelling(habits: Mapping[str, Iterable[str]]) -> dict[str, str]:
    return {_spelling(name): key for key, names in habits.items() for name in names}


_HABITS: Final[Mapping[str, str]] = _by_spelling(
    {
        "event_type": ("event", "event_name", "type"),
        "user_id": ("distinct_id", "uid", "user", "customer_id", "external_id", "external_user_id"),
        "device_id": (
            "anonymous_id",
            "anon_id",
            "client_id",
            "device",
            "device_uuid",
            "installation_id",
            "user_pseudo_id",
        ),
        "time": (
            "timestamp",
            "event_time",
            "event_timestamp",
            "client_event_time",
            "client_timestamp",
            "original_timestamp",
            "sent_at",
            "occurred_at",
            "created_at",
            "ts",
        ),
        "insert_id": (
            "message_id",
            "event_uuid",
            "insert_key",
            "idempotency_key",
            "deduplication_id",
            "dedupe_id",
        ),
        "event_properties": (
            "properties",
            "props",
            "event_props",
            "event_params",
            "event_data",
            "event_attributes",
            "attributes",
            "params",
            "parameters",
            "custom_properties",
            "custom_attributes",
            "data",
            "payload",
            "extra",
        ),
        "user_properties": (
            "traits",
            "user_props",
            "user_traits",
            "user_attributes",
            "user_data",
            "person_properties",
            "people",
            "profile",
            "set",
            "set_once",
            "global_user_properties",
        ),
        "groups": ("group", "group_id"),
        "group_properties": ("group_props", "group_traits"),
        "session_id": ("session", "ga_session_id"),
        "ip": ("ip_address", "remote_addr", "client_ip"),
        "language": ("lang", "locale"),
        "os_name": ("os",),
        "device_brand": ("brand",),
        "device_manufacturer": ("manufacturer",),
        "device_model": ("model", "device_type"),
        "carrier": ("device_carrier",),
        "app_version": ("version", "app_release", "release"),
        "country": ("country_code",),
        "location_lat": ("lat", "latitude"),
        "location_lng": ("lng", "lon", "long", "longitude"),
        "productId": ("sku",),
        "currency": ("currency_code",),
    }
)
"""What Segment, PostHog, Mixpanel, Google Analytics and Amplitude's own export call an event's keys."""

_MADE_BY_AMPLITUDE: Final = frozenset(
    map(
        _spelling,
        (
            "amplitude_id",
            "amplitude_event_type",
            "amplitude_attribution_ids",
            "app",
            "client_upload_time",
            "device_family",
            "is_attribution_event",
            "paying",
            "processed_time",
            "sample_rate",
            "server_received_time",
            "server_upload_time",
            "start_version",
            "user_creation_time",
            "$schema",
        ),
    )
)
"""Columns of an export that no event can set."""
