"""The middleware chain: functions that see each event before it is encoded, and may change or stop it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

from antinode._changing import items_at_once
from antinode._errors import ConfigurationError
from antinode._protocol.limits import MAX_DEPTH
from antinode._public import public


@public
class MiddlewarePayload(msgspec.Struct):
    """What a middleware is given: the event, with its defaults filled in, and the `extra` of `log_event`.

    `event` is the middleware's own copy; changing it does not touch what the caller holds.
    """

    event: dict[str, Any]
    extra: Any = None

    def __repr__(self) -> str:
        return "<MiddlewarePayload>"  # the event stays out of logs and tracebacks


MiddlewareNext: TypeAlias = Callable[[MiddlewarePayload], None]
"""Passes a payload on. Not calling it ends the event as skipped."""

Middleware: TypeAlias = Callable[[MiddlewarePayload, MiddlewareNext], object]
"""`fn(payload, next)`: runs on the caller's thread, in the order in which it was added."""


def check_middleware(fn: object) -> None:
    """Raises `ConfigurationError` unless `fn` is a function that can be one."""
    if not callable(fn):
        raise ConfigurationError(f"a middleware must be a function (payload, next), not {type(fn).__name__}")
    import inspect  # noqa: PLC0415 - only for those who use middleware

    for each in (fn, type(fn).__call__):
        if (
            inspect.iscoroutinefunction(each)
            or inspect.isgeneratorfunction(each)
            or inspect.isasyncgenfunction(each)
        ):
            raise ConfigurationError(
                f"the middleware {name_of(fn)} is async or a generator, so its body would never run: "
                "write a plain function that calls next(payload)"
            )


class ChainRun:
    """The way of one event through the chain."""

    __slots__ = ("_end", "arrived", "breaker", "broken_by", "chain", "is_over")

    def __init__(self, chain: tuple[Middleware, ...]) -> None:
        self.chain = chain
        self._end = len(chain) - 1
        self.arrived: MiddlewarePayload | None = None
        self.broken_by: Exception | None = None
        self.breaker = ""
        """The name of the first middleware to break."""
        self.is_over = False

    def __call__(self, payload: MiddlewarePayload) -> MiddlewarePayload | None:
        """What comes out at the end of the chain, or None if a middleware did not pass the event on.

        Raises what the first middleware to break raised, even if it had called `next` already, and even if
        one before it caught the exception: the event is not sent then.
        """
        if not self.chain:
            return payload
        try:
            self.step(0, payload)
        finally:
            self.is_over = True
        if self.broken_by is not None:
            raise self.broken_by
        return self.arrived

    def step(self, position: int, payload: MiddlewarePayload) -> None:
        """Run the middleware at this place, and by its `next` the others."""
        fn = self.chain[position]
        was_called = False

        def pass_on(changed: MiddlewarePayload) -> None:
            nonlocal was_called
            if self.is_over or was_called or type(changed) is not MiddlewarePayload:
                self._check(fn, changed, was_called)
            was_called = True
            if position == self._end:
                self.arrived = changed
            else:
                self.step(position + 1, changed)

        try:
            returned = fn(payload, pass_on)
            if returned is not None and hasattr(returned, "__await__"):
                _close(returned)
                raise TypeError(f"the middleware {name_of(fn)} returned an awaitable; write a plain function")
        except Exception as error:
            self._break(fn, error)
            raise

    def _check(self, fn: Middleware, payload: object, was_called: bool) -> None:
        """Raise for a call of `next` that is wrong: the event is not sent then, even if that is caught."""
        if self.is_over:
            raise RuntimeError(f"the middleware {name_of(fn)} called next() after it had returned")
        error: Exception | None = None
        if was_called:
            error = RuntimeError(f"the middleware {name_of(fn)} called next() twice for one event")
        elif not isinstance(payload, MiddlewarePayload):
            error = TypeError(f"next() takes the payload, not {type(payload).__name__}: write next(payload)")
        if error is not None:
            self._break(fn, error)
            raise error

    def _break(self, fn: Middleware, error: Exception) -> None:
        if self.broken_by is None:
            self.broken_by, self.breaker = error, name_of(fn)


def _close(awaitable: object) -> None:
    # A coroutine that is neither awaited nor closed makes Python warn.
    close = getattr(awaitable, "close", None)
    if close is not None:
        close()


def name_of(fn: object) -> str:
    """What a function is called where it is told of; a partial is called as what it calls."""
    while isinstance(fn, functools.partial):
        fn = fn.func
    return str(getattr(fn, "__qualname__", type(fn).__qualname__))


def own_copy(value: Any) -> Any:
    """A copy of an event's dicts, lists, tuples and sets: a middleware changes nothing of the caller's."""
    return _copied(value, {}, 0)


def _copied(value: Any, known: dict[int, Any], layer: int) -> Any:
    # `known` ends cycles, and keeps what is shared from multiplying. Deeper than the limit, nothing is sent.
    if not isinstance(value, (dict, list, tuple, set)) or layer > MAX_DEPTH + 1:
        return value
    if id(value) in known:
        return known[id(value)]
    copy: Any
    if isinstance(value, dict):
        copy = known[id(value)] = {}
        for key, item in items_at_once(value):
            copy[key] = _copied(item, known, layer + 1)
    elif isinstance(value, list):
        copy = known[id(value)] = []
        copy.extend([_copied(item, known, layer + 1) for item in list(value)])
    elif type(value) is tuple:
        copy = known[id(value)] = tuple([_copied(item, known, layer + 1) for item in value])
    else:
        copy = known[id(value)] = set(value) if isinstance(value, set) else value
    return copy
