"""The parts of a sender in one process; a forked child makes them anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from antinode._delivery.core.core import Core
    from antinode._delivery.shell.barriers import Barriers, RoomQueue
    from antinode._delivery.shell.collector import Collector
    from antinode._delivery.shell.exchange import Exchanger
    from antinode._delivery.shell.keeper import Keeper
    from antinode._delivery.shell.lifetime import Lifetime
    from antinode._delivery.shell.locks import Locks
    from antinode._delivery.shell.notifier import Notifier
    from antinode._delivery.shell.recovery import Recovery
    from antinode._delivery.shell.wakeup import Wakeup


class Works(msgspec.Struct, frozen=True):
    """The parts that the coordinator, those who wait and the ending share."""

    core: Core
    locks: Locks
    lifetime: Lifetime
    wakeup: Wakeup
    notifier: Notifier
    collector: Collector
    barriers: Barriers
    room: RoomQueue
    exchanger: Exchanger
    recovery: Recovery
    keeper: Keeper | None
    clock: Callable[[], float]
