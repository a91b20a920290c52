"""What re-entrant locks can tell beyond being taken and released."""

from __future__ import annotations

from collections.abc import Iterable


def is_owned(lock: object) -> bool:
    """Whether the calling thread holds this RLock: Python's, gevent's and ours tell, under this name."""
    return bool(lock._is_owned())  # type: ignore[attr-defined]


def let_go(locks: Iterable[object]) -> None:
    """Give back those of the locks that the calling thread holds, however often it has taken them."""
    for lock in locks:
        while is_owned(lock):
            lock.release()  # type: ignore[attr-defined]
