"""What a lock can tell beyond being taken and released."""

from __future__ import annotations


def is_owned(lock: object) -> bool:
    """Whether the calling thread holds this RLock: Python's and gevent's both tell, under this name."""
    return bool(lock._is_owned())  # type: ignore[attr-defined]
