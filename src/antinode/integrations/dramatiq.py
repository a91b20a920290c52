"""Dramatiq: the context of whoever sends a message travels with it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

import dramatiq

from antinode.integrations._travel import NAME, entered, packed

if TYPE_CHECKING:
    import antinode

__all__ = ["AntinodeMiddleware"]

_CARRIER: Final = "message of Dramatiq"


class AntinodeMiddleware(dramatiq.Middleware):
    """Has actors run in the context in which their message was sent, retries and messages of theirs included.

    Add it to the broker: `broker.add_middleware(AntinodeMiddleware())`. What sends and what runs the messages
    both need it. The context is in the broker while the message waits, among its options. Workers send what
    they have logged when they end, without this.
    """

    def __init__(self) -> None:
        self._thread = threading.local()

    def before_enqueue(self, _: Any, message: Any, *__: Any) -> None:
        """Have a message take the context along; one that is sent again has the one it first had."""
        if NAME not in message.options and (text := packed(_CARRIER)) is not None:
            message.options[NAME] = text

    def before_process_message(self, _: Any, message: Any) -> None:
        """Open the context that came with the message, in place of the last one of this thread.

        That was in force until now: for other middleware, which sends the next message of a pipeline.
        """
        self._close()
        self._thread.scope = entered(message.options.get(NAME), _CARRIER)

    def before_worker_thread_shutdown(self, *_: Any) -> None:
        """Close the last one of a thread."""
        self._close()

    def _close(self) -> None:
        scope: antinode.Context | None = getattr(self._thread, "scope", None)
        self._thread.scope = None
        if scope is not None:
            scope.__exit__(None, None, None)
