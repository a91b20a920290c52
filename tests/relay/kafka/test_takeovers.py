"""How a worker comes by partitions and commits of them, while brokers answer late, wrongly, or never."""

import pytest

from antinode.relay.kafka.client import KafkaTrouble, PartitionOffset
from antinode.relay.kafka.commits import Committer
from antinode.relay.kafka.holdings import Holdings
from antinode.relay.kafka.progress import Figures, write_progress
from antinode.relay.kafka.settings import KafkaSettings
from antinode.relay.kafka.takeovers import ASK_AGAIN_SECONDS, PATIENCE_SECONDS, Takeovers

SETTINGS = KafkaSettings(bootstrap="nowhere:1")
TOPIC, PARKED = SETTINGS.topic, SETTINGS.parked_topic
REQUEST_TIMEOUT = 10.0


class Asked:
    """A question that the test answers when it likes."""

    def __init__(self, partitions):
        self.partitions = list(partitions)
        self.is_answered = False
        self.found = None

    def give(self, found):
        self.is_answered, self.found = True, found

    def answer(self):
        assert self.is_answered
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


class Brokers:
    """What takeovers and commits talk to."""

    def __init__(self):
        self.committed, self.bounds, self.commits = [], [], []
        self.renewed = 0
        self.waits_for = []
        """What each commit that is waited for raises."""

    def ask_committed(self, topics, partitions, seconds):
        assert set(topics) == {TOPIC, PARKED}
        self.committed.append(Asked(partitions))
        return self.committed[-1]

    def ask_bounds(self, topic, partitions, seconds):
        assert topic == PARKED
        self.bounds.append(Asked(partitions))
        return self.bounds[-1]

    def renew(self):
        self.renewed += 1

    def commit(self, positions):
        self.commits.append(positions)

    def commit_and_wait(self, positions):
        self.commits.append(positions)
        if self.waits_for and (error := self.waits_for.pop(0)):
            raise error


class Scene:
    """Takeovers with holdings behind them, and a list of what is read."""

    def __init__(self):
        self.now = 100.0
        self.brokers = Brokers()
        self.holdings = Holdings(
            SETTINGS,
            4,
            ["web"],
            send=lambda _: None,
            clock=lambda: self.now,
            unix_clock=lambda: self.now,
            writer="w",
        )
        self.tenures = {}
        self.read = []
        self.takeovers = Takeovers(
            self.brokers,
            TOPIC,
            PARKED,
            request_timeout=REQUEST_TIMEOUT,
            begin=self.begin,
            begin_parked=self.begin_parked,
            begin_events=lambda tenure: self.read.append((TOPIC, tenure.partition, tenure.watermark.offset)),
        )
        self.committer = Committer(self.brokers, self.holdings, 1.0, self.takeovers.marked)

    def begin(self, partition, at, parked_at):
        self.tenures[partition] = self.holdings.begin(partition, at, parked_at)
        return self.tenures[partition]

    def begin_parked(self, tenure, start, until):
        parked = self.holdings.begin_parked(tenure, start, until)
        self.read.append((PARKED, parked.partition, parked.watermark.offset))

    def step(self):
        if self.takeovers.step(self.now):
            self.committer.hurry()
        self.committer.work(self.now, self.tenures.values())

    def take(self, *partitions, committed=(), bounds=(0, 0)):
        """Take partitions over from brokers that answer at once, up to where `committed` lets it."""
        self.takeovers.take(partitions, self.now)
        self.step()
        self.brokers.committed[-1].give({(each.topic, each.partition): each for each in committed})
        self.step()
        self.committer.told(None)
        self.step()
        if self.brokers.bounds:
            self.brokers.bounds[-1].give(dict.fromkeys(partitions, bounds))
            self.step()


@pytest.fixture
def scene():
    return Scene()


def at(partition, offset, *, is_released):
    figures = None if is_released else Figures(0, 0)
    text = write_progress((), is_released=is_released, figures=figures, offset=offset)
    return PartitionOffset(TOPIC, partition, offset, text)


def test_a_partition_that_nobody_had_is_read_at_once(scene):
    """From its beginning on, what is parked first."""
    scene.take(2)
    assert scene.read == [(PARKED, 2, 0), (TOPIC, 2, 0)]
    assert len(scene.takeovers) == 0


def test_all_partitions_are_asked_about_together(scene):
    """However many there are, it is one question of each kind."""
    scene.take(*range(4))
    assert [each.partitions for each in scene.brokers.committed] == [[0, 1, 2, 3]]
    assert [each.partitions for each in scene.brokers.bounds] == [[0, 1, 2, 3]]


def test_a_partition_that_was_let_go_is_read_at_once_where_that_ended(scene):
    """Nothing of its last owner is under way."""
    scene.take(1, committed=[at(1, 7, is_released=True)])
    assert (TOPIC, 1, 7) in scene.read


def test_the_requests_of_an_owner_that_did_not_let_go_are_waited_for(scene):
    """They may be under way for as long as a request takes."""
    scene.take(1, committed=[at(1, 7, is_released=False)])
    assert (scene.read, scene.brokers.bounds) == ([], [])
    scene.now += REQUEST_TIMEOUT - 0.1
    scene.step()
    assert scene.brokers.bounds == []
    scene.now += 0.1
    scene.step()
    scene.step()
    scene.brokers.bounds[-1].give({1: (0, 0)})
    scene.step()
    assert scene.read == [(PARKED, 1, 0), (TOPIC, 1, 7)]


def test_brokers_that_do_not_answer_keep_nobody_waiting(scene):
    """Partitions that are there go on, and a question that has no answer yet is not asked twice, unless it
    never has one."""
    scene.take(0)
    scene.takeovers.take([1], scene.now)
    for _ in range(int(PATIENCE_SECONDS)):
        scene.step()
        scene.now += 1.0
    assert len(scene.brokers.committed) == 2
    assert scene.read == [(PARKED, 0, 0), (TOPIC, 0, 0)]
    for _ in range(int(PATIENCE_SECONDS)):
        scene.step()
        scene.now += 1.0
    assert len(scene.brokers.committed) == 3
    scene.brokers.committed[-1].give({})
    scene.step()
    assert 1 in scene.tenures


@pytest.mark.parametrize("answers", ["committed", "bounds"])
def test_what_brokers_did_not_say_is_asked_again(scene, answers):
    """After a moment, as often as need be, and by a new client each time: an old one may know too much."""
    questions = getattr(scene.brokers, answers)
    scene.takeovers.take([3], scene.now)
    scene.step()
    if answers == "bounds":
        scene.brokers.committed[-1].give({})
        scene.step()
        scene.committer.told(None)
        scene.step()
    for count in range(1, 5):
        questions[-1].give(KafkaTrouble("no leader"))
        scene.step()
        assert (len(questions), scene.brokers.renewed) == (count, count)
        scene.now += ASK_AGAIN_SECONDS
        scene.step()
        assert len(questions) == count + 1
    assert 3 in scene.takeovers


def test_nothing_is_read_before_it_is_committed_whose_partition_it_is(scene):
    """Whoever comes next has to know that something may be under way; a commit that fails is tried again."""
    scene.takeovers.take([1], scene.now)
    scene.step()
    scene.brokers.committed[-1].give({(TOPIC, 1): at(1, 7, is_released=True)})
    scene.step()
    for count in range(1, 4):
        assert len(scene.brokers.commits) == count
        assert scene.brokers.commits[-1][0] == at(1, 7, is_released=False)
        scene.committer.told(KafkaTrouble("no coordinator"))
        scene.now += 1.0
        scene.step()
        assert scene.brokers.bounds == []
    scene.committer.told(None)
    scene.step()
    assert len(scene.brokers.bounds) == 1


def test_what_is_parked_is_known_before_an_event_is_read(scene):
    """So no event passes those of its user that wait."""
    scene.take(0, bounds=(0, 3))
    assert scene.read == [(PARKED, 0, 0)]
    parked = scene.tenures[0].parked
    for offset in range(3):
        assert 0 in scene.takeovers
        parked.lanes.read(offset, "web", [1], is_own=False)
        scene.step()
    assert scene.read[1:] == [(TOPIC, 0, 0)]


def test_parked_records_that_are_gone_are_not_waited_for(scene):
    """Kafka removes what is too old: reading begins behind it."""
    scene.take(0, bounds=(9, 9))
    assert scene.read == [(PARKED, 0, 9), (TOPIC, 0, 0)]


def test_an_answer_about_a_partition_that_went_meanwhile_is_not_used(scene):
    """Another worker may have had it before it came back: it is asked about anew."""
    scene.takeovers.take([1], scene.now)
    scene.step()
    scene.takeovers.let_go([1])
    scene.takeovers.take([1], scene.now)
    scene.brokers.committed[-1].give({(TOPIC, 1): at(1, 7, is_released=True)})
    scene.step()
    assert scene.tenures == {}
    scene.brokers.committed[-1].give({(TOPIC, 1): at(1, 8, is_released=True)})
    scene.step()
    assert scene.tenures[1].watermark.offset == 8


def test_only_partitions_that_were_begun_with_may_have_something_under_way(scene):
    """Of the others the last owner's requests are all that there may be."""
    scene.take(1, committed=[at(1, 7, is_released=False)])
    scene.take(2, bounds=(0, 1))
    assert [scene.takeovers.has_begun(each) for each in (1, 2)] == [False, True]


def test_one_commit_is_under_way_at_a_time(scene):
    """What changes meanwhile is in the next one, and nothing is committed that has not changed."""
    scene.take(0)
    scene.now += 1.0
    (made,) = scene.brokers.commits
    assert [each.topic for each in made] == [TOPIC, PARKED]
    tenure = scene.tenures[0]
    for offset in range(3):
        tenure.watermark.take(offset, 1)
        tenure.end(tenure.first_place + offset, tenure.first_place + offset + 1)
        scene.now += 1.0
        scene.step()
    assert [each.offset for (each,) in scene.brokers.commits[1:]] == [1]
    scene.committer.told(None)
    scene.now += 1.0
    scene.step()
    assert [each.offset for (each,) in scene.brokers.commits[1:]] == [1, 3]


def test_the_last_commit_is_tried_while_it_may_help(scene):
    """A coordinator that moves is asked again; one that has given the partition to others is not."""
    scene.take(0)
    moves, over = KafkaTrouble("it moves"), KafkaTrouble("it is over", passes=False)
    made = scene.brokers.commits
    for raised, count in (([moves, moves], 3), ([over], 1)):
        scene.brokers.waits_for = list(raised)
        scene.holdings.commit_again(scene.tenures.values())
        made.clear()
        scene.committer.commit_last(
            scene.now, list(scene.tenures.values()), is_released=True, goes_on=lambda: True
        )
        assert len(made) == count
        assert made[0][0] == at(0, 0, is_released=True)
    scene.brokers.waits_for = [moves] * 9
    scene.holdings.commit_again(scene.tenures.values())
    made.clear()
    ends = iter([True, True, False])
    scene.committer.commit_last(
        scene.now, list(scene.tenures.values()), is_released=True, goes_on=lambda: next(ends)
    )
    assert len(made) == 3
