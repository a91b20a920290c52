"""Which process delivers which shards: each has a lease on its own, and all have about as many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from antinode.outbox._rows import SHARDS

SHARD_NAMES: Final = tuple(f"shard-{number:02}" for number in range(SHARDS))


class Lease(NamedTuple):
    """A row of the table of leases: that of a shard, or, under a deliverer's own name, that it is there."""

    name: str
    owner: str
    """Empty where nobody has it."""
    expires_at: int
    """In milliseconds, by the clock of the database."""


class Share(NamedTuple):
    """What a deliverer is to do about its shards."""

    leaves: frozenset[int]
    """Has them, and is to give them back: others have too few."""
    takes: tuple[int, ...]
    """May take them: nobody has them."""
    expects: bool
    """Whether others have more than their share, and are to give some back."""


_NUMBERS: Final = {name: number for number, name in enumerate(SHARD_NAMES)}


def share(leases: Sequence[Lease], me: str, now: int, busy: Collection[int] = ()) -> Share:
    """The share of one deliverer. Those that are `busy` are given back last."""
    living = {each.owner for each in leases if each.name == each.owner and each.expires_at > now} | {me}
    # Where it does not come out even, one more does no harm: shards are many.
    fair = -(-SHARDS // len(living))
    mine, free = [], []
    others: Counter[str] = Counter()
    for lease in leases:
        number = _NUMBERS.get(lease.name)
        if number is None:
            continue
        if lease.owner == me:
            mine.append(number)
        elif not lease.owner or lease.expires_at <= now:
            free.append(number)
        else:
            others[lease.owner] += 1
    mine.sort(key=lambda number: (number not in busy, number))
    # Each begins at another place, so that those that come at once do not all want the same.
    start = sum(me.encode()) % SHARDS
    free.sort(key=lambda number: (number - start) % SHARDS)
    takes = tuple(free[: max(0, fair - len(mine))])
    expects = len(mine) + len(takes) < fair < max(others.values(), default=0)
    return Share(frozenset(mine[fair:]), takes, expects)


def numbers_of(names: Collection[str]) -> set[int]:
    """The shards among names of leases."""
    return {_NUMBERS[name] for name in names if name in _NUMBERS}
