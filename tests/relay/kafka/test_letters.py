"""Dead letters are listed with the reason and the origin, and go back once, under the same insert_ids."""

import json

import pytest

from antinode.relay.kafka import replaying
from antinode.relay.kafka.client import KafkaTrouble
from antinode.relay.kafka.dead_letters import Obituary, obituary_headers
from antinode.relay.kafka.growing import grow
from antinode.relay.kafka.inspection import Inspector
from antinode.relay.kafka.letters import letter_partitions, pack_offsets, unpack_offsets
from antinode.relay.kafka.records import RecordHead, headers_of, pack
from antinode.relay.kafka.replaying import replay
from antinode.testing import faults
from antinode.testing.endpoint import Endpoint
from tests.relay.kafka.scene import event, eventually, keep, now_ms, of_users, project, working, write
from tests.relay.kafka.test_commands import run

DAY_MS = 86_400_000


@pytest.fixture
def endpoint():
    with Endpoint() as found:
        yield found


def letters(settings):
    return [
        each for partition in letter_partitions(settings, Inspector(settings)) for each in partition.letters()
    ]


def bury(settings, one, to, *, age_ms=0, reason="refused"):
    """Write a dead letter as a worker does."""
    head = RecordHead(to.fingerprint, now_ms() - age_ms, 4)
    why = Obituary(reason, f"{settings.topic}/0/7", now_ms(), 400, "it was refused")
    value = pack([one.stream], [one.body])
    headers = [*headers_of(head), *obituary_headers(why)]
    write(settings, value, headers, one.stream % 4, topic=settings.dead_topic)


def everything(_):
    return True


def test_what_was_refused_is_replayed_once_mended(settings, endpoint):
    """Listed by project and reason; replayed with what is wrong set right, they arrive in order under their
    insert_ids, and a second replay finds nothing."""
    web = project(endpoint)
    endpoint.answer = faults.invalid({"event_properties.bad": True})
    bad = [event("user-3", seq, bad=True) for seq in range(5)]
    keep(settings, (web, [*bad, *of_users(10, 1, start=10)]))
    with working(settings, web):
        endpoint.wait_for(10)
        eventually(lambda: len(letters(settings)) == 5)
    code, said = run(settings, "dead ls")
    assert (code, said.splitlines()[1].split()[:5]) == (0, ["web", "refused", "400", "5", "0"]), said
    code, said = run(settings, "dead ls", "--each", "--json", "--reason", "refused")
    origins = [json.loads(line)["origin"] for line in said.splitlines()]
    assert (code, origins) == (0, [f"{settings.topic}/{bad[0].stream % 4}/0"] * 5)
    assert run(settings, "dead ls", "--reason", "expired") == (0, "There are no dead letters.\n")
    mended = ("dead replay", "--project", "web", "--drop-field", "event_properties.bad")
    code, said = run(settings, *mended, "--dry-run")
    assert [json.loads(line)["insert_id"] for line in said.splitlines()[:5]] == [
        f"user-3-{seq}" for seq in range(5)
    ]
    assert (code, "5 events would go back" in said) == (0, True)
    assert "5 events are back" in run(settings, *mended)[1]
    assert json.loads(run(settings, *mended, "--json")[1])["replayed"] == 0
    with working(settings, web):
        endpoint.wait_for(15)
    assert [each["event_properties"]["seq"] for each in endpoint.events if each["user_id"] == "user-3"] == [
        10,
        0,
        1,
        2,
        3,
        4,
    ]
    assert all(each.is_replayed for each in letters(settings))
    assert "5 dead letters in all, 0 not replayed." in run(settings, "dead ls")[1]


def test_what_is_too_old_goes_back_only_if_told_so(settings, endpoint):
    """Then it counts as received now, or a worker would set it aside again."""
    web = project(endpoint)
    bury(settings, event("user-1", 0), web, age_ms=6 * DAY_MS + 60_000, reason="expired")
    bury(settings, event("user-1", 1), web)
    code, said = run(settings, "dead replay")
    assert (code, "1 event is back" in said, "1 letter left out" in said) == (1, True, True), said
    with working(settings, web):
        endpoint.wait_for(1)
        assert replay(settings, everything, any_age=True).replayed == 1
        endpoint.wait_for(2)


def test_after_growing_letters_go_to_where_events_are_kept(settings, endpoint):
    """Those of the old topic are found, and have their users' partitions in the new one."""
    web = project(endpoint)
    for user in range(8):
        bury(settings, event(f"user-{user}", 0), web)
    new = grow(settings, 7, 1).settings
    assert replay(settings, everything).replayed == 8
    assert replay(settings, everything).replayed == 0
    with working(new, web):
        endpoint.wait_for(8)


def test_what_ends_in_between_is_replayed_again(settings, endpoint, monkeypatch):
    """Events that are back, but not marked as replayed, go back again under the same insert_ids: nothing is
    lost, and Amplitude counts each once."""
    web = project(endpoint)
    bury(settings, event("user-1", 0), web)

    def fail(*_):
        raise KafkaTrouble("no answer")

    with monkeypatch.context() as patch:
        patch.setattr(replaying, "_mark", fail)
        with pytest.raises(KafkaTrouble):
            replay(settings, everything)
    assert replay(settings, everything).replayed == 1
    with working(settings, web):
        endpoint.wait_for_requests(1)
        eventually(lambda: endpoint.summary()["received"] == 2)
    assert {each["insert_id"] for each in endpoint.received} == {"user-1-0"}


def test_what_cannot_be_read_stays(settings):
    """It is told, and the exit code says so."""
    why = obituary_headers(Obituary("unreadable", f"{settings.topic}/0/0", now_ms()))
    write(settings, b"nonsense", why, topic=settings.dead_topic)
    code, said = run(settings, "dead replay")
    assert (code, "1 letter left out, which cannot be read." in said) == (1, True), said
    assert run(settings, "dead ls")[1].splitlines()[1].split()[:3] == ["-", "unreadable", "1"]


@pytest.mark.parametrize("offsets", [[], [0], [5, 2**63, 7]])
def test_offsets_are_packed(offsets):
    """And what is no such value has none."""
    assert list(unpack_offsets(pack_offsets(offsets))) == offsets
    assert list(unpack_offsets(pack_offsets(offsets) + b"x")) == []
