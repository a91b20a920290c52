"""The official SDKs, as they are, by way of the relay: what they send arrives, also after a 503."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from antinode.relay.intake import KeptEvent, NotKept
from antinode.relay.projects import Project, Projects
from antinode.relay.spool.intake import SpoolIntake
from antinode.server import Running, running
from tests.relay.running import RunningRelay, running_relay
from tests.server.clients import story
from tests.server.clients.players import API_KEY, Player
from tests.server.test_real_clients import lines, packages, player, sdk, stored  # noqa: F401 - fixtures among them
from tests.storage.spooling import until


class Hesitant(SpoolIntake):
    """Keeps nothing of the first requests, as many as `refuses` says."""

    refuses = 0

    async def keep(self, project: Project, events: Sequence[KeptEvent]) -> None:
        if self.refuses:
            self.refuses -= 1
            raise NotKept(1.0, "it hesitates")
        await super().keep(project, events)


@pytest.fixture(scope="module")
def amplitude() -> Iterator[Running]:
    with running() as server:
        yield server


@pytest.fixture
def intakes() -> list[Hesitant]:
    """The intake of the relay."""
    return []


@pytest.fixture
def relay(amplitude: Running, tmp_path: Path, intakes: list[Hesitant]) -> Iterator[RunningRelay]:
    amplitude.api.reset()
    projects = Projects([Project(name="shop", api_key=API_KEY, server_url=amplitude.url)])

    def make() -> Hesitant:
        intakes.append(Hesitant(tmp_path / "spool", projects))
        return intakes[0]

    def delivering(_: Any) -> Hesitant:
        return intakes[0]

    with running_relay(projects, make, delivering=delivering) as found:
        yield found


def is_delivered(relay: RunningRelay) -> bool:
    delivery = relay.front.status().delivery
    assert delivery is not None
    return delivery["shop"].pending == 0


def test_events_arrive_by_way_of_the_relay(player: Player, relay: RunningRelay, amplitude: Running) -> None:  # noqa: F811
    """Every event arrives once, and the SDK is told that it was delivered."""
    codes = player.play(story.tracks(story.shop_events(300)), relay.server_url)
    until(lambda: is_delivered(relay), "delivery")
    assert codes == {"200": 300}
    assert sorted(lines(stored(amplitude))) == list(range(300))
    assert amplitude.api.stats().totals.duplicates == 0


def test_identifies_leave_the_properties_they_say(
    player: Player,  # noqa: F811
    relay: RunningRelay,
    amplitude: Running,
) -> None:
    """Operations on users and groups have by way of the relay the effects that they are documented to."""
    player.play(story.identifies(), relay.server_url)
    until(lambda: is_delivered(relay), "delivery")
    known, group = amplitude.api.user(story.KNOWN_USER), amplitude.api.group(*story.GROUP)
    assert known is not None
    assert group is not None
    assert known.user_properties == story.KNOWN_USER_PROPERTIES
    assert group.group_properties == story.GROUP_PROPERTIES


def test_after_a_503_an_sdk_sends_again(
    player: Player,  # noqa: F811
    relay: RunningRelay,
    amplitude: Running,
    intakes: list[Hesitant],
) -> None:
    """What could not be kept is answered 503, and the SDK repeats it: everything arrives, once."""
    intakes[0].refuses = 2
    player.play(story.tracks(story.shop_events(60)), relay.server_url)
    until(lambda: is_delivered(relay), "delivery")
    assert sorted(lines(stored(amplitude))) == list(range(60))
    statuses = Counter(status for _, status in relay.front.meter.answers)
    assert relay.front.meter.answers["/2/httpapi", 503] == 2
    assert statuses.keys() == {200, 503}
