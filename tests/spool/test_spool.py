"""One process's spool: appending, reading, acknowledging, and what stays in the directory."""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from antinode._spool import DELIVERED, DROPPED, REJECTED, Spool, SpoolFull
from antinode._spool.disk import Disk
from antinode._spool.errors import SpoolError
from antinode._spool.filesystems import type_of
from tests.examples import examples
from tests.spool.files import bodies, drain, opened, segments, settle


@pytest.fixture(params=[None, False], ids=["mapped where safe", "plain"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Spool]:
    """Both ways of writing keep the same promises."""

    def make_spool(**options: object) -> Spool:
        return opened(tmp_path / "spool", is_mapped=request.param, **options)  # type: ignore[arg-type]

    return make_spool


Make = Callable[..., Spool]


def test_records_are_given_back_in_order(make: Make) -> None:
    """What is appended with direct=False is read in order, with its time, and marked as own."""
    spool = make()
    for number in range(500):
        spool.append(b"%d" % number, float(number), direct=False)
    assert spool.unread == 500
    read = drain(spool, max_events=7)
    assert [(record.body, record.logged_at, record.is_own) for record in read] == [
        (b"%d" % number, float(number), True) for number in range(500)
    ]
    assert not spool.has_unread
    spool.close()


def test_a_batch_keeps_to_both_limits(make: Make) -> None:
    """read() gives at most so many events and bytes, but one record at least, however large."""
    spool = make()
    for size in (10, 10, 10, 5000, 10):
        spool.append(b"x" * size, 0.0, direct=False)
    assert [[len(record.body) for record in spool.read(2, 25)] for _ in range(5)] == [
        [10, 10],
        [10],
        [5000],
        [10],
        [],
    ]
    spool.close()


def test_what_was_read_counts_as_read_with_the_next_read(make: Make) -> None:
    """Until the caller has asked for more, records may not overtake the batch it has just been given."""
    spool = make()
    spool.append(b"1", 0.0, direct=False)
    assert bodies(spool.read(10, 100)) == [b"1"]
    assert spool.has_unread
    with pytest.raises(ValueError, match="overtake"):
        spool.append(b"2", 0.0, direct=True)
    spool.append(b"2", 0.0, direct=False)
    assert bodies(spool.read(10, 100)) == [b"2"]
    assert spool.read(10, 100) == []
    assert not spool.has_unread
    spool.append(b"3", 0.0, direct=True)
    assert not spool.has_unread
    assert spool.read(10, 100) == []
    spool.close()


def test_settled_segments_are_deleted(make: Make, tmp_path: Path) -> None:
    """Segments go once each of their records is acknowledged; nothing at all is left after closing."""
    spool = make()
    places = [spool.append(b"x" * 1000, 0.0, direct=True) for _ in range(3000)]
    assert len(segments(tmp_path / "spool")) > 2
    spool.acknowledge(places, DELIVERED)
    spool.prepare()
    assert len(segments(tmp_path / "spool")) <= 2
    assert spool.stats().pending == 0
    assert spool.close() == (0, 0)
    assert list((tmp_path / "spool").iterdir()) == []


def test_what_is_left_is_given_to_the_next(make: Make, tmp_path: Path) -> None:
    """Unacknowledged records, and only they, come again when the directory is opened next, with their age."""
    now = 1000.0
    spool = make(clock=lambda: now, wall=lambda: 5_000_000.0)
    places = [spool.append(b"%d" % number, 990.0 + number, direct=True) for number in range(6)]
    spool.acknowledge([places[1], places[4]], DELIVERED)
    spool.acknowledge([places[2]], REJECTED)
    left = spool.close()
    assert left.events == 3
    assert left.bytes == sum(file.stat().st_size for file in segments(tmp_path / "spool"))
    assert left.bytes < 16_384, "the unused part of the file is given back"

    # Another process: its monotonic clock began elsewhere, and 60 seconds have gone by.
    spool = make(clock=lambda: 7.0, wall=lambda: 5_000_060.0)
    assert spool.adopt() == 1
    assert [(r.body, r.logged_at, r.is_own) for r in drain(spool)] == [
        (b"0", 7.0 - 70.0, False),
        (b"3", 7.0 - 67.0, False),
        (b"5", 7.0 - 65.0, False),
    ]
    spool.close()

    # The wall clock was set back: a record is new at most.
    spool = make(clock=lambda: 7.0, wall=lambda: 4_000_000.0)
    spool.adopt()
    assert [record.logged_at for record in drain(spool)] == [7.0, 7.0, 7.0]
    spool.close()


def test_the_first_code_stays(make: Make) -> None:
    """Acknowledging twice, with another code, or for places nobody has, changes nothing."""
    spool = make()
    place = spool.append(b"1", 0.0, direct=True)
    spool.append(b"2", 0.0, direct=True)
    spool.acknowledge([place, place], DELIVERED)
    spool.acknowledge([place], DROPPED)
    spool.acknowledge([0, -5, place + (1 << 40), place + 100_000], DELIVERED)
    assert spool.stats().pending == 1
    with pytest.raises(ValueError, match="give DELIVERED"):
        spool.acknowledge([place], 0)
    spool.close()


def test_a_large_record_gets_a_segment_of_its_own(make: Make, tmp_path: Path) -> None:
    """A record larger than any segment is kept, in its place in the order."""
    spool = make(max_bytes=1 << 28)
    large = os.urandom(1000) * 20_000
    spool.append(b"before", 0.0, direct=False)
    spool.append(large, 0.0, direct=False)
    spool.append(b"after", 0.0, direct=False)
    assert bodies(drain(spool)) == [b"before", large, b"after"]
    spool.close()
    spool = make(max_bytes=1 << 28)
    spool.adopt()
    assert settle(spool) == [b"before", large, b"after"]
    spool.close()


def test_tiny_records_fill_a_segment_too(make: Make) -> None:
    """When the acknowledgement bytes run out before the room does, the next segment is begun."""
    spool = make()
    for number in range(20_000):
        spool.append(b"%d" % (number % 10), 0.0, direct=False)
    assert len(drain(spool)) == 20_000
    spool.close()


def test_a_spare_segment_is_made_ahead_of_need(make: Make) -> None:
    """prepare() makes the next segment once the current one is half full, before append needs it."""
    spool = make()
    while spool.stats().segments == 1:
        spool.append(b"x" * 1000, 0.0, direct=True)
        spool.prepare()
    assert spool.stats().segments == 2
    number = spool.append(b"y", 0.0, direct=True)
    assert spool.append(b"y", 0.0, direct=True) == number + 1, "the first segment is not full yet"
    spool.close()


def test_a_spare_that_is_too_small_does_not_stay(make: Make, tmp_path: Path) -> None:
    """A record larger than the spare segment makes it useless, for order's sake: it is deleted."""
    spool, places = make(max_bytes=1 << 28), []
    while spool.stats().segments == 1:
        places.append(spool.append(b"x" * 1000, 0.0, direct=True))
        spool.prepare()
    places.append(spool.append(b"x" * 3_000_000, 0.0, direct=True))
    spool.acknowledge(places, DELIVERED)
    spool.prepare()
    assert spool.stats().segments <= 2
    spool.close()
    assert list((tmp_path / "spool").iterdir()) == []


def test_the_limit_holds_for_the_directory(make: Make, tmp_path: Path) -> None:
    """All files together stay within max_bytes; smaller segments use up the room, then SpoolFull comes."""
    limit = 1_000_000
    spool, places = make(max_bytes=limit), []
    with contextlib.suppress(SpoolFull):
        while True:
            places.append(spool.append(b"x" * 1000, 0.0, direct=True))
            assert sum(file.stat().st_size for file in segments(tmp_path / "spool")) <= limit
    assert len(places) > 850
    with pytest.raises(SpoolFull, match="1,000,000"):
        spool.append(b"x", 0.0, direct=True)
    with pytest.raises(SpoolFull):
        spool.prepare()
    assert "holds its limit" in spool.stats().trouble
    spool.acknowledge(places[:500], DELIVERED)
    spool.prepare()
    assert spool.stats().trouble == ""
    spool.append(b"x", 0.0, direct=True)
    assert spool.close().events == len(places) - 499


def test_a_full_directory_can_still_be_emptied(make: Make) -> None:
    """Opening succeeds without room for a segment, so that what fills the directory can be delivered."""
    spool = make(max_bytes=300_000)
    with contextlib.suppress(SpoolFull):
        while True:
            spool.append(b"x" * 1000, 0.0, direct=False)
    spool.close()
    spool = make(max_bytes=100_000)
    with pytest.raises(SpoolFull):
        spool.append(b"y", 0.0, direct=True)
    assert spool.adopt() > 0
    assert len(settle(spool)) > 200
    spool.prepare()
    spool.append(b"y", 0.0, direct=True)
    spool.close()


def test_only_this_user_may_read_it(make: Make, tmp_path: Path) -> None:
    """The directory and its files are readable by their user alone."""
    spool = make()
    assert stat.S_IMODE((tmp_path / "spool").stat().st_mode) == 0o700
    for file in (tmp_path / "spool").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    spool.close()


def test_a_closed_spool_takes_nothing(make: Make) -> None:
    """Before open() and after close() append says so; the rest does nothing."""
    from antinode._spool import SpoolBroken

    spool = make()
    spool.close()
    with pytest.raises(SpoolBroken, match="not open"):
        spool.append(b"x", 0.0, direct=True)
    assert (spool.adopt(), spool.read(1, 1), spool.has_unread, spool.close()) == (0, [], False, (0, 0))
    spool.prepare()
    spool.sync()
    spool.open()
    spool.append(b"x", 0.0, direct=True)
    spool.close()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_bytes": 0}, "max_bytes"),
        ({"max_bytes": 1 << 20, "durability": "eventual"}, '"strict"'),
        ({"max_bytes": 1 << 20, "fingerprint": b"123456789"}, "at most 8"),
    ],
)
def test_nonsense_is_refused(tmp_path: Path, options: dict[str, object], message: str) -> None:
    """Arguments that make no sense raise ValueError and touch no file."""
    with pytest.raises(ValueError, match=message):
        Spool(tmp_path / "spool", **options)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


class FillingDisk(Disk):
    """The real disk; notes what is filled with zeros."""

    def __init__(self) -> None:
        self.filled: list[int] = []

    def write_zeros(self, descriptor: int, offset: int, size: int) -> None:
        super().write_zeros(descriptor, offset, size)
        self.filled.append(size)


@pytest.mark.parametrize(
    ("durability", "seconds", "is_filled"),
    [("process", 1, True), ("process", 3600, False), ("interval", 1, False)],
)
def test_a_spare_that_is_used_soon_is_filled_ahead(
    tmp_path: Path, durability: str, seconds: int, is_filled: bool
) -> None:
    """Not where its pages would be written to the medium before; it takes records as any other does."""
    disk, now = FillingDisk(), 0.0
    spool = opened(tmp_path, disk=disk, durability=durability, clock=lambda: now)
    if not spool.stats().is_mapped:
        pytest.skip("segments are not mapped here")
    written = [b"%d" % number + b"x" * 1000 for number in range(600)]
    for body in written[:200]:
        spool.append(body, 0.0, direct=False)
    assert disk.filled == []
    now += seconds
    spool.prepare()
    assert bool(disk.filled) == is_filled
    for body in written[200:]:
        spool.append(body, 0.0, direct=False)
    assert settle(spool) == written
    spool.close()


class CountingDisk(Disk):
    """The real disk; counts syncs, and lets a test hold one up."""

    def __init__(self) -> None:
        self.syncs = 0
        self.gate = threading.Event()
        self.gate.set()
        self.waiting = threading.Semaphore(0)

    def sync(self, descriptor: int) -> None:
        self.syncs += 1
        self.waiting.release()
        assert self.gate.wait(120)
        super().sync(descriptor)


def test_threads_that_wait_together_share_a_sync(make: Make) -> None:
    """wait_durable() returns only after a sync that began after the append; one sync serves all who wait."""
    disk = CountingDisk()
    spool = make(disk=disk, durability="strict")
    places = [spool.append(b"%d" % number, 0.0, direct=True) for number in range(2)]
    disk.gate.clear()
    while disk.waiting.acquire(blocking=False):
        pass
    before = disk.syncs
    first = threading.Thread(target=spool.wait_durable, args=(places[0],))
    first.start()
    assert disk.waiting.acquire(timeout=120)  # the first sync is under way
    places += [spool.append(b"%d" % number, 0.0, direct=True) for number in range(2, 20)]
    others = [threading.Thread(target=spool.wait_durable, args=(place,)) for place in places[1:]]
    for thread in others:
        thread.start()
    disk.gate.set()
    for thread in [first, *others]:
        thread.join(120)
    assert disk.syncs - before == 2
    spool.wait_durable(places[-1])
    assert disk.syncs - before == 2
    spool.close()


class InterruptedDisk(Disk):
    """Runs `interrupt` once, in the midst of a sync or of the making of a segment, as a destructor would."""

    def __init__(self) -> None:
        self.interrupt: Callable[[], object] | None = None

    def _interrupt(self) -> None:
        interrupt, self.interrupt = self.interrupt, None
        if interrupt is not None:
            interrupt()

    def sync(self, descriptor: int) -> None:
        self._interrupt()
        super().sync(descriptor)

    def create(self, path: str) -> int:
        self._interrupt()
        return super().create(path)


def on_a_thread(call: Callable[[], object]) -> None:
    """Make a call that must not hang."""
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(120)
    assert not thread.is_alive(), "it hangs"


def test_what_interrupts_a_sync_can_be_made_durable(make: Make) -> None:
    """A signal handler or destructor that logs in the midst of a sync does not wait for its own thread."""
    disk = InterruptedDisk()
    spool = make(disk=disk, durability="strict")
    synced: list[int] = []

    def log() -> None:
        place = spool.append(b"late", 0.0, direct=True)
        spool.wait_durable(place)
        synced.append(place)

    place = spool.append(b"early", 0.0, direct=True)
    disk.interrupt = log
    on_a_thread(lambda: spool.wait_durable(place))
    assert synced == [place + 1]
    spool.close()


def test_one_who_holds_what_others_need_waits_for_nobody(make: Make) -> None:
    """wait_durable(alone=True) returns while another thread is in a sync, with the record on disk."""
    disk = CountingDisk()
    spool = make(disk=disk, durability="strict")
    first, second = (spool.append(b"x", 0.0, direct=True) for _ in range(2))
    with spool._syncing:
        before = disk.syncs
        on_a_thread(lambda: spool.wait_durable(second, alone=True))
        assert disk.syncs == before + 1
    spool.wait_durable(first)
    spool.close()


def test_what_interrupts_the_making_of_a_segment_is_refused_for_the_moment(make: Make) -> None:
    """A destructor's record that needs the very segment which its thread is making does not wait for it."""
    disk = InterruptedDisk()
    spool = make(disk=disk)
    refused: list[SpoolError] = []

    def log() -> None:
        try:
            while True:
                spool.append(b"x" * 10_000, 0.0, direct=True)
        except SpoolError as error:
            refused.append(error)

    while spool._current.header.size // 2 < spool._current.free:  # type: ignore[union-attr]
        spool.append(b"x" * 10_000, 0.0, direct=True)
    spool.append(b"x" * 10_000, 0.0, direct=True)
    disk.interrupt = log
    on_a_thread(spool.prepare)
    assert len(refused) == 1
    spool.append(b"x" * 10_000, 0.0, direct=True)
    spool.close()


def test_durability_reaches_over_rotations(make: Make) -> None:
    """A sync covers every segment that was written since the last one, and the names of new ones."""
    disk = CountingDisk()
    spool = make(disk=disk, durability="interval")
    for _ in range(2000):
        spool.append(b"x" * 1000, 0.0, direct=True)
    spool.prepare()
    own = spool.stats().segments
    before = disk.syncs
    spool.sync()
    assert disk.syncs - before >= own - 1
    spool.sync()
    assert disk.syncs - before <= own
    spool.close()


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("27 1 254:0 / / rw,relatime - ext4 /dev/vda rw", "ext4"),
        ("31 27 254:0 / /data rw shared:1 master:2 - xfs /dev/vdb rw", "xfs"),
        ("40 27 0:77 /sub /data rw - btrfs /dev/vdc rw", "btrfs"),
        ("41 27 0:78 / /other rw - nfs4 server:/x rw", ""),
    ],
)
def test_the_type_of_a_file_system_is_found(line: str, kind: str) -> None:
    """By device number, else by the longest mount point; nothing is taken for granted."""
    assert type_of("/data/spool", "254:0", [line]) == kind


class OrderModel(RuleBasedStateMachine):
    """In whatever order things are called, each record is given once, in order, or never if direct."""

    def __init__(self) -> None:
        super().__init__()
        import tempfile

        self.directory = tempfile.TemporaryDirectory()
        self.expected: list[bytes] = []
        self.pending: list[int] = []
        self.unsettled: dict[bytes, None] = {}
        self.count = 0
        self.places: dict[int, bytes] = {}

    @initialize(is_mapped=st.sampled_from([None, False]))
    def begin(self, is_mapped: bool | None) -> None:
        self.is_mapped = is_mapped
        self.spool = opened(Path(self.directory.name), max_bytes=1 << 24, is_mapped=is_mapped)

    def _append(self, size: int, *, direct: bool) -> None:
        body = b"%d:" % self.count + b"x" * size
        self.count += 1
        place = self.spool.append(body, 0.0, direct=direct)
        assert place not in self.places
        self.places[place] = body
        self.unsettled[body] = None
        if direct:
            self.pending.append(place)
        else:
            self.expected.append(body)

    @rule(sizes=st.lists(st.sampled_from([0, 10, 300, 20_000, 70_000]), min_size=1, max_size=12))
    def append(self, sizes: list[int]) -> None:
        for size in sizes:
            self._append(size, direct=False)

    @precondition(lambda self: not self.spool.unread)
    @rule(sizes=st.lists(st.sampled_from([0, 300, 70_000]), min_size=1, max_size=5))
    def append_direct(self, sizes: list[int]) -> None:
        for size in sizes:
            self._append(size, direct=True)

    @rule(events=st.integers(1, 20), room=st.sampled_from([1, 500, 100_000]))
    def read(self, events: int, room: int) -> None:
        batch = self.spool.read(events, room)
        assert bool(batch) == bool(self.expected)
        assert len(batch) <= events
        assert bodies(batch) == self.expected[: len(batch)]
        del self.expected[: len(batch)]
        self.pending += [record.place for record in batch]

    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        if self.pending:
            places = data.draw(st.lists(st.sampled_from(self.pending), unique=True))
            self.spool.acknowledge(places, DELIVERED)
            for place in places:
                self.pending.remove(place)
                self.unsettled.pop(self.places[place], None)

    @rule()
    def prepare(self) -> None:
        self.spool.prepare()

    @rule()
    def reopen(self) -> None:
        """As a restart: everything unsettled comes again, in order."""
        left = self.spool.close()
        assert left.events == len(self.unsettled)
        self.spool = opened(Path(self.directory.name), max_bytes=1 << 24, is_mapped=self.is_mapped)
        self.places.clear()
        self.pending.clear()
        self.spool.adopt()
        read = drain(self.spool)
        assert bodies(read) == list(self.unsettled)
        self.expected.clear()
        for record in read:
            self.places[record.place] = record.body
            self.pending.append(record.place)

    @invariant()
    def books(self) -> None:
        assert self.spool.stats().damaged_bytes == 0
        assert self.spool.unread >= len(self.expected)

    def teardown(self) -> None:
        if hasattr(self, "spool"):
            self.spool.close()
        self.directory.cleanup()


OrderModel.TestCase.settings = settings(max_examples=examples(30), stateful_step_count=30, deadline=None)
TestOrder = OrderModel.TestCase


@given(st.lists(st.booleans(), max_size=40))
@settings(deadline=None, max_examples=examples(15))
def test_reading_while_another_thread_appends_keeps_the_order(pauses: list[bool]) -> None:
    """The coordinator and the logging threads share no lock: nothing is lost, doubled or out of order."""
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        spool = opened(Path(directory))
        direct: list[bytes] = []
        total = 3000

        def log() -> None:
            for number in range(total):
                body = b"%d" % number
                try:
                    spool.append(body, 0.0, direct=True)
                    direct.append(body)
                except ValueError:
                    spool.append(body, 0.0, direct=False)
                if pauses and pauses[number % len(pauses)]:
                    spool.append(b"buffered %d" % number, 0.0, direct=False)

        thread = threading.Thread(target=log)
        thread.start()
        read: list[bytes] = []
        while thread.is_alive():
            read += bodies(spool.read(50, 1 << 20))
        thread.join()
        read += bodies(drain(spool))
        numbers = [int(body) for body in read if not body.startswith(b"buffered")]
        assert numbers == sorted(numbers)
        assert sorted([*numbers, *map(int, direct)]) == list(range(total))
        buffered = [body for body in read if body.startswith(b"buffered")]
        expected = [b"buffered %d" % n for n in range(total) if pauses and pauses[n % len(pauses)]]
        assert buffered == expected
        spool.close()


@settings(max_examples=examples(15))
@given(
    ends=st.lists(
        st.tuples(st.integers(0, 99), st.integers(-5, 99), st.sampled_from([DELIVERED, DROPPED])), max_size=8
    )
)
def test_a_range_of_places_ends_as_its_places_do(
    tmp_path_factory: pytest.TempPathFactory, ends: list[tuple[int, int, int]]
) -> None:
    """Whatever had ended before, in one segment or beyond it, and whether or not there are such records."""
    left = []
    for is_range in (True, False):
        spool = opened(path := tmp_path_factory.mktemp("spool"), max_bytes=300_000)
        places = [spool.append(b"%02000d" % number, 0.0, direct=True) for number in range(100)]
        assert places[0] >> 32 != places[-1] >> 32
        for first, count, code in ends:
            run = range(places[first], places[first] + count)
            spool.acknowledge(run if is_range else list(run), code)
        spool.close()
        heir = opened(path)
        heir.adopt()
        left.append(bodies(drain(heir)))
        heir.close()
    assert left[0] == left[1]
