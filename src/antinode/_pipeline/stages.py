"""The stages between the way in and the encoder: each sees the event, may change it, and may hold it back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from antinode._delivery.outcome import SKIPPED, Outcome
from antinode._encoding.refusal import Refused
from antinode._interruptions import is_interruption
from antinode._middleware import (
    Broken,
    Chain,
    Middleware,
    MiddlewarePayload,
    chain_of,
    name_of,
    own_copy,
)
from antinode._pipeline.intake import as_dict
from antinode._protocol.ids import as_text
from antinode._protocol.status import Status

if TYPE_CHECKING:
    from antinode._consent import Consent, ConsentFunction
    from antinode._encoding.defaults import Defaults


class Passage:
    """One event on its way through the stages."""

    __slots__ = ("event", "extra", "held_back_as", "kept", "once")

    def __init__(self, event: Any, extra: object = None, once: object = None) -> None:
        self.event = event
        self.extra = extra
        self.once = once
        self.kept = event
        """What may be kept of the event for whoever asks why it was refused."""
        self.held_back_as: Outcome | None = None
        """How the event ends if a stage holds it back; None: as one that a middleware did not pass on."""


Stage: TypeAlias = Callable[[Passage], bool]
"""Changes the passage's event; False holds it back. Raises `Refused` for an event that cannot go on."""


Complete: TypeAlias = Callable[[object], "dict[str, Any] | None"]
"""The first stage, compiled: a copy of the event with all that it lacks, or None for Python to make it."""


def stages_of(
    defaults: Defaults,
    middleware: Sequence[Middleware],
    complete: Complete | None = None,
    consent: Consent | None = None,
) -> tuple[Stage, ...]:
    """The stages, in their order. None without middleware: the encoder fills in what nobody looks at."""
    stages: tuple[Stage, ...] = ()
    if middleware:
        stages = (FillIn(defaults, complete), RunMiddleware(chain_of(middleware)))
    # Last, so that it is asked for the ids by which it is asked again when the event leaves.
    return stages if consent is None or not consent.asks_at_door else (*stages, AskConsent(consent.may_log))


class FillIn:
    """Makes the event complete, and antinode's own: the caller's is not changed by what comes later."""

    def __init__(self, defaults: Defaults, complete: Complete | None = None) -> None:
        self._fill_in = defaults.fill_in
        self._complete = complete or _leave

    def __call__(self, passage: Passage) -> bool:
        passage.event = self._complete(passage.event) or self._fill_in(own_copy(passage.event))
        return True


def _leave(event: object) -> None:
    """Leave the event to Python, where there is no compiled twin."""


class RunMiddleware:
    """Runs the application's middleware on the event, in the order in which it was added."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain

    def __call__(self, passage: Passage) -> bool:
        passed = self._chain(MiddlewarePayload(passage.event, passage.extra))
        if passed is None:
            return False
        if isinstance(passed, Broken):
            raise refused_for(passed)
        passage.event = as_dict(passed.event)
        return True


def refused_for(broken: Broken) -> Refused:
    """The refusal of an event whose middleware broke. Raises what is not about the event."""
    error = broken.error
    if isinstance(error, MemoryError) or is_interruption(error):
        raise error
    message = (
        f"the middleware {name_of(broken.by):.80} raised {type(error).__name__}, so the event was not sent"
    )
    refused = Refused(Status.FAILED, MIDDLEWARE_ERROR, message)
    refused.__cause__ = error
    return refused


class AskConsent:
    """Holds back the events of users who do not consent.

    Where that is not known the event goes on, since it is asked once more before anything leaves.
    """

    def __init__(self, may_log: ConsentFunction) -> None:
        self._may_log = may_log

    def __call__(self, passage: Passage) -> bool:
        event = passage.event
        user_id, device_id = _id(event.get("user_id")), _id(event.get("device_id"))
        if user_id is None and device_id is None:
            return True
        try:
            is_refused = self._may_log(user_id, device_id) is False
        except MemoryError:
            raise
        except Exception as error:
            if is_interruption(error):
                raise
            return True
        if is_refused:
            passage.held_back_as = NO_CONSENT
        return not is_refused


def _id(value: object) -> str | None:
    """An id as it will leave; None for what is none, which the encoder judges."""
    if isinstance(value, str):
        return value
    return as_text(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


NO_CONSENT: Final = Outcome(SKIPPED, Status.SKIPPED, "consent", message="the user does not consent")

MIDDLEWARE_ERROR = "middleware_error"
"""The reason of an event whose middleware broke."""
