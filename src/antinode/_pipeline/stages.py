"""The stages between the way in and the encoder: each sees the event, may change it, and may hold it back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from antinode._encoding.refusal import Refused
from antinode._interruptions import is_interruption
from antinode._middleware import ChainRun, Middleware, MiddlewarePayload, own_copy
from antinode._pipeline.intake import as_dict
from antinode._protocol.status import Status

if TYPE_CHECKING:
    from antinode._encoding.defaults import Defaults


class Passage:
    """One event on its way through the stages."""

    __slots__ = ("event", "extra", "kept", "once")

    def __init__(self, event: Any, extra: object = None, once: object = None) -> None:
        self.event = event
        self.extra = extra
        self.once = once
        self.kept = event
        """What may be kept of the event for whoever asks why it was refused."""


Stage: TypeAlias = Callable[[Passage], bool]
"""Changes the passage's event; False holds it back. Raises `Refused` for an event that cannot go on."""


Complete: TypeAlias = Callable[[object], "dict[str, Any] | None"]
"""The first stage, compiled: a copy of the event with all that it lacks, or None for Python to make it."""


def stages_of(
    defaults: Defaults, middleware: Sequence[Middleware], complete: Complete | None = None
) -> tuple[Stage, ...]:
    """The stages, in their order. None without middleware: the encoder fills in what nobody looks at."""
    if not middleware:
        return ()
    return (FillIn(defaults, complete), RunMiddleware(middleware))


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

    def __init__(self, chain: Sequence[Middleware]) -> None:
        self._chain = tuple(chain)

    def __call__(self, passage: Passage) -> bool:
        run = ChainRun(self._chain)
        try:
            passed = run(MiddlewarePayload(passage.event, passage.extra))
        except MemoryError:
            raise
        except Exception as error:
            if is_interruption(error):
                raise
            message = (
                f"the middleware {run.breaker:.80} raised {type(error).__name__}, so the event was not sent"
            )
            raise Refused(Status.FAILED, MIDDLEWARE_ERROR, message) from error
        if passed is None:
            return False
        passage.event = as_dict(passed.event)
        return True


MIDDLEWARE_ERROR = "middleware_error"
"""The reason of an event whose middleware broke."""
