"""How long to wait before the same events are sent again, and when to give them up."""

# No postponed annotations: `public` would have to evaluate them one by one.
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import msgspec

from antinode._protocol.status import Status
from antinode._public import public


@public
class Response(msgspec.Struct, frozen=True):
    """One answer, as `on_retry` and a `RetryPolicy` see it (the Node SDK's `Response`)."""

    status: Status
    code: int
    """The HTTP code, or the body's under a 2xx; 0 when no answer came."""
    message: str = ""
    body: Mapping[str, Any] | None = None


@public
@runtime_checkable
class RetryPolicy(Protocol):
    """Decides on the next attempt. The Node SDK's `retryClass`; give one to `init(retry=…)`.

    `next_delay` is asked after an upload failed in a way that may pass (no answer, 408, 429, 5xx), for the
    events whose attempt number `attempt` (1 for the first) it was. It returns the seconds to wait at least,
    which take the place of antinode's own backoff; 0 to leave the wait to that; None to give these events up.
    It is not asked when the answer told which events are bad: taking those out and sending the others costs
    no attempt. It may be asked more than once for the same attempt. What it raises is logged and counts as 0.
    """

    def next_delay(self, attempt: int, response: Response) -> float | None: ...


class Backoff:
    """The default: attempts without limit, since an outage should lose nothing; age and room limit it."""

    def next_delay(self, attempt: int, response: Response) -> float | None:  # noqa: ARG002 - the protocol's
        """Always 0: the jittered exponential backoff decides."""
        return 0.0

    def __repr__(self) -> str:
        return "Backoff()"


class Schedule:
    """The Node SDK's `retryTimeouts`: a wait in milliseconds before each further attempt, then no more."""

    def __init__(self, retry_timeouts: Sequence[float]) -> None:
        self._delays = tuple(milliseconds / 1000 for milliseconds in retry_timeouts)

    def next_delay(self, attempt: int, response: Response) -> float | None:  # noqa: ARG002 - the protocol's
        return self._delays[attempt - 1] if attempt <= len(self._delays) else None

    def __repr__(self) -> str:
        return f"Schedule({[round(delay * 1000) for delay in self._delays]})"
