"""What an application sees of an event that it logged: how it ended, and the handle that tells it."""

# No postponed annotations: `public` would have to evaluate them one by one.
from collections.abc import Callable, Generator, Mapping
from typing import Any

import msgspec

from antinode._protocol.status import Status
from antinode._public import public

DELIVERED = "delivered"
REJECTED = "rejected"
DROPPED = "dropped"
SKIPPED = "skipped"
SPOOLED = "spooled"
ENDS = frozenset({DELIVERED, REJECTED, DROPPED})
"""Kinds of outcomes after which a store need not keep a record."""


@public
class Outcome(msgspec.Struct, frozen=True):
    """The one final fate of an event.

    `kind` is "delivered", "rejected" (the server's or the API's reason), "dropped" (ours), "spooled" (left on
    disk at the end of this process, for the next one to deliver) or "skipped" (never meant to be sent).
    `reason` is the short name under which `Client.stats()` counts it ("unconfirmed" for what was delivered
    with an answer that is not in Amplitude's form), `message` says it in words. `code` is
    the HTTP code that decided, 0 when no answer did. `attempts` counts the request that decided and those
    before it that failed; a request that was taken apart because of other events does not count. `body` is
    the answer's JSON object, if there was one.
    """

    kind: str
    status: Status
    reason: str
    code: int = 0
    message: str = ""
    attempts: int = 0
    body: Mapping[str, Any] | None = None

    @property
    def ok(self) -> bool:
        """Whether the server accepted the event."""
        return self.kind == DELIVERED

    def after(self, attempts: int) -> "Outcome":
        return self if attempts == self.attempts else _with_attempts(self, attempts)


def _with_attempts(outcome: Outcome, attempts: int) -> Outcome:
    return Outcome(
        outcome.kind, outcome.status, outcome.reason, outcome.code, outcome.message, attempts, outcome.body
    )


@public
class Delivery:
    """The fate of one logged event.

    It settles once, with the final `Outcome`, not with the first try. Nobody has to look at it: a failure
    that nobody observes is counted and logged, and raises nowhere. Await it, ask `result()`, or add a
    callback. Made by `Client.log_event`.
    """

    __slots__ = ()

    outcome: Outcome | None
    """None until the event has settled. Read-only to the application."""

    def done(self) -> bool:
        """Whether the event has settled."""
        raise NotImplementedError

    @property
    def status(self) -> Status | None:
        """The outcome's status; None until the event has settled."""
        raise NotImplementedError

    def result(self, timeout: float | None = None) -> Outcome:
        """Wait until the event has settled and return its outcome.

        `timeout` is in seconds; None waits as long as it takes. Raises `TimeoutError` when it is over;
        the event goes on. Blocks the calling thread: in asyncio, `await asyncio.wait_for(delivery, 10)`.
        """
        raise NotImplementedError

    def add_done_callback(self, fn: "Callable[[Delivery], object]") -> None:
        """Call `fn(delivery)` once the event has settled; at once if it already has.

        It runs on antinode's own thread, so it should be quick. What it raises is logged, nothing more.
        """
        raise NotImplementedError

    def event(self) -> dict[str, Any]:
        """The event as it was encoded, decoded anew; `{}` once it is delivered. For debugging."""
        raise NotImplementedError

    def __await__(self) -> Generator[Any, None, Outcome]:
        raise NotImplementedError
