"""How a relay on Kafka stands, by its topics and what its workers have committed, for people and programs."""

import json

import msgspec
import pytest

from antinode.relay.kafka.growing import grow
from antinode.relay.kafka.progress import Figures, read_progress, write_progress
from antinode.relay.kafka.standing import kafka_standing
from antinode.testing import faults
from antinode.testing.endpoint import Endpoint
from tests.relay.kafka.scene import event, eventually, keep, of_users, project, working
from tests.relay.kafka.test_commands import run


@pytest.fixture
def endpoint():
    with Endpoint() as found:
        yield found


def total(settings, name):
    return sum(getattr(each, name) for each in kafka_standing(settings))


def test_what_waits_is_told_by_partition(settings, endpoint):
    """Before there is a worker how much it is and how old; then who is throttled, in memory or parked, with
    the worker of each partition; after its end what is left."""
    settings = msgspec.structs.replace(settings, max_lane_events=20)
    web = project(endpoint)
    endpoint.answer = faults.throttle(users=["hot", "warm"])
    events = [event("hot", seq) for seq in range(50)] + [event("warm", seq) for seq in range(5)]
    keep(settings, (web, events + of_users(10, 2)))
    before = kafka_standing(settings, clock=lambda: 4_000_000_000.0)
    assert [each.partition for each in before] == [0, 1, 2, 3]
    assert {each.worker for each in before} == {None}
    of_hot = before[event("hot", 0).stream % 4]
    assert of_hot.behind == 1
    assert of_hot.oldest_age_s > 1e9
    code, said = run(settings, "status")
    assert (code, "there is no worker" in said) == (1, True), said
    with working(settings, web):
        endpoint.wait_for(20)
        eventually(lambda: total(settings, "parked") == 50)
        eventually(lambda: total(settings, "throttled") == 1)
        found = kafka_standing(settings)
        code, said = run(settings, "status", "--json")
    assert None not in {each.worker for each in found}
    assert sum(each.parked_streams for each in found) == 1
    assert found[event("hot", 0).stream % 4].parked == 50
    told = json.loads(said)
    assert (code, told["is_ready"], len(told["delivery"])) == (0, True, 4)
    assert sum(each["parked"] for each in told["delivery"]) == 50
    after = kafka_standing(settings)
    assert sum(each.behind for each in after) == 1  # the record with what is left of the user in memory
    assert all(each.oldest_age_s is not None for each in after if each.behind)


def test_a_relay_that_grows_has_the_partitions_of_both_topics(settings, endpoint):
    """While something is left in the old one; the new one's turn is later, and it needs no worker yet."""
    keep(settings, (project(endpoint), [event("user-1", 0)]))
    grow(settings, 6, 1)
    found = kafka_standing(settings)
    assert [each.topic for each in found] == [settings.topic] * 4 + [f"{settings.topic}.2"] * 6
    with working(settings, project(endpoint)):
        endpoint.wait_for(1)
        eventually(lambda: len(kafka_standing(settings)) == 6)


@pytest.mark.parametrize("figures", [None, Figures(0, 0), Figures(2**63, 12)])
def test_figures_are_committed_beside_what_has_ended(figures):
    """And cost nothing of that."""
    text = write_progress([(1, 4)], is_released=False, figures=figures)
    assert read_progress(text).figures == figures
    assert read_progress(text).ended == [(1, 4)]
    assert read_progress(f"{text}.x").ended == [(1, 4)]
