"""What `antinode serve` prints from its first line to its last, whether or not anybody reads it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from antinode.cli.serve.feed import Feed, FeedBatch, Pace, Sums
from antinode.cli.ui import console

if TYPE_CHECKING:
    from antinode.cli.serve.banner import Listening
    from antinode.server.engine import OnUpload


class Writer(Protocol):
    """Puts into words what happens. Each method raises OSError when the output can be written no more."""

    def listening(self, listening: Listening) -> None: ...

    def write(self, batch: FeedBatch) -> None: ...

    def stopped(self, sums: Sums) -> None: ...


class ServeOutput:
    """`announce` once the server is up, `on_upload` for each upload, and `close` at the end in any case."""

    def __init__(self, writer: Writer, pace: Pace | None) -> None:
        """With a `pace` of None, only the beginning is told."""
        self._writer = writer
        self._feed = Feed(writer.write, pace) if pace else None
        self._is_announced = False

    @property
    def on_upload(self) -> OnUpload | None:
        return self._feed.put if self._feed else None

    def announce(self, listening: Listening) -> None:
        self._is_announced = True
        with _unread_is_fine():
            self._writer.listening(listening)
            if self._feed:
                self._feed.start()

    def close(self) -> None:
        if self._feed is None or not self._is_announced:
            return
        self._feed.close()
        with _unread_is_fine():
            if self._feed.is_broken:
                raise BrokenPipeError
            self._writer.stopped(self._feed.sums)


@contextlib.contextmanager
def _unread_is_fine() -> Iterator[None]:
    """Let the server go on when the reader of its output, such as `head`, has seen enough."""
    try:
        yield
    except OSError:
        console.discard_output()
