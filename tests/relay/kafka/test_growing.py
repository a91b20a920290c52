"""A relay gets more partitions while it runs: nothing is lost, and every user's events stay in order."""

import asyncio
import threading
import time
from contextlib import contextmanager
from itertools import chain, cycle

import msgspec
import pytest

from antinode import ConfigurationError
from antinode.relay.intake import NotKept
from antinode.relay.kafka import following as following_module
from antinode.relay.kafka import growing
from antinode.relay.kafka.client import KafkaTrouble
from antinode.relay.kafka.following import FollowingIntake, FollowingWorker
from antinode.relay.kafka.generations import (
    find_generations,
    generation_to_deliver,
    is_drained,
    open_generation,
)
from antinode.relay.kafka.growing import grow
from antinode.relay.kafka.inspection import Inspector
from antinode.relay.kafka.records import is_probe
from antinode.relay.projects import Projects
from antinode.testing import faults
from antinode.testing.endpoint import Endpoint
from tests.relay.kafka.scene import OPTIONS, PATIENCE, event, eventually, project, read_all, running
from tests.relay.kafka.scene import keep as keep_in_kafka

USERS = 40


@pytest.fixture
def endpoint():
    with Endpoint() as found:
        yield found


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Workers look often whether they are through with a topic."""
    monkeypatch.setattr(following_module, "_WATCH_SECONDS", 0.2)


@pytest.fixture
def admin(settings):
    return Inspector(settings)


class Fronts:
    """Fronts between which each user's requests change from one to the next, as behind a load balancer."""

    def __init__(self, settings, to, count=2):
        self._to = to
        self.kept = 0
        """How many events of each user were answered 200."""
        self._is_over = threading.Event()
        self.refused = 0
        self._failure = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run(settings, count)))

    async def _run(self, settings, count):
        fronts = [FollowingIntake(settings) for _ in range(count)]
        try:
            for each in fronts:
                await each.open()
            while not self._is_over.is_set():
                await asyncio.gather(
                    *(self._keep(fronts[(self.kept + user) % count], user) for user in range(USERS))
                )
                self.kept += 1
        except Exception as error:
            self._failure = error
        finally:
            for each in fronts:
                await each.close(5.0)

    async def _keep(self, front, user):
        while True:
            try:
                await front.keep(self._to, [event(f"user-{user}", self.kept)])
            except NotKept:
                self.refused += 1
                await asyncio.sleep(0.05)
            else:
                return

    @contextmanager
    def running(self):
        self._thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            self._thread.join(PATIENCE)
        if self._failure:
            raise self._failure

    def keep_more(self, count=20):
        """Wait until each user has so many more events."""
        wanted = self.kept + count
        eventually(lambda: self.kept >= wanted or self._failure, 4 * PATIENCE)


def following(settings, *projects):
    """A worker that follows."""
    return running(FollowingWorker(settings, Projects(projects), OPTIONS))


def test_it_grows_while_fronts_and_workers_run(settings, endpoint, monkeypatch):
    """Twice, with two fronts that a user's requests alternate between and two workers: all events arrive,
    once and in order, and the old topics are empty of what has not ended. That the brokers, or we, fail in
    between when they are asked for topics, delays it, and no more."""
    web = project(endpoint)
    for name in ("generation_to_deliver", "open_generation"):
        monkeypatch.setattr(following_module, name, failing(getattr(following_module, name)))
    fronts = Fronts(settings, web)
    with following(settings, web), following(settings, web) as worker, fronts.running():
        fronts.keep_more()
        assert grow(settings, 6, 1).topic == f"{settings.topic}.2"
        fronts.keep_more()
        assert grow(settings, 9, 1).topic == f"{settings.topic}.3"
        fronts.keep_more()
        eventually(lambda: worker.worker.topic == f"{settings.topic}.3", 4 * PATIENCE)
    monkeypatch.undo()
    with following(settings, web):
        endpoint.wait_for(fronts.kept * USERS, 4 * PATIENCE)
    admin = Inspector(settings)
    generations = find_generations(settings, admin)
    assert [(each.number, each.partitions, each.is_sealed) for each in generations] == [
        (1, 4, True),
        (2, 6, True),
        (3, 9, False),
    ]
    assert all(read_all(each.settings, each.topic) for each in generations)
    assert all(is_drained(each, admin) for each in generations[:-1])
    assert endpoint.out_of_order() == []
    assert len({each["insert_id"] for each in endpoint.received}) == fronts.kept * USERS


def failing(ask):
    """It answers at first, and then fails two times of four."""
    kinds = chain([None] * 4, cycle([KafkaTrouble, RuntimeError, None, None]))

    def asked(*arguments):
        kind = next(kinds)
        if kind is not None:
            raise kind("no answer")
        return ask(*arguments)

    return asked


def test_the_old_topic_is_delivered_to_its_end_first(settings, endpoint, admin):
    """While a user of the old topic is throttled, nothing of the new one is delivered; and once that was
    begun with, the old one is over, though the brokers forget at last what was committed there."""
    web = project(endpoint)
    endpoint.answer = faults.throttle(users=["hot"])
    keep(settings, web, event("hot", 0), event("user-1", 0))
    with following(settings, web):
        endpoint.wait_for(1)
        new = grow(settings, 8, 1)
        keep(settings, web, event("hot", 1), event("user-1", 1))
        assert not is_drained(new, admin)
        assert generation_to_deliver(settings, admin).number == 1
    assert len(endpoint.received) == 1
    endpoint.answer = None
    with following(settings, web):
        endpoint.wait_for(4, PATIENCE)
    assert endpoint.out_of_order() == []
    eventually(lambda: is_drained(new, admin))
    forget_commits(settings)
    assert not is_drained(find_generations(settings, admin)[0], admin)
    assert generation_to_deliver(settings, admin).number == 2


def forget_commits(settings):
    """Have the brokers forget what a group has committed, as they do when nobody was in it for a week."""
    from confluent_kafka.admin import AdminClient

    brokers = AdminClient({"bootstrap.servers": settings.bootstrap})
    eventually(lambda: can(brokers.delete_consumer_groups([settings.group])[settings.group].result))


def can(do):
    from confluent_kafka import KafkaException

    try:
        do()
    except KafkaException:
        return False
    return True


def keep(settings, to, *events):
    """Keep events by a front that follows."""

    async def run():
        front = FollowingIntake(settings)
        await front.open()
        try:
            await front.keep(to, events)
        finally:
            await front.close(5.0)

    asyncio.run(run())


def test_it_does_not_begin_while_events_are_parked(settings, endpoint, admin):
    """They would keep the new topic waiting for as long as their user is throttled; nothing has changed."""
    settings = msgspec.structs.replace(settings, max_lane_events=20)
    web = project(endpoint)
    endpoint.answer = faults.throttle(users=["hot"])
    keep(settings, web, *(event("hot", seq) for seq in range(40)))
    with following(settings, web) as worker:
        eventually(lambda: sum(each.parked for each in worker.worker.partitions()) == 40)
    with pytest.raises(KafkaTrouble, match="of throttled users wait in"):
        grow(settings, 6, 1)
    assert [each.is_sealed for each in find_generations(settings, admin)] == [False]
    assert grow(settings, 6, 1, despite_parked=True).number == 2
    endpoint.answer = None
    keep(settings, web, event("hot", 40))
    with following(settings, web):
        endpoint.wait_for(41, PATIENCE)
    assert endpoint.out_of_order() == []


class Killed(BaseException):
    """As if the process had been."""


@pytest.mark.parametrize(
    ("step", "is_done"),
    [
        ("make_topics", False),
        ("make_topics", True),
        ("configure", True),
        ("_seal", True),
        ("_wait_until_open", False),
    ],
)
def test_it_goes_on_after_any_end(settings, endpoint, admin, monkeypatch, step, is_done):
    """Killed before or after any step, it is finished by the same call, and no other; one topic is open at
    most, and the old one takes nothing once the new one is open."""
    web = project(endpoint)
    keep(settings, web, event("user-1", 0))
    where = Inspector if step == "configure" else growing
    real = getattr(where, step)

    def killed(*arguments, **named):
        if is_done:
            real(*arguments, **named)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(where, step, killed)
        with pytest.raises(Killed):
            grow(settings, 6, 1)
    states = [each.is_sealed for each in find_generations(settings, admin)]
    assert states in ([False], [False, True], [True, True], [True, False])
    assert generation_to_deliver(settings, admin).number == 1
    if len(states) == 2:
        with pytest.raises(ConfigurationError, match=r"about to be opened|give a larger number"):
            grow(settings, 5, 1)
    assert grow(settings, 6, 1).number == grow(settings, 6, 1).number == 2
    assert open_generation(settings, admin).partitions == 6
    with pytest.raises(NotKept):
        keep_in_kafka(settings, (web, [event("user-1", 1)]))


def test_it_waits_until_all_brokers_refuse(settings, endpoint, admin, monkeypatch):
    """A broker that hears later of the seal is asked again; what it took in between is no event."""
    web = project(endpoint)
    keep(settings, web, event("user-1", 0))
    configure, delayed = Inspector.configure, []

    class Time:
        monotonic = time.monotonic

        @staticmethod
        def sleep(seconds):
            while delayed:
                configure(*delayed.pop())
            time.sleep(seconds)

    monkeypatch.setattr(growing, "time", Time)
    monkeypatch.setattr(Inspector, "configure", lambda *arguments: delayed.append(arguments))
    monkeypatch.setattr(
        growing, "_wait_until_open", lambda *_: [configure(*delayed.pop()) for _ in list(delayed)]
    )
    grow(settings, 6, 1)
    assert sum(is_probe(each.headers) for each in read_all(settings, settings.topic)) >= 4
    keep(settings, web, event("user-1", 1))
    with following(settings, web):
        endpoint.wait_for(2, PATIENCE)
    assert endpoint.summary()["received"] == 2
    assert endpoint.out_of_order() == []


def test_while_none_is_open_fronts_say_so(settings, endpoint, admin, monkeypatch):
    """They refuse events and are not ready, with what is to be done; once it is, they go on by themselves."""
    web = project(endpoint)
    monkeypatch.setattr(growing, "_seal", seal_and_end(growing._seal))

    async def run():
        front = FollowingIntake(settings)
        await front.open()
        await front.keep(web, [event("user-1", 0)])
        with pytest.raises(KafkaTrouble, match="as if it were killed"):
            await asyncio.to_thread(grow, settings, 6, 1)
        with pytest.raises(NotKept, match="size too large"):
            await front.keep(web, [event("user-1", 1)])
        await until(lambda: "antinode relay grow" in front.health().why)
        assert not front.health().takes
        monkeypatch.undo()
        await asyncio.to_thread(grow, settings, 6, 1)
        await until(lambda: front.health().takes)
        await front.keep(web, [event("user-1", 1)])
        assert front.stats().kept_events == 2
        await front.close(5.0)

    asyncio.run(run())
    with pytest.raises(ConfigurationError, match="has 6 partitions, not 5"):
        open_generation(msgspec.structs.replace(settings, partitions=5), admin)
    assert open_generation(msgspec.structs.replace(settings, partitions=4), admin).number == 2


async def until(holds):
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it has not come about"
        await asyncio.sleep(0.01)


def seal_and_end(seal):
    def sealed(*arguments):
        seal(*arguments)
        raise KafkaTrouble("as if it were killed")

    return sealed
