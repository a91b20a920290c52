"""The official SDKs, as they are, against the local Amplitude: what they send is what it holds."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections import Counter
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from antinode.server import Running
from tests.server.clients import story
from tests.server.clients.players import API_KEY, Player, install_packages, node_player, python_player

ADDED = {
    "amplitude-python": {"insert_id", "library"},
    "amplitude-node": {"library"},
    "amplitude-node-ts": {"insert_id", "library", "event_id"},
}
"""What each SDK puts on an event that comes with its time and ids."""

PYTHON, NODE, ANALYTICS_NODE = ADDED
PURCHASE = {"$price": 249.5, "$quantity": 2, "$productId": "turntable", "$revenueType": "purchase"}


@pytest.fixture(scope="session")
def packages(pytestconfig: pytest.Config) -> Path:
    """The official Node SDKs, installed where pytest keeps what outlasts a run."""
    assert pytestconfig.cache is not None
    return install_packages(pytestconfig.cache.mkdir("official-sdks"))


@pytest.fixture(params=ADDED)
def sdk(request: pytest.FixtureRequest) -> str:
    """Each official SDK, by the name of its library."""
    name: str = request.param
    return name


@pytest.fixture
def player(sdk: str, request: pytest.FixtureRequest) -> Player:
    if sdk == PYTHON:
        return python_player()
    packages = request.getfixturevalue("packages")
    if sdk == NODE:
        return node_player(packages, "amplitude_node.js", "@amplitude/node", sdk)
    return node_player(packages, "analytics_node.js", "@amplitude/analytics-node", sdk)


def stored(server: Running) -> list[dict[str, Any]]:
    """The events that the server accepted, as they came, oldest first."""
    return [view.event for view in reversed(server.api.events(limit=10_000, outcome="accepted"))]


def exported(server: Running) -> list[dict[str, Any]]:
    """The Export API's rows of everything that came within the hour."""
    now = datetime.fromtimestamp(server.api.clock().now_ms / 1000, timezone.utc)
    start, end = (f"{now + timedelta(hours=hours):%Y%m%dT%H}" for hours in (-1, 1))
    archive = zipfile.ZipFile(io.BytesIO(server.api.export(start, end, api_key=API_KEY)))
    files = (gzip.decompress(archive.read(name)) for name in archive.namelist())
    return [json.loads(line) for file in files for line in file.splitlines()]


def lines(events: list[dict[str, Any]]) -> list[int]:
    return [event["event_properties"]["line"] for event in events]


def answers(server: Running) -> list[int]:
    """The statuses of the requests, oldest first."""
    return [upload.status for upload in reversed(server.api.uploads())]


def test_every_event_is_held_as_it_was_logged(sdk: str, player: Player, server: Running) -> None:
    """Each event is there once, equal to what was logged but for what the SDK is known to add."""
    logged = story.shop_events(2_000)

    codes = player.play(story.tracks(logged), server.server_url)

    held = stored(server)
    assert codes == {"200": 2_000}
    assert sorted(lines(held)) == list(range(2_000))
    for event in held:
        given = logged[event["event_properties"]["line"]]
        assert {key: event[key] for key in event.keys() - ADDED[sdk]} == given
        assert event.keys() - given.keys() == ADDED[sdk]
        assert event["library"] == player.library
    totals = server.api.stats().totals
    assert (totals.events, totals.ordinary_events) == (2_000, 2_000)
    assert (totals.duplicates, totals.rejected, totals.returned) == (0, 0, 0)


def test_order_is_kept_where_the_sdk_keeps_it(sdk: str, player: Player, server: Running) -> None:
    """The events lie in the order in which they were sent. The Python SDK sends batches side by side."""
    player.play(story.tracks(story.shop_events(1_000)), server.server_url)

    held = lines(stored(server))
    assert sorted(held) == list(range(1_000))
    assert sdk == PYTHON or held == sorted(held)


def test_the_batch_endpoint_takes_the_same_events(player: Player, server: Running) -> None:
    """An SDK pointed at `/batch` delivers there."""
    codes = player.play(story.tracks(story.shop_events(300)), server.url + "/batch")

    assert codes == {"200": 300}
    assert sorted(lines(stored(server))) == list(range(300))
    assert {upload.path for upload in server.api.uploads()} == {"/batch"}


def test_identifies_leave_the_properties_they_say(sdk: str, player: Player, server: Running) -> None:
    """Every operation of the SDKs on users and groups ends in the properties that it is documented to."""
    codes = player.play(story.identifies(), server.server_url)

    known, cleared = server.api.user(story.KNOWN_USER), server.api.user(story.CLEARED_USER)
    group = server.api.group(*story.GROUP)
    assert codes == {"200": 11}
    assert known is not None
    assert cleared is not None
    assert group is not None
    assert known.user_properties == story.KNOWN_USER_PROPERTIES
    assert cleared.user_properties == story.CLEARED_USER_PROPERTIES
    assert known.fields["paying"] is True
    assert group.group_properties == story.GROUP_PROPERTIES
    types = Counter(event["event_type"] for event in stored(server))
    assert types == {"$identify": 7, "$groupidentify": 3, "revenue_amount": 1}


def test_a_purchase_is_exported_as_revenue(player: Player, server: Running) -> None:
    """However an SDK spells revenue, the Export API's row tells price, quantity and product the same way."""
    player.play(story.identifies(), server.server_url)

    (row,) = (row for row in exported(server) if row["event_type"] == "revenue_amount")
    assert row["user_id"] == story.KNOWN_USER
    assert row["library"] == player.library
    assert {key: row["event_properties"][key] for key in PURCHASE} == PURCHASE


def test_the_server_says_what_an_sdk_leaves_out(sdk: str, player: Player, server: Running) -> None:
    """The old Node SDK gives events no insert_id: the server warns of every one, and of no other SDK's."""
    player.play(story.tracks(story.shop_events(50)), server.server_url)

    warned = server.api.events(problem="no_insert_id")
    assert len(warned) == (50 if sdk == NODE else 0)
    assert server.api.events(problem="any") == warned


def test_a_failed_request_is_sent_again(player: Player, server: Running) -> None:
    """After one 500 that stored nothing, every event arrives, once."""
    server.api.add_faults("500@next=1")

    player.play(story.tracks(story.shop_events(60)), server.server_url)

    assert sorted(lines(stored(server))) == list(range(60))
    assert answers(server)[0] == 500
    assert set(answers(server)[1:]) == {200}


def test_what_was_stored_before_a_failure_is_not_stored_twice(
    sdk: str, player: Player, server: Running
) -> None:
    """A request that was stored and answered 500 comes again: insert_ids make it one; without them, two."""
    server.api.add_faults("500-after@next=1")

    player.play(story.tracks(story.shop_events(60)), server.server_url)

    times = 2 if sdk == NODE else 1
    totals = server.api.stats().totals
    first = server.api.uploads()[-1]
    assert sorted(lines(stored(server))) == sorted(list(range(60)) + list(range(first.events)) * (times - 1))
    assert totals.duplicates == (0 if sdk == NODE else first.events)


def test_an_event_that_a_400_names_is_taken_out(sdk: str, player: Player, server: Running) -> None:
    """The event of a user called "undefined" is refused by name, and the others of its batch arrive."""
    events = story.shop_events(40)
    events[7]["user_id"] = "undefined"

    codes = player.play(story.tracks(events), server.server_url)

    (refused,) = server.api.events(outcome="rejected")
    assert lines([refused.event]) == [7]
    assert [problem.field for problem in refused.problems if problem.severity == "error"] == ["user_id"]
    assert sorted(lines(stored(server))) == [line for line in range(40) if line != 7]
    # The old Node SDK tells every caller of the batch its first answer.
    assert sdk == NODE or codes == {"200": 39, "400": 1}


@pytest.mark.parametrize("sdk", [NODE, ANALYTICS_NODE], indirect=True)
def test_a_throttled_user_arrives_later(player: Player, server: Running) -> None:
    """A 429 for one user: its events come again, and everybody's arrive. (The Python SDK waits for 30 s.)"""
    events = story.shop_events(60)
    server.api.add_faults(f"429:user={events[0]['user_id']}@next=1")

    player.play(story.tracks(events), server.server_url)

    assert sorted(lines(stored(server))) == list(range(60))
    assert answers(server)[0] == 429
