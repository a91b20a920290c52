"""The middleware chain: functions that see each event before it is encoded, and may change or hold it back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import msgspec


class MiddlewarePayload(msgspec.Struct):
    """What a middleware is given: the event, with its defaults filled in, and the `extra` of `log_event`.

    `event` is the middleware's own copy; changing it does not touch what the caller holds.
    """

    event: dict[str, Any]
    extra: Any = None


MiddlewareNext: TypeAlias = Callable[[MiddlewarePayload], None]
"""Passes a payload on. Not calling it ends the event as skipped."""

Middleware: TypeAlias = Callable[[MiddlewarePayload, MiddlewareNext], object]
"""`fn(payload, next)`: runs on the caller's thread, in the order in which it was added."""


def run_chain(chain: Iterable[Middleware], payload: MiddlewarePayload) -> MiddlewarePayload | None:
    """What comes out at the end of the chain, or None if a middleware did not pass the event on.

    Raises what a middleware raises, even after it called `next`: the event is not sent then.
    """
    arrived: list[MiddlewarePayload] = []
    _step(tuple(chain), 0, payload, arrived)
    return arrived[0] if arrived else None


def _step(
    chain: tuple[Middleware, ...], position: int, payload: MiddlewarePayload, arrived: list[MiddlewarePayload]
) -> None:
    if position == len(chain):
        if arrived:
            raise RuntimeError("a middleware called next() twice for one event; call it once, or not at all")
        arrived.append(payload)
        return
    fn = chain[position]

    def pass_on(changed: MiddlewarePayload) -> None:
        if not isinstance(changed, MiddlewarePayload):
            raise TypeError(f"next() takes the payload, not {type(changed).__name__}: write next(payload)")
        _step(chain, position + 1, changed, arrived)

    returned = fn(payload, pass_on)
    close = getattr(returned, "close", None)
    if close is not None and hasattr(returned, "__await__"):
        close()
        raise TypeError(
            f"the middleware {name_of(fn)} is a coroutine function; middleware must be plain functions"
        )


def name_of(fn: object) -> str:
    return getattr(fn, "__qualname__", type(fn).__qualname__)


def own_copy(value: Any) -> Any:
    """A copy of the dicts and lists of an event, so that a middleware changes nothing of the caller's."""
    if type(value) is dict:
        return {key: own_copy(item) for key, item in value.items()}
    if type(value) is list:
        return [own_copy(item) for item in value]
    return value
