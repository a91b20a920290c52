"""A model of a store behind the core, in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class StoreTrouble(Exception):
    """Why a model store does not take a record."""

    def __init__(self, *, is_full: bool) -> None:
        super().__init__("full" if is_full else "broken")
        self.is_full = is_full


class Kept(NamedTuple):
    """One record in a model store."""

    place: int
    body: bytes
    logged_at: float
    is_own: bool


class ModelStore:
    """A store as the spool is one, but in memory: what it took is there until it is acknowledged."""

    def __init__(self, left: Sequence[tuple[bytes, float]] = ()) -> None:
        self.kept = [Kept(place, body, at, False) for place, (body, at) in enumerate(left)]
        self.acknowledged: dict[int, str] = {}
        self.trouble: str | None = None
        """"full" or "broken", while no record is taken."""
        self.left = len(left)
        """So many places belong to what a dead process left."""
        self._unread = list(self.kept)
        self._given = 0

    def mapped_layout(self) -> None:
        """Has nothing mapped."""

    def append(self, body: bytes, logged_at: float, *, direct: bool) -> int:
        if direct and self.has_unread:
            raise ValueError("older records are unread")
        if self.trouble is not None:
            raise StoreTrouble(is_full=self.trouble == "full")
        kept = Kept(len(self.kept), body, logged_at, True)
        self.kept.append(kept)
        if not direct:
            self._unread.append(kept)
        return kept.place

    @property
    def has_unread(self) -> bool:
        return bool(self._unread)

    def read(self, max_events: int, max_bytes: int) -> list[Kept]:
        del self._unread[: self._given]
        given: list[Kept] = []
        for kept in self._unread[:max_events]:
            max_bytes -= len(kept.body)
            if given and max_bytes < 0:
                break
            given.append(kept)
        self._given = len(given)
        return given

    def lost(self, places: Iterable[int]) -> set[int]:
        return set()

    def leave(self) -> None:
        """What is unread is for the next process."""
        self._unread.clear()
        self._given = 0

    def acknowledge(self, places: Iterable[int], kind: str) -> None:
        for place in places:
            self.acknowledged.setdefault(place, kind)
