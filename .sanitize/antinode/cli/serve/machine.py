"""What `antinode serve --json` writes: one JSON object a line, told apart by `type`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import msgspec

from antinode.cli.ui.output import write_lines

if TYPE_CHECKING:
    from antinode.cli.serve.banner import Listening
    from antinode.cli.serve.feed import FeedBatch, Sums


class LineWriter:
    """Writes `listening`, an `upload` for each, and `stopped`; `omitted` where the reader cannot keep up."""

    def __init__(self) -> None:
        self._encoder = msgspec.json.Encoder(enc_hook=str)

    def listening(self, listening: Listening) -> None:
        write_lines([self._line("listening", asdict(listening))])

    def write(self, batch: FeedBatch) -> None:
        lines = [self._line("upload", msgspec.structs.asdict(upload)) for upload, _ in batch.shown]
        if batch.omitted.uploads:
            facts = {"uploads": batch.omitted.uploads, "events": batch.omitted.events}
            lines.append(self._line("omitted", facts))
        write_lines(lines)

    def stopped(self, sums: Sums) -> None:
        write_lines([self._line("stopped", asdict(sums))])

    def _line(self, kind: str, facts: dict[str, Any]) -> bytes:
        return self._encoder.encode({"type": kind, **facts})
