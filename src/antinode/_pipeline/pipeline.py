"""The way of an event from the call to the encoder: in, and stage after stage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from antinode._context import current, filled_in
from antinode._pipeline.intake import as_dict, with_business_key

if TYPE_CHECKING:
    from antinode._pipeline.stages import Passage, Stage


class Pipeline:
    """Leads one event after the other through `stages`, to be encoded."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        self._stages = tuple(stages)

    @property
    def is_direct(self) -> bool:
        """Whether a plain dict may go straight to the encoder."""
        return not self._stages

    def lead(self, passage: Passage) -> bool:
        """Lead an event through all stages; False if one held it back. What is left of it is to be encoded.

        Raises `Refused`.
        """
        passage.event = as_dict(passage.event)
        if passage.once is not None:
            passage.event = with_business_key(passage.event, passage.once)
        context = current.get()
        if context is not None:
            passage.event = filled_in(passage.event, context.fields)
        if self._stages:
            # What a redactor has not seen must not be kept for anybody, either.
            passage.kept = None
            for stage in self._stages:
                if not stage(passage):
                    return False
            passage.kept = passage.event
        return True
