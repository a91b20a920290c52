"""The way of an event from the call to its final bytes: in, stage after stage, and encoded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from antinode._pipeline.intake import as_dict, with_business_key

if TYPE_CHECKING:
    from antinode._encoding.encoder import EventEncoder
    from antinode._pipeline.stages import Passage, Stage
    from antinode._protocol.remarks import Remark


class Pipeline:
    """Takes one event after the other through `stages` to the encoder."""

    def __init__(self, encoder: EventEncoder, stages: Sequence[Stage]) -> None:
        self.encoder = encoder
        self._stages = tuple(stages)

    @property
    def is_direct(self) -> bool:
        """Whether a plain dict may go straight to the encoder."""
        return not self._stages

    def run(self, passage: Passage) -> tuple[bytes, int, tuple[Remark, ...]] | None:
        """What `EventEncoder.encode` makes of the event; None if a stage held it back. Raises `Refused`."""
        return self.encoder.encode(passage.event) if self.lead(passage) else None

    def lead(self, passage: Passage) -> bool:
        """Through all stages, up to what is to be encoded; False if one held it back. Raises `Refused`."""
        passage.event = as_dict(passage.event)
        if passage.once is not None:
            passage.event = with_business_key(passage.event, passage.once)
        if self._stages:
            # What a redactor has not seen must not be kept for anybody, either.
            passage.kept = None
            for stage in self._stages:
                if not stage(passage):
                    return False
            passage.kept = passage.event
        return True
