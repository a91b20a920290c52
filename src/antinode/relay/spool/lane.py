"""One project on the spool: its directory, and the sender that keeps events there and delivers them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from antinode._delivery.record import Record
from antinode._delivery.shell.config import SenderConfig
from antinode._delivery.shell.sender import Sender
from antinode._factory import make_sender
from antinode._protocol.ids import stream_of
from antinode.relay.delivery import delivery_options, figures_of
from antinode.relay.figures import DeliveryFigures
from antinode.relay.intake import KeptEvent, NotKept
from antinode.relay.projects import Project
from antinode.relay.spool.syncing import GroupSync

KEEP_WITHIN_S: Final = 10.0
"""How long a disk may take to sync a request's events."""

_SYNC_AGAIN_S: Final = 1.0

RETRY_AFTER_S: Final = 5.0
"""After how many seconds a client may try again: about as long as the disk is left alone after trouble."""


DEAD_LETTERS_SUFFIX: Final = ".dead-letters.jsonl"


def spool_directory(directory: Path, fingerprint: str) -> Path:
    """Where the events of the project with this fingerprint are kept, below the relay's directory."""
    return directory / fingerprint


def dead_letters_file(directory: Path, fingerprint: str) -> Path:
    """Where its dead letters are kept; those set aside have a number behind the name."""
    return directory / f"{fingerprint}{DEAD_LETTERS_SUFFIX}"


class Lane:
    """Keeps and delivers one project's events. It belongs to one event loop's thread."""

    def __init__(self, project: Project, directory: Path, options: Mapping[str, Any]) -> None:
        """`options` are those of `antinode.init` for delivery. Raises `ConfigurationError`."""
        self.project = project
        self._sender = make_sender(
            project.api_key,
            delivery_options(
                project,
                options,
                storage=spool_directory(directory, project.fingerprint),
                durability="strict",
                overflow="drop_newest",
                dead_letters=dead_letters_file(directory, project.fingerprint),
            ),
            f"relay-{project.name}",
            make=_sender_of_stored,
        )
        self._group = GroupSync(self._sender.make_durable, f"antinode-relay-{project.name}-sync")
        self._unsynced = ""
        """Why the last sync failed; "" if it did not."""
        self._mending: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Open the spool, and deliver what is in it. What the disk refuses is told by `trouble`."""
        self._sender.open_store()

    async def keep(self, events: Sequence[KeptEvent]) -> None:
        """Return once the events are on the disk. Raises `NotKept`."""
        now = time.monotonic()
        make = self._sender.make_record
        # In memory, streams have the numbers that records have which are read back from the disk.
        records = [make(each.body, stream_of(each.user_id, each.device_id), now) for each in events]
        if not self._sender.offer(records):
            raise NotKept(RETRY_AFTER_S, self.trouble or "the spool takes no events")
        await self._sync(records[-1])
        if self._unsynced:
            if self._mending is None:
                self._mending = asyncio.create_task(self._sync_at_last(records[-1]))
            raise NotKept(RETRY_AFTER_S, self._unsynced)

    async def _sync(self, last: Record) -> None:
        try:
            await asyncio.wait_for(self._group.durable(last), KEEP_WITHIN_S)
        except asyncio.TimeoutError:
            self._unsynced = "the disk takes too long to sync"
        except Exception as error:
            self._unsynced = f"the disk does not sync: {error}"
        else:
            self._unsynced = ""

    async def _sync_at_last(self, last: Record) -> None:
        """Try until a sync succeeds: nobody else may, once it is told that events are not taken."""
        while self._unsynced:
            await asyncio.sleep(_SYNC_AGAIN_S)
            await self._sync(last)
        self._mending = None

    @property
    def trouble(self) -> str:
        """Why events are not taken at present; "" while they are, as far as is known."""
        return self._sender.store_trouble or self._unsynced

    def figures(self) -> DeliveryFigures:
        """How delivery stands."""
        return figures_of(self._sender)

    async def close(self, within: float) -> None:
        """Deliver for so many seconds, and leave the rest on the disk, for the next process."""
        if self._mending is not None:
            self._mending.cancel()
        await self._sender.ashutdown(within)
        self._group.close()


def _sender_of_stored(config: SenderConfig, **parts: Any) -> Sender:
    """A sender that takes no record which its spool does not take."""
    core = msgspec.structs.replace(config.core, needs_store=True)
    return Sender(msgspec.structs.replace(config, core=core), **parts)
