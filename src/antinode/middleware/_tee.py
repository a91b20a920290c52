"""Middleware that passes events on to somebody else as well."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from antinode import Client, ConfigurationError, Middleware, MiddlewareNext, MiddlewarePayload
from antinode._middleware import own_copy
from antinode.middleware._events import named

_log = logging.getLogger("antinode")


def tee(to: Client | Callable[[dict[str, Any]], object]) -> Middleware:
    """Gives each event to a second client, or to a function, and lets it go on.

    What comes before it in the chain has been done to the event; what comes after has not. `to` is given a
    copy of its own, with its `time` and `insert_id`. What a function raises is logged, and costs the event
    nothing. What is logged from within, as by a client whose own chain leads back here, is not given again.
    """
    if not isinstance(to, Client) and not callable(to):
        raise ConfigurationError(f"tee() needs a client or a function, not {type(to).__name__}")
    give = to.log_event if isinstance(to, Client) else to
    is_giving: ContextVar[bool] = ContextVar("is_giving", default=False)

    def middleware(payload: MiddlewarePayload, next: MiddlewareNext) -> None:
        if not is_giving.get():
            token = is_giving.set(True)
            try:
                give(own_copy(payload.event))
            except Exception as error:
                _log.warning(
                    "antinode: tee(): the function raised %s; the event goes on", type(error).__name__
                )
                _log.debug("antinode: tee(): the function raised", exc_info=True)
            finally:
                is_giving.reset(token)
        next(payload)

    return named(middleware, "tee")
