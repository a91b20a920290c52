"""The engine as a whole: what it answers, tells and forgets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antinode.server.clock import Clock
from antinode.server.engine import Amplitude
from antinode.server.faults.faults import Faults, parse
from antinode.server.models import EventHistory, EventQuery, EventView, Totals, UploadQuery, UploadView
from antinode.server.queries import events as event_queries
from antinode.server.rules import ApiKey, Rules
from antinode.server.storage.profiles import EMPTY
from antinode.server.storage.profiles import after as profile_after
from antinode.server.storage.property_operations import apply, is_same
from tests.examples import examples
from tests.server.ingesting import AT_MS, event, fixed, identify, post, send, views
from tests.server.storage.test_property_operations import MIXED

DAY_MS = 86_400_000


def faulty(*spellings: str) -> Amplitude:
    return Amplitude(clock=fixed(), faults=Faults([parse(each) for each in spellings], now_ms=AT_MS))


def history(amplitude: Amplitude, insert_id: str) -> EventHistory:
    found = amplitude.event(insert_id)
    assert found is not None
    return found


def found(amplitude: Amplitude, **query: Any) -> list[str | None]:
    """The insert_ids of the events that a query finds, newest first."""
    return [each.insert_id for each in views(amplitude, **query)]


@settings(max_examples=examples(25), deadline=None)
@given(st.lists(MIXED, max_size=8))
def test_a_profile_is_its_identifies_applied_in_order(payloads: list[dict[str, Any]]) -> None:
    """Whatever identifies come, alone or together, the user is as if the operations were applied one by one;
    and as it stood after each of them."""
    table: Any = {}
    tables = []
    for payload in payloads:
        table = apply(table, payload)
        tables.append(dict(table))
    with Amplitude(clock=fixed()) as amplitude:
        half = len(payloads) // 2
        sent = [identify(number, payload) for number, payload in enumerate(payloads)]
        send(amplitude, *sent[:half])
        send(amplitude, *sent[half:])
        user = amplitude.user("user-20391")
        assert is_same(dict(table), user.user_properties if user else {})
        for number, expected in enumerate(tables):
            (arrival,) = history(amplitude, f"insert-{number}").arrivals
            assert is_same(expected, arrival.user_properties)


@settings(max_examples=examples(20), deadline=None)
@given(st.lists(MIXED, max_size=5))
def test_a_group_is_its_identifies_applied_in_order(payloads: list[dict[str, Any]]) -> None:
    """The same holds for each of the groups that a group identify names."""
    table: Any = {}
    with Amplitude(clock=fixed()) as amplitude:
        for number, payload in enumerate(payloads):
            table = apply(table, payload)
            named = {"groups": {"org": ["15", "16"]}, "group_properties": payload}
            send(amplitude, {"event_type": "$groupidentify", "insert_id": f"insert-{number}", **named})
            (arrival,) = history(amplitude, f"insert-{number}").arrivals
            assert is_same({"org": {"15": dict(table), "16": dict(table)}}, arrival.group_properties)
        group = amplitude.group("org", "16")
        assert is_same(dict(table), group.group_properties if group else {})


def test_a_property_names_what_set_it() -> None:
    """The event or identify that gave the present value, not one that only gave it again."""
    clock = fixed()
    with Amplitude(clock=clock) as amplitude:
        send(amplitude, identify(1, {"plan": "pro", "n": 1}))
        clock.advance(1000)
        send(amplitude, event(2, user_properties={"plan": "pro", "n": 2}, platform="Web", app_version="1.0"))
        user = amplitude.user("user-20391")
    assert user is not None
    assert (
        user.set_by["plan"].event_type,
        user.set_by["plan"].insert_id,
        user.set_by["plan"].at,
    ) == ("$identify", "insert-1", AT_MS)
    assert (
        user.set_by["n"].seq,
        user.set_by["n"].insert_id,
        user.set_by["n"].at,
    ) == (2, "insert-2", AT_MS + 1000)
    assert user.fields == {"platform": "Web", "start_version": "1.0"}
    assert (user.first_seen, user.last_seen, user.events) == (AT_MS, AT_MS + 1000, 1)


def test_properties_are_seen_as_they_stood() -> None:
    """Of an event from before an identify, the properties from before it."""
    with Amplitude(clock=fixed()) as amplitude:
        send(amplitude, event(1), identify(2, {"plan": "pro"}), event(3))
        first, second = (history(amplitude, f"insert-{number}").arrivals[0] for number in (1, 3))
    assert (first.user_properties, second.user_properties) == ({}, {"plan": "pro"})
    assert first.row is not None
    assert second.row is not None
    assert (first.row["user_properties"], second.row["user_properties"]) == ({}, {"plan": "pro"})


def test_the_event_is_kept_as_it_was_sent() -> None:
    """Byte for byte, spaces and unknown keys and all, though what is applied is mended."""
    text = (
        '{ "event_type":"Song \\u0050layed", "user_id" : 1234567, "time": 1793817970000.0, "x": [1e2, "é"] }'
    )
    with Amplitude(clock=fixed()) as amplitude:
        post(amplitude, ('{"api_key":"k","events":[' + text + "]}").encode())
        (one,) = views(amplitude)
        assert text.encode() == bytes(one.event)
        assert (one.event_type, one.user_id, one.time) == ("Song Played", "1234567", AT_MS)
        assert one.problems
        assert [one] == views(amplitude, user="1234567", event_type="Song Played")


@pytest.mark.parametrize("same", ["Song Played", "$identify"])
def test_a_copy_changes_nothing(same: str) -> None:
    """An insert_id counts once in seven days, on either endpoint; afterwards it counts anew."""
    clock = fixed()
    with Amplitude(clock=clock) as amplitude:
        one = event(1, event_type=same, user_properties={"$add": {"n": 1}})
        send(amplitude, one, one)
        clock.advance(7 * DAY_MS - 1)
        send(amplitude, one, path="/batch")
        assert (amplitude.totals().events, amplitude.totals().duplicates) == (1, 2)
        assert amplitude.user("user-20391").user_properties == {"n": 1}  # type: ignore[union-attr]
        assert amplitude.user("user-20391").last_seen == AT_MS  # type: ignore[union-attr]
        clock.advance(1)
        send(amplitude, one)
        assert (amplitude.totals().events, amplitude.totals().duplicates) == (2, 2)
        outcomes = [each.event.outcome for each in history(amplitude, "insert-1").arrivals]
    assert outcomes == ["accepted", "duplicate", "duplicate", "accepted"]


def test_what_makes_a_copy() -> None:
    """The project, the device and the insert_id; the user only where there is no device."""
    with Amplitude(clock=fixed()) as amplitude:
        for ids in ({}, {"user_id": "user-2"}, {"device_id": "device-1"}, {"device_id": "device-2"}):
            send(amplitude, event(1, **ids))
        send(amplitude, event(1), api_key="1" * 32)
        assert amplitude.totals().duplicates == 0
        send(amplitude, event(1, user_id="user-3", device_id="device-1"))
        send(amplitude, event(1, user_id="user-2"))
        assert amplitude.totals().duplicates == 2


def test_refused_copies_do_not_count() -> None:
    """An insert_id that was only refused before is no copy when it comes again, mended."""
    with Amplitude(clock=fixed()) as amplitude:
        send(amplitude, event(1, time="bad"), event(2))
        send(amplitude, event(1), event(2))
        assert (
            amplitude.totals().events,
            amplitude.totals().duplicates,
            amplitude.totals().rejected,
            amplitude.totals().returned,
        ) == (2, 0, 1, 1)


@given(st.text(min_size=1, max_size=20))
@settings(max_examples=examples(20), deadline=None)
def test_any_insert_id_is_recognised(insert_id: str) -> None:
    """Whatever characters it has."""
    with Amplitude(clock=fixed()) as amplitude:
        for _ in range(2):
            send(amplitude, event(1, insert_id=insert_id))
        assert amplitude.totals().duplicates == 1
        assert len(history(amplitude, insert_id).arrivals) == 2
        assert len(views(amplitude, insert_id=insert_id)) == 2


def test_insert_ids_that_share_a_checksum_are_two() -> None:
    """The checksum only narrows the search."""
    one, other = "plumless", "buckeroo"  # the classic pair with one CRC-32
    with Amplitude(clock=fixed()) as amplitude:
        send(amplitude, event(1, insert_id=one))
        send(amplitude, event(2, insert_id=other))
        assert amplitude.totals().duplicates == 0
        assert [other] == found(amplitude, insert_id=other)
        assert len(history(amplitude, one).arrivals) == 1


def test_why_an_event_is_missing() -> None:
    """One or two sentences about all that happened to it."""
    clock = fixed()
    with Amplitude(clock=clock) as amplitude:
        send(amplitude, event(1))
        send(amplitude, event(1), event(1))
        send(amplitude, event(2, time="bad"), event(3))
        send(amplitude, event(2, time="bad"))
        amplitude.faults.add(parse("500"), AT_MS)
        send(amplitude, event(4))
        amplitude.faults.add(parse("drop-after"), AT_MS)
        send(amplitude, event(5))
        send(amplitude, identify(6, {"a": 1}))
        send(amplitude, event(3))
        summaries = {number: history(amplitude, f"insert-{number}").summary for number in range(1, 7)}
        outcomes = {number: history(amplitude, f"insert-{number}").outcome for number in range(1, 7)}
        assert amplitude.event("insert-7") is None
        assert amplitude.event("") is None
    at = "at 2026-11-04 18:46:10 UTC in upload"
    assert f"Accepted {at} 1; 2 later copies were recognised by their insert_id and dropped." == summaries[1]
    assert summaries[2].startswith(f"Came twice, last {at} 4, and was refused both times: `time` must be")
    assert summaries[3].startswith(f"Accepted {at} 8; refused once besides: nothing is wrong with the event")
    assert (
        f"Came {at} 5 and was not stored: nothing is wrong with the event, but its upload was refused as a "
        "whole, it was answered 500 (Internal Server Error) by the fault 500. "
        "Its sender has to send it again."
    ) == summaries[4]
    assert (
        f"Accepted {at} 6. Its sender does not know: its connection was closed by the fault drop-after."
        == summaries[5]
    )
    assert (
        f"Accepted {at} 7. As an `$identify` it changes properties; it is no row of an export."
        == summaries[6]
    )
    assert list(outcomes.values()) == ["accepted", "rejected", "accepted", "returned", "accepted", "accepted"]


def test_events_are_found() -> None:
    """By each thing that can be asked, alone and together; newest first."""
    clock = fixed()
    with Amplitude(clock=clock) as amplitude:
        send(
            amplitude,
            event(1, device_id="device-1", library="amplitude-python/1.1", groups={"org": ["15", "16"]}),
            event(
                2, user_id="user-2", event_type="Purchase: 50% off", event_properties={"title": "Für Elise"}
            ),
            identify(3, {"plan": "pro"}),
        )
        send(amplitude, event(4, time="bad"), event(5))
        send(amplitude, event(1, device_id="device-1"), event(6, device_id="device-1"), api_key="1" * 32)
        send(amplitude, event(1, device_id="device-1"), path="/batch")
        assert found(amplitude, limit=3) == ["insert-1", "insert-6", "insert-1"]
        assert found(amplitude, device_id="device-1") == ["insert-1", "insert-6", "insert-1", "insert-1"]
        assert found(amplitude, user="device-1") == ["insert-1", "insert-6", "insert-1", "insert-1"]
        assert found(amplitude, user_id="user-2") == ["insert-2"]
        assert found(amplitude, user_id="user-2", device_id="device-1") == []
        assert found(amplitude, user="nobody") == []
        assert found(amplitude, event_type="Purchase: 50% off") == ["insert-2"]
        assert found(amplitude, library="amplitude-python") == ["insert-1"]
        assert found(amplitude, library="amplitude-python/1.1") == ["insert-1"]
        assert found(amplitude, library="amplitude") == []
        assert found(amplitude, group="org:16") == ["insert-1"]
        assert found(amplitude, outcome="rejected") == ["insert-4"]
        assert found(amplitude, outcome="returned") == ["insert-5"]
        assert found(amplitude, outcome="duplicate") == ["insert-1"]
        assert len(found(amplitude, outcome="accepted")) == 5
        assert found(amplitude, problem="invalid_time") == ["insert-4"]
        assert found(amplitude, problem="any") == ["insert-4"]
        assert found(amplitude, problem="any", outcome="rejected", user="user-20391") == ["insert-4"]
        assert found(amplitude, upload_id=2) == ["insert-5", "insert-4"]
        assert found(amplitude, project_id=300002) == ["insert-6", "insert-1"]
        assert found(amplitude, text="für ELISE") == ["insert-2"]
        assert found(amplitude, text="elise") == ["insert-2"]
        assert found(amplitude, text="50%") == ["insert-2"]
        assert found(amplitude, text="5_%") == []
        assert found(amplitude, before=3) == ["insert-2", "insert-1"]
        assert found(amplitude, after=6) == ["insert-1", "insert-6"]
        assert found(amplitude, before=0) == []
        for huge in (2**70, -(2**70)):
            assert found(amplitude, upload_id=huge) == []
            assert found(amplitude, project_id=huge) == []
            assert amplitude.upload(huge) is None
            assert amplitude.user("user-2", huge) is None
            found(amplitude, before=huge, after=huge)
            amplitude.uploads(UploadQuery(before=huge))


@settings(max_examples=examples(15), deadline=None)
@given(st.integers(0, 40), st.integers(1, 15))
def test_pages_join(count: int, limit: int) -> None:
    """Page after page, each event comes once, newest first, and the last page says that it is."""
    with Amplitude(clock=fixed()) as amplitude:
        for start in range(0, count, 7):
            send(amplitude, *(event(number) for number in range(start, min(start + 7, count))))
        for query in ({}, {"text": "song"}, {"user": "user-20391"}):
            seqs, before = [], None
            while True:
                page = amplitude.events(EventQuery(limit=limit, before=before, **query))
                seqs += [each.seq for each in page.events]
                before = page.next_before
                if before is None:
                    break
            assert list(range(count, 0, -1)) == seqs
        ids, before = [], None
        while True:
            uploads = amplitude.uploads(UploadQuery(limit=limit, before=before))
            ids += [each.id for each in uploads.uploads]
            before = uploads.next_before
            if before is None:
                break
        assert list(range(-(-count // 7), 0, -1)) == ids


def test_a_long_search_stops_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """When its time is up a search tells what it has, and where to go on; each call gets further."""
    monkeypatch.setattr(event_queries, "_SLICE", 10)
    ticks = iter(range(10_000))
    with Amplitude(clock=fixed()) as amplitude:
        send(
            amplitude,
            *(event(number, event_type="rare" if number == 3 else "often") for number in range(100)),
        )
        amplitude._search = event_queries.Search(amplitude._store, timer=lambda: next(ticks))
        pages, before, events = 0, None, []
        while True:
            page = amplitude.events(EventQuery(event_type="rare", before=before))
            pages, before, events = pages + 1, page.next_before, events + page.events
            if before is None:
                break
        assert [each.insert_id for each in events] == ["insert-3"]
        assert pages == 11


def test_uploads_tell_what_came_of_them() -> None:
    """Sizes, counts, the answer of a failure, and the beginning of a body that could not be read."""
    with Amplitude(clock=fixed()) as amplitude:
        send(amplitude, event(1), event(1), library="x")
        send(amplitude, event(2, time="bad", library="antinode/1"), event(3))
        post(amplitude, b"{broken")
        third, second, first = amplitude.uploads(UploadQuery()).uploads
        assert [third, second] == amplitude.uploads(UploadQuery(failed=True)).uploads
        assert [first] == amplitude.uploads(UploadQuery(failed=False)).uploads
        assert amplitude.uploads(UploadQuery(path="/batch")).uploads == []
        detail = amplitude.upload(2)
    assert (
        first.status,
        first.events,
        first.accepted,
        first.duplicates,
        first.error,
        first.answer,
    ) == (200, 2, 1, 1, None, None)
    assert (
        second.status,
        second.rejected,
        second.returned,
        second.error,
        second.library,
    ) == (400, 1, 1, "Invalid field values on some events", "antinode/1")
    assert json.loads(second.answer or "")["events_with_invalid_fields"] == {"time": [0]}
    assert (
        third.status,
        third.events,
        third.body_start,
        third.wire_size,
        third.body_size,
    ) == (400, 0, "{broken", 7, 7)
    assert detail is not None
    assert [each.outcome for each in detail.events] == ["rejected", "returned"]


@pytest.mark.parametrize(
    ("spelling", "status", "accepted", "is_cut"),
    [
        ("500", 500, 0, False),
        ("503", 503, 0, False),
        ("413", 413, 0, False),
        ("429", 429, 0, False),
        ("400", 400, 0, False),
        ("500-after", 500, 1, False),
        ("drop-before", 0, 0, True),
        ("drop-after", 0, 1, True),
        ("down:10s", 0, 0, True),
        ("delay:2s", 200, 1, False),
    ],
)
def test_faults(spelling: str, status: int, accepted: int, is_cut: bool) -> None:
    """Each does what it says once; nothing is wrong with the events, which come again and are accepted."""
    with faulty(spelling) as amplitude:
        answer = send(amplitude, event(1))
        assert is_cut == answer.is_cut
        assert is_cut or status == answer.status
        assert (2.0 if "delay" in spelling else 0.0) == answer.delay_s
        (upload,) = amplitude.uploads(UploadQuery()).uploads
        assert status == upload.status
        assert spelling.split("@", maxsplit=1)[0] in (upload.fault or "")
        assert (accepted, 0, 1 - accepted) == (upload.accepted, upload.rejected, upload.returned)
        amplitude.clock.advance(10_000)
        assert send(amplitude, event(1)).status == 200
        assert amplitude.totals().events == 1


def test_a_user_is_throttled_alone() -> None:
    """The answer names the user and its events; only their problem is told."""
    with faulty("429:user=user-2") as amplitude:
        assert send(amplitude, event(1)).status == 200
        answer = send(amplitude, event(2), event(3, user_id="user-2"))
        told = json.loads(answer.body)
        assert (
            answer.status,
            told["throttled_users"],
            told["throttled_events"],
        ) == (429, {"user-2": 31}, [1])
        assert found(amplitude, problem="throttled") == ["insert-3"]
        assert found(amplitude, outcome="returned") == ["insert-3", "insert-2"]


def test_uploads_are_told_of_once_committed() -> None:
    """With the totals and, if it is asked for, the newest 20 events, newest first."""
    told: list[tuple[UploadView, Sequence[EventView], Totals]] = []

    def hear(upload: UploadView, views: Any, totals: Totals) -> None:
        assert upload == amplitude.uploads(UploadQuery(limit=1)).uploads[0]
        told.append((upload, views(), totals))

    with Amplitude(clock=fixed(), on_upload=hear) as amplitude:
        send(amplitude, *(event(number) for number in range(30)))
        post(amplitude, b"")
        newest = views(amplitude, limit=20)
    assert newest == told[0][1]
    assert told[0][2].events == 30
    assert told[1][1] == []
    assert (told[1][2].uploads, told[1][0].status) == (2, 400)


def stats_totals(amplitude: Amplitude) -> tuple[int, int]:
    totals = amplitude.stats().totals
    return totals.events, totals.problems


def test_stats_add_up() -> None:
    """Counts by status, type, library and problem, and series by the second and by the minute."""
    clock = fixed()
    with Amplitude(clock=clock) as amplitude:
        assert stats_totals(amplitude) == (0, 0)
        send(amplitude, event(1, library="a/1"), event(2), event(2), identify(3, {}))
        clock.advance(2000)
        send(amplitude, event(4, time="bad", groups={"org": "15"}), event(5))
        clock.advance(1000)
        stats, minutes = amplitude.stats(5), amplitude.stats(7200)
        assert stats_totals(amplitude) == (3, 1)
    assert [(each.name, each.count) for each in stats.statuses] == [("200", 1), ("400", 1)]
    assert [(each.name, each.count) for each in stats.event_types] == [("Song Played", 2), ("$identify", 1)]
    assert [(each.name, each.count) for each in stats.libraries] == [("http/2.0", 2), ("a/1", 1)]
    assert [(each.code, each.count, each.seq) for each in stats.problems] == [("invalid_time", 1, 5)]
    assert (stats.stored_events, stats.max_events, stats.users, stats.groups) == (6, None, 1, 0)
    series = stats.series
    assert (series.step_s, series.start, series.accepted) == (1, AT_MS - 1000, [0, 3, 0, 0, 0])
    assert (series.duplicates, series.rejected) == ([0, 1, 0, 0, 0], [0, 0, 0, 2, 0])
    assert (series.uploads, series.failed_uploads) == ([0, 1, 0, 1, 0], [0, 0, 0, 1, 0])
    assert (minutes.series.step_s, len(minutes.series.accepted), sum(minutes.series.accepted)) == (60, 120, 3)


def test_rules_take_effect_at_once() -> None:
    """New ones are in force for the next request; what was stored stays."""
    with Amplitude(clock=fixed()) as amplitude:
        assert send(amplitude, event(1)).status == 200
        amplitude.rules = Rules(
            api_keys=(ApiKey(key="2" * 32, project_id=7),), silenced_devices=("device-1",)
        )
        assert send(amplitude, event(2)).status == 400
        assert send(amplitude, event(2), api_key="2" * 32).status == 200
        assert send(amplitude, event(3, device_id="device-1"), api_key="2" * 32).status == 400
        assert {None, 7, 300001} == {each.project_id for each in amplitude.uploads(UploadQuery()).uploads}


def test_projects_keep_their_numbers() -> None:
    """Each key has a number of its own from when it first came, never one that a rule gives another."""
    with Amplitude(
        clock=fixed(), rules=Rules(api_keys=("a", "b", ApiKey(key="c", project_id=300002)))
    ) as amplitude:
        for key in ("b", "c", "a", "b"):
            send(amplitude, event(1), api_key=key)
        projects = [each.project_id for each in amplitude.uploads(UploadQuery()).uploads]
    assert projects == [300003, 300004, 300002, 300003]


def test_a_reset_is_a_new_start() -> None:
    """Nothing stored or counted, and the rules, clock and faults of the start, unless they are kept."""
    with faulty("500@next=2") as amplitude:
        first_rules = amplitude.rules
        send(amplitude, event(1))
        send(amplitude, event(1))
        send(amplitude, event(1))
        changed = amplitude.rules = Rules(api_keys=("0123456789abcdef0123456789abcdef",))
        amplitude.clock.advance(5000)
        amplitude.reset(keep=("rules", "clock", "faults"))
        assert (changed, AT_MS + 5000) == (amplitude.rules, amplitude.clock.now_ms())
        assert Totals() == amplitude.totals()
        assert send(amplitude, event(1)).status == 200
        assert views(amplitude)[0].seq == 1
        amplitude.reset()
        assert (first_rules, AT_MS) == (amplitude.rules, amplitude.clock.now_ms())
        assert views(amplitude) == []
        assert amplitude.users().users == []
        assert sum(amplitude.stats(600).series.uploads) == 0
        assert send(amplitude, event(1)).status == 500


def test_a_reset_restores_a_running_clock() -> None:
    """A clock that ran when the engine began runs again."""
    clock = Clock()
    with Amplitude(clock=clock) as amplitude:
        clock.fix(5)
        amplitude.reset()
        assert not clock.is_fixed
        assert clock.ahead_ms == 0


def test_users_and_groups_are_searched() -> None:
    """By a part of an id, in any case; a percent sign is only a percent sign."""
    with Amplitude(clock=fixed()) as amplitude:
        send(
            amplitude,
            event(1, user_id="Ada%1", device_id="phone-1"),
            event(2, user_id="Grace", device_id="phone-2"),
        )
        send(amplitude, event(3, groups={"Company": ["ACME", "Zenith"]}))
        listed = [each.user_id for each in amplitude.users().users]
        assert listed == ["user-20391", "Grace", "Ada%1"]
        assert [each.user_id for each in amplitude.users("da%").users] == ["Ada%1"]
        assert [each.user_id for each in amplitude.users("PHONE-2").users] == ["Grace"]
        assert [each.user_id for each in amplitude.users("phone").users] == ["Grace", "Ada%1"]
        assert len(amplitude.users("", limit=1).users) == 1
        assert amplitude.users("nobody" * 1000).users == []
        assert {"ACME", "Zenith"} == {each.group_name for each in amplitude.groups("compan").groups}
        assert [each.group_name for each in amplitude.groups("acme").groups] == ["ACME"]
        assert amplitude.groups("nothing").groups == []
        assert amplitude.group("Company", "none") is None


@pytest.mark.parametrize("max_events", [0, -1])
def test_max_events_makes_sense(max_events: int) -> None:
    """At least one."""
    with pytest.raises(ValueError, match="write 1 or more"):
        Amplitude(max_events=max_events)


def test_a_profile_is_folded_from_events() -> None:
    """Fields of ordinary events and identifies end on the user as the pure rules say."""
    events = [
        event(1, platform="Web", os_name="Linux"),
        event(2, country="France", app_version="1.0"),
        event(3, platform="iOS", price=3),
        identify(4, {"a": 1}, city="Paris"),
    ]
    profile = EMPTY
    for seq, each in enumerate(events, 1):
        profile = profile_after(profile, each, seq)
    with Amplitude(clock=fixed()) as amplitude:
        send(amplitude, *events)
        user = amplitude.user("user-20391")
    assert user is not None
    assert profile.fields == user.fields
    assert user.fields == {"platform": "iOS", "city": "Paris", "start_version": "1.0", "paying": True}
