"""Whether uploads may go out: the state of the link to the server, a value that returns its successor."""

from __future__ import annotations

import enum
from collections.abc import Mapping

import msgspec

# The first wait is short since most failures are one broken connection; the last is long enough that a
# fleet of clients does not keep a recovering server down. Each is halved at random (jitter).
FIRST_WAIT_SECONDS = 0.2
LONGEST_WAIT_SECONDS = 15.0
FAULT_FIRST_WAIT_SECONDS = 60.0
FAULT_LONGEST_WAIT_SECONDS = 600.0
# Shorter, since it is a guess that a server refuses everything: any other event may prove it wrong.
REFUSAL_FIRST_WAIT_SECONDS = 5.0

PROBE_EVENTS = 10
FAULT_PROBE_EVENTS = 1
# After a probe succeeded, each further success multiplies the events of one upload by this, up to the largest
# ramp; beyond it the limits of a batch are the only ones, and uploads run side by side again.
RAMP_FACTOR = 8
LARGEST_RAMP_EVENTS = 10_000

UNLIMITED = 1 << 30


class LinkState(enum.Enum):
    """Uploads are free (OPEN), none may start before a time (WAITING), one tests the server (PROBING)."""

    OPEN = "open"
    WAITING = "waiting"
    PROBING = "probing"


class LinkEvent(enum.Enum):
    """What happens to the link: answers, and the passing of time."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    THROTTLED = "throttled"
    FAULTED = "faulted"
    DUE = "due"


_S, _E = LinkState, LinkEvent
TRANSITIONS: Mapping[tuple[LinkState, LinkEvent], LinkState] = {
    (_S.OPEN, _E.SUCCEEDED): _S.OPEN,
    (_S.OPEN, _E.FAILED): _S.WAITING,
    (_S.OPEN, _E.THROTTLED): _S.WAITING,
    (_S.OPEN, _E.FAULTED): _S.WAITING,
    # Uploads that were under way when the wait began may still be answered, either way.
    (_S.WAITING, _E.SUCCEEDED): _S.WAITING,
    (_S.WAITING, _E.FAILED): _S.WAITING,
    (_S.WAITING, _E.THROTTLED): _S.WAITING,
    (_S.WAITING, _E.FAULTED): _S.WAITING,
    (_S.WAITING, _E.DUE): _S.PROBING,
    (_S.PROBING, _E.SUCCEEDED): _S.OPEN,
    (_S.PROBING, _E.FAILED): _S.WAITING,
    (_S.PROBING, _E.THROTTLED): _S.WAITING,
    (_S.PROBING, _E.FAULTED): _S.WAITING,
}


class Cause(str, enum.Enum):
    """Why uploads wait."""

    OUTAGE = "outage"
    THROTTLE = "throttle"
    FAULT = "configuration"
    REFUSAL = "refusal"
    """Every event by itself is refused, and no answer says why: a firewall, or a proxy in the way."""


def _backoff(first: float, last: float, failures: int, jitter: float) -> float:
    return min(last, first * 2.0 ** min(failures - 1, 20)) * (0.5 + jitter / 2)


class Link(msgspec.Struct, frozen=True):
    """The link's state and the counters that belong to it."""

    state: LinkState = LinkState.OPEN
    cause: Cause | None = None
    failures: int = 0
    """Failures in a row; several uploads failing together count once."""
    until: float = 0.0
    """WAITING: when the next probe may start."""
    since: float = 0.0
    """WAITING: when this wait began."""
    not_before: float = 0.0
    """WAITING: the time that the server or the policy named; no probe is brought forward to before it."""
    allowance: int = UNLIMITED
    """Events that one upload may carry: small for a probe, growing with each success."""
    why: str = ""

    def _to(self, event: LinkEvent) -> LinkState:
        try:
            return TRANSITIONS[self.state, event]
        except KeyError:
            raise ValueError(f"a link that is {self.state.value} cannot take {event.value}") from None

    @property
    def is_open(self) -> bool:
        return self.state is LinkState.OPEN

    @property
    def is_healthy(self) -> bool:
        """Whether uploads may run side by side."""
        return self.state is LinkState.OPEN and self.failures == 0 and self.allowance >= UNLIMITED

    @property
    def is_faulted(self) -> bool:
        """Whether the server said that the client's configuration is wrong."""
        return self.cause is Cause.FAULT

    @property
    def is_refused(self) -> bool:
        """Whether the server takes none of this client's requests: for a fault, or without a reason."""
        return self.cause in (Cause.FAULT, Cause.REFUSAL)

    def succeeded(self, now: float) -> Link:
        """The server understood a request, whether or not it accepted the events."""
        state = self._to(LinkEvent.SUCCEEDED)
        if state is LinkState.WAITING:
            # An answer during an outage, or while everything seemed to be refused, says that it may be over:
            # probe now. Other waits have reasons that a good answer to an older request does not touch.
            return self._forward(now) if self.cause in (Cause.OUTAGE, Cause.REFUSAL) else self
        allowance = self.allowance * RAMP_FACTOR
        return Link(allowance=allowance if allowance <= LARGEST_RAMP_EVENTS else UNLIMITED)

    def failed(self, now: float, *, asked: float, own: float | None, jitter: float, why: str) -> Link:
        """No answer, 408 or 5xx.

        `asked` is the least wait the server named; `own` is the wait of the user's retry policy, which takes
        the place of the backoff unless it is 0, and None if the policy leaves everything to us. Seconds.
        `jitter` is random in [0, 1).
        """
        state = self._to(LinkEvent.FAILED)
        not_before = max(self.not_before, now + max(asked, own or 0.0))
        if self.state is LinkState.WAITING:
            return msgspec.structs.replace(
                self, until=max(self.until, not_before), not_before=not_before, why=why
            )
        failures = self.failures + 1
        wait = own or _backoff(FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS, failures, jitter)
        # One failure is a broken connection: the same request is made again. Two in a row are an outage: the
        # probe is small. Where a policy counts attempts, events that failed together stay together for it.
        is_same = failures == 1 or own is not None
        return Link(
            state,
            Cause.OUTAGE,
            failures,
            until=max(now + wait, not_before),
            since=now,
            not_before=not_before,
            allowance=self.allowance if is_same else min(PROBE_EVENTS, self.allowance),
            why=why,
        )

    def throttled(self, now: float, *, wait: float, why: str) -> Link:
        """429 for the whole project: everybody waits."""
        state = self._to(LinkEvent.THROTTLED)
        is_waiting = self.state is LinkState.WAITING
        until = max(now + wait, self.until if is_waiting else 0.0, self.not_before)
        # The 429 of an older request does not take away a fault that was found since.
        cause = self.cause if is_waiting and self.is_refused else Cause.THROTTLE
        return Link(state, cause, self.failures, until, now, until, self.allowance, why)

    def faulted(self, now: float, *, jitter: float, why: str, cause: Cause = Cause.FAULT) -> Link:
        """The key or the URL is wrong, or everything is refused: probe rarely, with one event."""
        state = self._to(LinkEvent.FAULTED)
        if self.state is LinkState.WAITING and self.cause is cause:
            return self
        failures = self.failures + 1 if self.is_refused else 1
        first = REFUSAL_FIRST_WAIT_SECONDS if cause is Cause.REFUSAL else FAULT_FIRST_WAIT_SECONDS
        wait = _backoff(first, FAULT_LONGEST_WAIT_SECONDS, failures, jitter)
        until = max(now + wait, self.not_before)
        return Link(state, cause, failures, until, now, self.not_before, FAULT_PROBE_EVENTS, why)

    def due(self) -> Link:
        """The wait is over: one upload may test the server."""
        return msgspec.structs.replace(self, state=self._to(LinkEvent.DUE))

    def hurried(self, now: float) -> Link:
        """Somebody is waiting (flush, shutdown): bring the probe forward, but never twice within a second."""
        if self.state is LinkState.WAITING and now >= self.since + 1.0:
            return self._forward(now)
        return self

    def _forward(self, now: float) -> Link:
        return msgspec.structs.replace(self, until=min(self.until, max(now, self.not_before)))
