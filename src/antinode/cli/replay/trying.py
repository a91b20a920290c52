"""`--dry-run`: the events as they would be sent, and what is found wrong with them before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from antinode._encoding.encoder import EventEncoder
from antinode._encoding.refusal import Refused
from antinode._factory import make_sender
from antinode.cli.params.destination import Destination, usage_errors
from antinode.cli.replay.mending import Item
from antinode.cli.ui import console

_MOST: Final = 50
"""Lines about single events; the rest is counted."""


class Trial:
    """Encodes events and sends none."""

    def __init__(self, destination: Destination) -> None:
        with usage_errors():
            options = destination.check()
            sender = make_sender("dry-run", options, None)
        self._encoder = EventEncoder(
            min_id_length=options.min_id_length,
            max_event_bytes=sender.config.core.max_batch_bytes,
            is_strict=options.strict,
        )
        self.good = self.refused = 0
        self._told = 0

    def bodies(self, items: Iterable[Item]) -> Iterator[bytes]:
        """The bodies of the events that would be sent. The others are told of on standard error."""
        for item in items:
            try:
                body, _, notes = self._encoder.encode(item.event)
            except Refused as refused:
                self.refused += 1
                self._tell(f"{item.where}: would be refused: {refused.message}", "red")
                continue
            self.good += 1
            for note in notes:
                self._tell(f"{item.where}: would be mended: {note}", "yellow")
            yield body

    def _tell(self, line: str, style: str) -> None:
        self._told += 1
        if self._told <= _MOST:
            console.err().print(console.printable(line, 600), style=style, soft_wrap=True)
        elif self._told == _MOST + 1:
            console.err().print("… and more of the kind", style=style)
