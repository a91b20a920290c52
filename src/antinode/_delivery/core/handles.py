"""The handles that the application holds of records which are in a store alone."""

from __future__ import annotations

from weakref import ref

from antinode._delivery.record import Record
from antinode._speedups import compiled

FEWEST_REFERENCES = 4096
"""With fewer references than so many it is not looked which of them lead nowhere any more."""


@compiled
def keep_held(recent: list[Record], references: dict[int, ref[Record]]) -> None:
    """Empty the list, and have those of its records found by their places that anybody else holds.

    Those that nobody holds may be found as well, for as long as they live.
    """
    while recent:
        record = recent[-1]
        references[record.place] = ref(record)
        if recent and recent[-1] is record:
            recent.pop()


class Handles:
    """Finds the record to which the application has the handle when it is read back. Guarded; see `Core`.

    A handle that the application has let go of need not be found: nobody asks for its outcome.
    """

    # Compiled code puts records into `recent` where it lies.
    __slots__ = ("_dead_at", "_references", "recent")

    def __init__(self) -> None:
        self.recent: list[Record] = []
        """Records of which it has not been looked yet whether anybody holds them."""
        self._references: dict[int, ref[Record]] = {}
        self._dead_at = FEWEST_REFERENCES
        """With so many references it is looked next which of them lead nowhere."""

    def add(self, record: Record) -> None:
        """Have a record found by its place."""
        self._references[record.place] = ref(record)
        if len(self._references) >= self._dead_at:
            self.look()

    def look(self) -> None:
        """Look which records somebody holds; of the others nothing is left."""
        keep_held(self.recent, self._references)
        references = self._references
        if len(references) >= self._dead_at:
            for place, reference in list(references.items()):
                if reference() is None:
                    references.pop(place, None)
            self._dead_at = max(FEWEST_REFERENCES, 2 * len(references))

    def __bool__(self) -> bool:
        """Whether any may be found."""
        if self.recent:
            self.look()
        return bool(self._references)

    def take(self, place: int) -> Record | None:
        """The record of that place, if anybody holds it; it is not found again."""
        reference = self._references.pop(place, None)
        return None if reference is None else reference()

    def take_all(self) -> list[Record]:
        """All that anybody holds; none of them is found again."""
        self.look()
        taken: list[Record] = []
        while self._references:
            _, reference = self._references.popitem()
            record = reference()
            if record is not None:
                taken.append(record)
        return taken
