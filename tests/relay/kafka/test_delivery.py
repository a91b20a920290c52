"""From a real Kafka to a local endpoint: every event arrives, once and in order, whatever happens."""

import logging
import threading

import msgspec
import pytest

from antinode.relay.kafka.holdings import WrongPartitions
from antinode.relay.kafka.records import RecordHead, headers_of, pack, unpack
from antinode.relay.kafka.worker import KafkaWorker
from antinode.relay.projects import Projects
from antinode.testing import faults
from antinode.testing.endpoint import Endpoint
from tests.relay.kafka.conftest import PARTITIONS
from tests.relay.kafka.scene import (
    OPTIONS,
    PATIENCE,
    dead_letters,
    event,
    eventually,
    keep,
    now_ms,
    of_users,
    project,
    read_all,
    worker_process,
    working,
    write,
)

DAY_MS = 86_400_000


@pytest.fixture
def endpoint():
    with Endpoint() as found:
        yield found


def insert_id(kept):
    return msgspec.json.decode(kept.body)["insert_id"]


def seqs(endpoint, user):
    """In which order the events of a user were accepted first."""
    return [each["event_properties"]["seq"] for each in endpoint.events if each["user_id"] == user]


def test_events_of_two_projects_arrive_once_and_in_order(settings, endpoint):
    """Everything that was kept arrives, each user's events in order, those of a project with its key."""
    web, app = project(endpoint), project(endpoint, "app", "f" * 32)
    large = [event("user-1", seq, size=600_000) for seq in (100, 101, 102)]
    stats = keep(settings, (web, of_users(30, 20)), (app, of_users(5, 10, prefix="app")), (web, large))
    assert stats.kept_events == 653
    keys = set()
    endpoint.answer = lambda request: keys.add(request.document["api_key"])
    with working(settings, web, app) as worker:
        endpoint.wait_for(653, PATIENCE)
        assert {figures.name for figures in [web, app]} == set(worker.figures())
    assert endpoint.summary()["received"] == 653
    assert endpoint.out_of_order() == []
    assert keys == {web.api_key, app.api_key}


def test_a_second_worker_begins_where_the_first_ended(settings, endpoint):
    """What has ended is not sent again, and what comes later is."""
    web = project(endpoint)
    for start in (0, 10):
        keep(settings, (web, of_users(20, 10, start=start)))
        with working(settings, web):
            endpoint.wait_for(20 * (start + 10), PATIENCE)
    assert endpoint.summary()["received"] == 400
    assert endpoint.out_of_order() == []


def test_kill_9_of_a_worker_loses_nothing(settings, endpoint):
    """The next worker sends what was not committed, under the same insert_ids and in the same order."""
    web = project(endpoint)
    keep(settings, (web, of_users(50, 100)))
    endpoint.script([None, faults.hang()])
    with worker_process(settings, web) as process:
        endpoint.wait_for_requests(2)
        process.kill()
        process.wait()
        endpoint.answer = None
        with working(settings, web):
            endpoint.wait_for(5000, 20.0)
    assert endpoint.out_of_order() == []
    assert {each["insert_id"] for each in endpoint.received} == {
        f"user-{user}-{seq}" for user in range(50) for seq in range(100)
    }


def test_workers_that_come_and_go_lose_nothing(settings, endpoint):
    """A second worker takes partitions over while the first is sending, and gives them back: all arrive
    once and in order."""
    web = project(endpoint)
    endpoint.answer = faults.delay(0.02)
    keep(settings, (web, of_users(40, 20)))
    with working(settings, web) as first:
        endpoint.wait_for(1, PATIENCE)
        with working(settings, web) as second:
            eventually(lambda: len(first.partitions()) == len(second.partitions()) == 2)
            keep(settings, (web, of_users(40, 20, start=20)))
            endpoint.wait_for(1600, PATIENCE)
        eventually(lambda: len(first.partitions()) == 4)
        keep(settings, (web, of_users(40, 10, start=40)))
        endpoint.wait_for(2000, PATIENCE)
    assert endpoint.summary()["received"] == 2000
    assert endpoint.out_of_order() == []


def test_a_worker_with_a_name_has_its_partitions_again_after_a_restart(settings, endpoint, caplog):
    """Killed or ended, it comes back within its session: no partition moves, and it goes on."""
    caplog.set_level(logging.INFO, "antinode")
    settings = msgspec.structs.replace(settings, session_timeout=120.0)
    web = project(endpoint)
    with working(msgspec.structs.replace(settings, instance="first"), web) as first:
        eventually(lambda: len(first.partitions()) == PARTITIONS)
        named = msgspec.structs.replace(settings, instance="second")
        with worker_process(named, web) as second:
            eventually(lambda: len(first.partitions()) == PARTITIONS // 2)
            keep(settings, (web, of_users(40, 10)))
            endpoint.wait_for(400, PATIENCE)
            caplog.clear()
            second.kill()
        keep(settings, (web, of_users(40, 10, start=10)))
        with worker_process(named, web):
            endpoint.wait_for(800, PATIENCE)
        moves = [each.message for each in caplog.records if "partitions" in each.message]
        assert moves == []
    assert endpoint.out_of_order() == []


def test_an_outage_costs_time_and_nothing_else(settings, endpoint):
    """While Amplitude cannot be reached events wait in Kafka and in memory; then all of them arrive."""
    web = project(endpoint)
    endpoint.down(1.0)
    keep(settings, (web, of_users(20, 20)))
    with working(settings, web):
        endpoint.wait_for(400, PATIENCE)
    assert endpoint.summary()["received"] == 400
    assert endpoint.out_of_order() == []


def test_a_throttled_user_is_parked_and_nobody_else_waits(settings, endpoint):
    """Past its bound the lane of a throttled user waits in a topic of its own, with what comes later, across
    a restart too; the others go on, and once the user is free, all arrive in order."""
    settings = msgspec.structs.replace(settings, max_lane_events=20)
    web = project(endpoint)
    endpoint.answer = faults.throttle(users=["hot"])
    keep(settings, (web, [event("hot", seq) for seq in range(50)] + of_users(30, 10)))
    with working(settings, web) as worker:
        endpoint.wait_for(300, PATIENCE)
        eventually(lambda: sum(each.lanes for each in worker.partitions()) == 1)
        keep(settings, (web, [event("hot", seq) for seq in range(50, 80)] + of_users(30, 10, start=10)))
        endpoint.wait_for(600, PATIENCE)
        eventually(lambda: sum(each.parked for each in worker.partitions()) == 80)
        eventually(lambda: all(each.lag == 0 for each in worker.partitions()))
    assert sum(len(unpack(each.value).bodies) for each in read_all(settings, settings.parked_topic)) == 80
    with working(settings, web) as worker:
        eventually(lambda: sum(each.parked for each in worker.partitions()) == 80)
        keep(settings, (web, [event("hot", seq) for seq in range(80, 90)]))
        eventually(lambda: sum(each.parked for each in worker.partitions()) == 90)
        endpoint.answer = None
    with working(settings, web) as worker:
        endpoint.wait_for(690, PATIENCE)
        eventually(lambda: sum(each.lanes for each in worker.partitions()) == 0)
        keep(settings, (web, [event("hot", 90)]))
        endpoint.wait_for(691, PATIENCE)
    assert seqs(endpoint, "hot") == list(range(91))
    assert endpoint.summary()["received"] == 691


def test_what_amplitude_refuses_is_a_dead_letter(settings, endpoint):
    """It costs no other event, and is kept whole with the reason and where it was."""
    web = project(endpoint)
    endpoint.answer = faults.invalid({"event_properties.bad": True})
    bad = event("user-3", 99, bad=True)
    keep(settings, (web, [*of_users(10, 5), bad, *of_users(10, 5, start=5)]))
    with working(settings, web) as worker:
        endpoint.wait_for(100, PATIENCE)
        eventually(lambda: all(each.lag == 0 for each in worker.partitions()))
    ((fetched, why),) = dead_letters(settings)
    assert unpack(fetched.value).bodies == [bad.body]
    assert (why.reason, why.code) == ("refused", 400)
    assert why.origin == f"{settings.topic}/{bad.stream % 4}/0"
    assert endpoint.out_of_order() == []


def test_a_project_with_a_wrong_key_holds_up_no_other(settings, endpoint):
    """Its events wait while there is room; what would hold up others is set aside as dead letters, whole,
    and what comes once the key is right is delivered."""
    settings = msgspec.structs.replace(settings, max_buffered_bytes=100_000)
    web, app = project(endpoint), project(endpoint, "app", "f" * 32)
    wrong = faults.invalid_api_key()
    endpoint.answer = lambda request: wrong(request) if request.document["api_key"] == app.api_key else None
    requests = [(app, of_users(20, 100, prefix="app", start=100 * at)) for at in range(10)]
    keep(settings, *requests, (web, of_users(30, 10)))
    with working(settings, web, app, max_queue_events=500) as worker:
        endpoint.wait_for(300, PATIENCE)
        eventually(lambda: worker.figures()["app"].dropped > 0)
    endpoint.answer = None
    dead = dead_letters(settings)
    bodies = {body for fetched, _ in dead for body in unpack(fetched.value).bodies}
    kept = [each for _, events in requests for each in events]
    left = {insert_id(each) for each in kept if each.body not in bodies}
    keep(settings, (app, [event("app-late", 0)]))
    with working(settings, web, app):
        eventually(lambda: seqs(endpoint, "app-late") == [0])
        eventually(lambda: left <= {each["insert_id"] for each in endpoint.events})
    assert {why.reason for _, why in dead} == {"set_aside"}
    assert endpoint.out_of_order() == []


def test_what_is_no_record_of_the_relay_is_set_aside(settings, endpoint):
    """Records that cannot be read, or of a project that nobody knows, are dead letters as they are."""
    web = project(endpoint)
    head = headers_of(RecordHead("0" * 16, 1_700_000_000_000, 4))
    write(settings, b"nonsense", [])
    write(settings, b"nonsense", headers_of(RecordHead(web.fingerprint, 1_700_000_000_000, 4)))
    write(settings, pack([1], [b"{}"]), head)
    keep(settings, (web, of_users(10, 5)))
    with working(settings, web) as worker:
        endpoint.wait_for(50, PATIENCE)
        eventually(lambda: all(each.lag == 0 for each in worker.partitions()))
    found = {(why.reason, why.origin): fetched.value for fetched, why in dead_letters(settings)}
    assert found == {
        ("unreadable", f"{settings.topic}/0/0"): b"nonsense",
        ("unreadable", f"{settings.topic}/0/1"): b"nonsense",
        ("unknown_project", f"{settings.topic}/0/2"): pack([1], [b"{}"]),
    }


def test_what_is_too_old_is_set_aside_and_never_sent(settings, endpoint):
    """After six days Amplitude might not know an insert_id again: the event is a dead letter."""
    web = project(endpoint)
    old, young = event("user-1", 0), event("user-1", 1)
    for kept, age in ((old, 6 * DAY_MS + 60_000), (young, 6 * DAY_MS - 600_000)):
        head = RecordHead(web.fingerprint, now_ms() - age, 4)
        write(settings, pack([kept.stream], [kept.body]), headers_of(head), kept.stream % 4)
    with working(settings, web) as worker:
        endpoint.wait_for(1, PATIENCE)
        eventually(lambda: all(each.lag == 0 for each in worker.partitions()))
    assert seqs(endpoint, "user-1") == [1]
    ((fetched, why),) = dead_letters(settings)
    assert unpack(fetched.value).bodies == [old.body]
    assert why.reason == "expired"


def test_what_ended_beyond_the_commit_is_not_sent_again(settings, endpoint):
    """One event keeps the offset from moving; the next worker still knows which of those behind it have
    ended."""
    web = project(endpoint)
    endpoint.answer = faults.throttle(users=["hot"])
    keep(settings, (web, [event("hot", 0), *of_users(40, 10)]))
    with working(settings, web):
        endpoint.wait_for(400, PATIENCE)
    endpoint.answer = None
    with working(settings, web):
        endpoint.wait_for(401, PATIENCE)
    assert endpoint.summary()["received"] == 401


def test_a_record_for_another_number_of_partitions_ends_the_worker(settings, endpoint):
    """A user's events would be in two partitions, without an order: nothing of it is sent."""
    web = project(endpoint)
    one = event("user-1", 0)
    write(settings, pack([one.stream], [one.body]), headers_of(RecordHead(web.fingerprint, now_ms(), 4)))
    worker = KafkaWorker(settings, Projects([web]), OPTIONS)

    def write_later():
        endpoint.wait_for(1, PATIENCE)
        head = RecordHead(web.fingerprint, now_ms(), 8)
        write(settings, pack([one.stream], [one.body]), headers_of(head), 1)

    thread = threading.Thread(target=write_later)
    thread.start()
    with pytest.raises(WrongPartitions, match="written for 8 partitions"):
        worker.run()
    thread.join()
    assert seqs(endpoint, "user-1") == [0]
