"""Fronts and workers follow a relay that grows, from one generation of topics to the next."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import msgspec

from antinode._errors import ConfigurationError
from antinode.relay.intake import IntakeHealth, IntakeStats, KeptEvent, NotKept
from antinode.relay.kafka.client import KafkaTrouble
from antinode.relay.kafka.generations import Generation, generation_to_deliver, open_generation
from antinode.relay.kafka.inspection import Inspector
from antinode.relay.kafka.intake import RETRY_AFTER_SECONDS, KafkaIntake
from antinode.relay.kafka.settings import KafkaSettings
from antinode.relay.kafka.worker import KafkaWorker

if TYPE_CHECKING:
    from antinode.relay.projects import Project, Projects

_log = logging.getLogger("antinode")

_LOOK_AGAIN_SECONDS: Final = 0.5
_LET_GO_SECONDS: Final = 10.0
_WATCH_SECONDS: Final = 5.0


class FollowingIntake:
    """An `Intake` that writes to the generation that is open.

    It looks for another one whenever the brokers have refused events.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._intake: KafkaIntake | None = None
        self._topic = ""
        self._following: asyncio.Task[None] | None = None
        self._why = ""
        """Why there is no generation to write to, as far as is known."""
        self._past = IntakeStats(kept_events=0, kept_bytes=0, refused_events=0, waiting=0)
        """What was done with earlier generations."""

    async def open(self) -> None:
        """Begin to take events. Raises `ConfigurationError`, and `KafkaTrouble` if nobody says."""
        inspector = await asyncio.to_thread(Inspector, self._settings)
        await self._write_to(await asyncio.to_thread(open_generation, self._settings, inspector))

    async def _write_to(self, generation: Generation) -> None:
        intake = KafkaIntake(msgspec.structs.replace(generation.settings, partitions=None))
        await intake.open()
        last, self._intake = self._intake, intake
        self._topic = generation.topic
        if last is not None:
            _log.info("antinode relay: events are kept in %s from now on", generation.topic)
            await last.close(_LET_GO_SECONDS)
            self._past = _sum(self._past, last.stats())

    async def keep(self, project: Project, events: Sequence[KeptEvent]) -> None:
        intake = self._intake
        if intake is None:
            raise NotKept(RETRY_AFTER_SECONDS, "Kafka is not open")
        try:
            await intake.keep(project, events)
        except NotKept:
            if self._following is None and self._intake is intake:
                self._following = asyncio.create_task(self._follow())
            raise

    async def _follow(self) -> None:
        """Look for the generation that is open until there is one, and write to it."""
        try:
            while not await self._follow_once():
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        finally:
            self._following = None

    async def _follow_once(self) -> bool:
        its = msgspec.structs.replace(self._settings, partitions=None)
        try:
            # A new one each time: one that saw its broker go may not find another.
            inspector = await asyncio.to_thread(Inspector, its)
            generation = await asyncio.to_thread(open_generation, its, inspector)
            if generation.topic != self._topic:
                await self._write_to(generation)
        except (KafkaTrouble, ConfigurationError) as error:
            self._why = str(error)
            return False
        except Exception as error:
            _log.exception("antinode relay: the topic to write to could not be looked for, and is again")
            self._why = type(error).__name__
            return False
        self._why = ""
        return True

    async def close(self, within: float) -> None:
        if self._following is not None:
            self._following.cancel()
        if self._intake is not None:
            await self._intake.close(within)

    def health(self) -> IntakeHealth:
        if self._intake is None or self._why:
            return IntakeHealth(takes=False, why=f"Kafka: {self._why or 'it is not open'}")
        return self._intake.health()

    def stats(self) -> IntakeStats:
        return self._past if self._intake is None else _sum(self._past, self._intake.stats())


def _sum(one: IntakeStats, other: IntakeStats) -> IntakeStats:
    names = IntakeStats.__struct_fields__
    return IntakeStats(**{name: getattr(one, name) + getattr(other, name) for name in names})


class FollowingWorker:
    """Delivers generation after generation: each from when the one before is drained until it is itself."""

    def __init__(
        self, settings: KafkaSettings, projects: Projects, options: Mapping[str, Any] | None = None
    ) -> None:
        """The arguments are those of `KafkaWorker`."""
        self._settings = settings
        self._projects = projects
        self._options = options
        self.worker = self._make(settings)
        """The one that works at the moment, or did last."""
        self._is_stopping = threading.Event()

    def _make(self, settings: KafkaSettings) -> KafkaWorker:
        return KafkaWorker(settings, self._projects, self._options)

    def stop(self) -> None:
        """Have `run` drain and return."""
        self._is_stopping.set()
        self.worker.stop()

    def run(self) -> None:
        """Deliver until `stop` is called. Raises what `KafkaWorker.run` does."""
        generation = generation_to_deliver(self._settings, Inspector(self._settings))
        while not self._is_stopping.is_set():
            self.worker = self._make(generation.settings)
            if self._is_stopping.is_set():  # told so just before there was this worker
                break
            with self._watching(generation) as later:
                self.worker.run()
            generation = later[0] if later else generation

    @contextmanager
    def _watching(self, generation: Generation) -> Iterator[list[Generation]]:
        """End the worker once its generation is over, and give the one that comes then."""
        is_over = threading.Event()
        worker = self.worker
        later: list[Generation] = []

        def watch() -> None:
            while not is_over.wait(_WATCH_SECONDS):
                following = self._to_deliver()
                if following is not None and following.number > generation.number:
                    _log.info("antinode relay: %s is drained; on to %s", generation.topic, following.topic)
                    later.append(following)
                    worker.stop()
                    return

        thread = threading.Thread(target=watch, name="antinode-relay-generations", daemon=True)
        thread.start()
        try:
            yield later
        finally:
            is_over.set()
            thread.join()

    def _to_deliver(self) -> Generation | None:
        """The first generation that is not over; None: nobody says at present."""
        try:
            # A new one each time, as for fronts.
            return generation_to_deliver(self._settings, Inspector(self._settings))
        except (KafkaTrouble, ConfigurationError):
            return None
        except Exception:
            _log.exception("antinode relay: the topic to deliver could not be looked for, and is again")
            return None
