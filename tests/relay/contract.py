"""What every intake promises, as tests: a test class of an intake inherits them."""

from __future__ import annotations

import asyncio
from typing import Protocol

import pytest

from antinode.relay.intake import Intake, KeptEvent, NotKept
from antinode.relay.projects import Project
from tests.relay.kept import APP, WEB, event, numbers_by_user

WITHIN_S = 30.0
"""What nothing here may take."""


class IntakeBench(Protocol):
    """A store, with intakes that keep events in it."""

    def intake(self) -> Intake:
        """A new intake on the store, which knows the projects of `kept`. The test opens and closes it."""

    async def read_back(self, project: Project) -> list[bytes]:
        """The bodies that the store holds for a project, each stream in its order. No intake is open."""

    async def break_down(self) -> None:
        """Have the store refuse whatever it is given."""

    async def mend(self) -> None:
        """Have it take events again."""


async def keep_at_last(intake: Intake, each: KeptEvent) -> None:
    """Try until the event is kept, as a client does."""
    while True:
        try:
            return await intake.keep(WEB, [each])
        except NotKept as refused:
            await asyncio.sleep(min(refused.retry_after, 0.1))


async def ready(intake: Intake) -> None:
    """Return when it takes events of every project."""
    while not intake.health().takes:
        await asyncio.sleep(0.01)


class IntakeContract:
    """Inherit this in a class `Test…` with a fixture `bench`."""

    closes_within_s = WITHIN_S
    """What `close` is given."""

    @pytest.fixture
    def bench(self) -> IntakeBench:
        raise NotImplementedError

    async def test_what_was_kept_is_there_for_the_next_process(self, bench: IntakeBench) -> None:
        """Every event of a call that returned is read back, byte for byte, and each stream in its order."""
        events = [event(number, user) for number in range(20) for user in ("user-1", "user-2")]
        intake = bench.intake()
        await intake.open()
        for start in range(0, len(events), 8):
            await intake.keep(WEB, events[start : start + 8])
        await intake.close(self.closes_within_s)
        found = await bench.read_back(WEB)
        assert sorted(found) == sorted(each.body for each in events)
        assert numbers_by_user(found) == {"user-1": list(range(20)), "user-2": list(range(20))}

    async def test_calls_at_once_lose_nothing(self, bench: IntakeBench) -> None:
        """Many callers at once have all their events kept, and each finds its own in order."""
        intake = bench.intake()
        await intake.open()

        async def caller(user: str) -> None:
            for number in range(0, 12, 3):
                await intake.keep(WEB, [event(each, user) for each in range(number, number + 3)])

        users = [f"user-{number}" for number in range(25)]
        await asyncio.gather(*map(caller, users))
        await intake.close(self.closes_within_s)
        found = await bench.read_back(WEB)
        assert numbers_by_user(found) == {user: list(range(12)) for user in users}

    async def test_projects_are_kept_apart(self, bench: IntakeBench) -> None:
        """What was kept for one project is not found under another."""
        intake = bench.intake()
        await intake.open()
        await asyncio.gather(intake.keep(WEB, [event(1)]), intake.keep(APP, [event(2)]))
        await intake.close(self.closes_within_s)
        assert await bench.read_back(WEB) == [event(1).body]
        assert await bench.read_back(APP) == [event(2).body]

    async def test_a_large_event_is_kept_beside_small_ones(self, bench: IntakeBench) -> None:
        """An event that nearly fills a request is kept whole, in its place."""
        events = [event(0), event(1, size=990_000), event(2)]
        intake = bench.intake()
        await intake.open()
        await intake.keep(WEB, events)
        await intake.close(self.closes_within_s)
        assert await bench.read_back(WEB) == [each.body for each in events]

    async def test_a_later_intake_goes_on(self, bench: IntakeBench) -> None:
        """What the next process keeps comes after what the one before has kept."""
        for number in range(3):
            intake = bench.intake()
            await intake.open()
            await intake.keep(WEB, [event(number)])
            await intake.close(self.closes_within_s)
        assert sorted(await bench.read_back(WEB)) == [event(number).body for number in range(3)]

    async def test_nothing_is_kept_before_open_and_after_close(self, bench: IntakeBench) -> None:
        """An intake that is not open says so: `NotKept`, with a wait, and in its health."""
        intake = bench.intake()
        assert not intake.health().takes
        with pytest.raises(NotKept) as before:
            await intake.keep(WEB, [event(1)])
        await intake.open()
        assert intake.health().takes, intake.health().why
        await intake.close(self.closes_within_s)
        await intake.close(self.closes_within_s)
        with pytest.raises(NotKept) as after:
            await intake.keep(WEB, [event(2)])
        assert before.value.retry_after > 0
        assert after.value.retry_after > 0
        assert not intake.health().takes
        assert await bench.read_back(WEB) == []

    async def test_no_events_are_kept_at_once(self, bench: IntakeBench) -> None:
        """A call without events returns."""
        intake = bench.intake()
        await intake.open()
        await intake.keep(WEB, [])
        await intake.close(self.closes_within_s)
        assert await bench.read_back(WEB) == []

    async def test_a_store_that_refuses_is_told_and_gone_back_to(self, bench: IntakeBench) -> None:
        """While the store is broken `keep` raises `NotKept` in a bounded time, health says why, and what is
        given once it works again is kept."""
        intake = bench.intake()
        await intake.open()
        await intake.keep(WEB, [event(0)])
        await bench.break_down()
        with pytest.raises(NotKept) as refused:
            await asyncio.wait_for(intake.keep(WEB, [event(1)]), WITHIN_S)
        assert refused.value.retry_after > 0
        assert refused.value.why
        assert WEB.api_key not in str(refused.value)
        assert not intake.health().takes
        assert intake.health().why
        await bench.mend()
        await asyncio.wait_for(keep_at_last(intake, event(2)), WITHIN_S)
        await asyncio.wait_for(ready(intake), WITHIN_S)
        stats = intake.stats()
        await intake.close(self.closes_within_s)
        assert (stats.kept_events, stats.waiting) == (2, 0)
        assert stats.refused_events >= 1
        assert stats.kept_bytes == len(event(0).body) + len(event(2).body)
        found = await bench.read_back(WEB)
        # What was refused may have been kept all the same.
        assert [body for body in found if body != event(1).body] == [event(0).body, event(2).body]
