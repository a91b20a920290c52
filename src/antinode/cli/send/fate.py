"""What became of an event, in words: whether it was delivered, why not, and what to change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from antinode._protocol.endpoints import is_amplitude_host

if TYPE_CHECKING:
    from antinode._delivery.ledger import Stats
    from antinode._delivery.outcome import Outcome


@dataclass(frozen=True, kw_only=True)
class Fate:
    """The end of one event, or how it stood when the time was over. Field by field what --json prints."""

    outcome: str
    """`delivered`, `rejected`, `dropped`, or `pending`: still being tried when the time was over."""
    reason: str
    """A short name, as `Client.stats()` counts it."""
    code: int
    """The HTTP code that decided; 0 when no answer did."""
    message: str
    """What was said, by the server or by antinode's own checks."""
    advice: str
    """What to do about it; empty for an event that is delivered and confirmed."""
    attempts: int
    seconds: float
    """From the logging of the event until it was settled, or the time was over."""
    insert_id: str
    server_url: str
    notes: tuple[str, ...]
    """What was mended before it was sent."""

    @property
    def is_delivered(self) -> bool:
        return self.outcome == "delivered"

    @property
    def is_confirmed(self) -> bool:
        """Whether the server has said that it took the event as Amplitude says it."""
        return self.is_delivered and self.reason != "unconfirmed"

    def sentence(self) -> str:
        """The fate alone, without advice."""
        tries = f" at attempt {self.attempts}" if self.attempts > 1 else ""
        if self.is_delivered:
            took = f"{self.server_url} took it after {_duration(self.seconds)}"
            return f"Delivered{tries}: {took}{'' if self.is_confirmed else f', but {self.message}'}."
        if self.outcome == "pending":
            return f"Not delivered within {_duration(self.seconds)}, and still trying: {self.message}."
        if self.outcome == "rejected" and not self.code:
            return f"Rejected, and not sent: {self.message}."
        said = f"{self.message} (HTTP {self.code})" if self.code else self.message
        return f"{self.outcome.capitalize()}{tries}: {said}."


def settled(
    outcome: Outcome, *, seconds: float, insert_id: str, server_url: str, notes: tuple[str, ...]
) -> Fate:
    """The fate of an event that has settled."""
    return Fate(
        outcome=outcome.kind,
        reason=outcome.reason,
        code=outcome.code,
        message="" if outcome.reason == "delivered" else outcome.message.rstrip("."),
        advice="" if outcome.reason == "delivered" else _remedy(outcome, server_url),
        attempts=outcome.attempts,
        seconds=seconds,
        insert_id=insert_id,
        server_url=server_url,
        notes=notes,
    )


def pending(
    stats: Stats, *, attempts: int, seconds: float, insert_id: str, server_url: str, notes: tuple[str, ...]
) -> Fate:
    """The state of an event that has not settled in time."""
    why = why_pending(stats)
    return Fate(
        outcome="pending",
        reason="pending",
        code=0,
        message=why,
        advice=f"{_way_out(why, server_url)} Nothing is kept: to send it again without counting it twice, "
        f"give --insert-id {insert_id}.",
        attempts=attempts,
        seconds=seconds,
        insert_id=insert_id,
        server_url=server_url,
        notes=notes,
    )


def why_pending(stats: Stats) -> str:
    """What keeps an event from being delivered, as far as is known."""
    last = stats.last_error or stats.stalled
    if last is None:
        return "no answer has come yet"
    code, _, said = last.partition("\n")[0].rstrip(".").partition(": ")
    if code.isdecimal():
        return f"HTTP {code}, {said}"
    return said.removeprefix("TransportError: ").removeprefix("TransportTimeout: ") or code


def _remedy(outcome: Outcome, server_url: str) -> str:
    if outcome.reason != "configuration":
        unlisted = "Change what is named, and send it again." if outcome.code else ""
        return _REMEDIES.get(outcome.reason, unlisted)
    said = outcome.message.lower().replace("_", " ")
    if "api key" not in said:
        return ""  # the message says what to check
    if is_amplitude_host(server_url):
        return "Check the API key, and that its project is in this zone: an EU project needs --zone EU."
    return "Check the API key, and what the server accepts."


_REMEDIES: Final = {
    "unconfirmed": "Check that server_url is Amplitude's, or your relay's: something else may answer there.",
    "invalid_event": "",  # the message says it
    "too_large": "Write fewer or shorter properties; --batch takes up to 20 MB.",
    "daily_quota": "This user or device has sent 500,000 events within 24 hours: send it tomorrow.",
    "retries_exhausted": "Send it again later.",
}


def _way_out(why: str, server_url: str) -> str:
    if "refused by" in why and not is_amplitude_host(server_url):
        return "Is the server up? `antinode serve` starts one on port 8300."
    if why.startswith("HTTP 429"):
        return "The server asks for a slower pace: wait longer with --timeout."
    if why.startswith("HTTP 5"):
        return "The server is in trouble, not the event: wait longer with --timeout, or try again later."
    return "`antinode doctor` checks the way to the server."


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 0.9995 else f"{seconds:.3g} s"
