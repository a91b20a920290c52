"""Rows of the Export API."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antinode.server.queries.export_rows import event_time, language_name, row, timestamp
from antinode.server.storage.profiles import Profile
from tests.server.ingesting import AT_MS, event

# The keys of the reference's real row.
KEYS = [
    "$insert_id",
    "$insert_key",
    "$schema",
    "adid",
    "amplitude_attribution_ids",
    "amplitude_event_type",
    "amplitude_id",
    "app",
    "city",
    "client_event_time",
    "client_upload_time",
    "country",
    "data",
    "data_type",
    "device_brand",
    "device_carrier",
    "device_family",
    "device_id",
    "device_manufacturer",
    "device_model",
    "device_type",
    "dma",
    "event_id",
    "event_properties",
    "event_time",
    "event_type",
    "global_user_properties",
    "group_properties",
    "groups",
    "idfa",
    "ip_address",
    "is_attribution_event",
    "language",
    "library",
    "location_lat",
    "location_lng",
    "os_name",
    "os_version",
    "partner_id",
    "paying",
    "plan",
    "platform",
    "processed_time",
    "region",
    "sample_rate",
    "server_received_time",
    "server_upload_time",
    "session_id",
    "source_id",
    "start_version",
    "user_creation_time",
    "user_id",
    "user_properties",
    "uuid",
    "version_name",
]


def shown(sent: dict[str, Any], **more: Any) -> dict[str, Any]:
    known: dict[str, Any] = {
        "seq": 7,
        "project_id": 300001,
        "user": 3,
        "device_id": "device-1",
        "path": "/2/httpapi",
        "received_at": AT_MS,
        "client_upload_time": None,
        "profile": Profile(properties={"plan": "pro"}, device={"platform": "Web"}, single={"paying": True}),
        "group_properties": {},
    }
    return row(sent, **{**known, **more})


def test_a_row_has_every_key_sorted() -> None:
    """All the keys of a real row, null where there is nothing."""
    found = shown(event(1))
    assert list(found) == KEYS
    assert orjson.loads(orjson.dumps(found)) == found
    assert found["device_brand"] is None
    assert found["user_properties"]["plan"] == "pro"
    assert found["platform"] == "Web"
    assert found["paying"] is True
    assert found["event_time"] == "2026-11-04 18:46:10.000000"
    assert found["session_id"] == -1
    assert found["library"] == "http/2.0"


def test_the_same_entry_has_the_same_row_every_time() -> None:
    """What the server makes up, the uuid and the event_id, is made of the entry."""
    assert shown(event(1)) == shown(event(1))
    assert shown(event(1))["uuid"] != shown(event(1), seq=8)["uuid"]
    assert shown(event(1))["event_id"] != shown(event(1), seq=8)["event_id"]
    assert shown(event(1, event_id=23))["event_id"] == 23


def test_an_event_that_skips_the_sync_shows_its_own_properties_only() -> None:
    """Neither properties nor device fields of the profile."""
    sent = event(1, user_properties={"a": 1}, os_name="Linux", **{"$skip_user_properties_sync": True})
    found = shown(sent)
    assert found["user_properties"] == {"a": 1}
    assert (found["platform"], found["os_name"]) == (None, "Linux")
    assert found["data"]["user_properties_updated"] is False


def test_revenue_is_shown_as_properties() -> None:
    """The keys for revenue join the event's properties, with what was earned."""
    found = shown(event(1, price=4.99, quantity=3, productId="p", event_properties={"a": 1}))
    expected = {"a": 1, "$price": 4.99, "$quantity": 3, "$productId": "p", "$revenue": pytest.approx(14.97)}
    assert expected == found["event_properties"]


@pytest.mark.parametrize(
    ("groups", "tracked"),
    [
        ({"org": "15"}, {"org": ["15"]}),
        ({"org": ["15", "15", "16"]}, {"org": ["15", "16"]}),
        ({"org": 15}, {"org": ["15"]}),
        ({"org": None, "team": []}, {}),
        ({"a": [str(n) for n in range(12)], "b": "x"}, {"a": [str(n) for n in range(10)]}),
        (dict.fromkeys("abcdef", "1"), {name: ["1"] for name in "abcde"}),
    ],
)
def test_groups_are_lists_of_those_that_are_tracked(groups: Any, tracked: Any) -> None:
    """Five types and ten names, each once."""
    assert tracked == shown(event(1, groups=groups))["groups"]


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("en", "English"),
        ("en-US", "English"),
        ("PT_br", "Portuguese"),
        ("aa", "Afar"),
        ("English", "English"),
        ("Klingon", "Klingon"),
        ("no idea", "no idea"),
        ("", ""),
    ],
)
def test_languages(value: str, name: str) -> None:
    """Tags become names, whatever else is kept."""
    assert name == language_name(value)


@given(st.integers(-(2**63), 2**63 - 1))
def test_any_time_has_a_timestamp(at_ms: int) -> None:
    """What no calendar holds is shown as its first or last moment."""
    text = timestamp(at_ms)
    assert len(text) == 26
    assert json.dumps(text)


@given(st.integers(-(2**62), 2**62), st.integers(0, 2**45), st.integers(-(2**45), 2**45))
def test_a_wrong_clock_moves_its_events(happened: int, received_at: int, skew: int) -> None:
    """From a minute on, in either direction, the event moves by the difference."""
    expected = happened if abs(skew) < 60_000 else happened + skew
    assert expected == event_time({"time": happened}, received_at, received_at - skew)
    assert happened == event_time({"time": happened}, received_at, None)
    assert received_at == event_time({}, received_at, None)
