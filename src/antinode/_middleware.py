"""The middleware chain: functions that see each event before it is encoded, and may change or stop it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeAlias

import msgspec

from antinode import _speedups
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


class Broken(NamedTuple):
    """The end of an event whose middleware broke: what was raised, and by which one."""

    error: Exception
    by: Middleware


Chain: TypeAlias = Callable[[MiddlewarePayload], "MiddlewarePayload | Broken | None"]
"""Leads a payload through several middlewares; see `run_chain`."""


def chain_of(middleware: Iterable[Middleware]) -> Chain:
    """What leads a payload through these, in their order: compiled, where that can be."""
    functions = tuple(middleware)
    if _speedups.native is None:
        return functools.partial(run_chain, functions)
    chain: Chain = _speedups.native.Chain(functions, MiddlewarePayload, Broken, check_call, check_returned)
    return chain


def run_chain(chain: tuple[Middleware, ...], payload: MiddlewarePayload) -> MiddlewarePayload | Broken | None:
    """What comes out at the end of the chain, or None if a middleware did not pass the event on.

    `Broken` if a middleware has raised, even if it had called `next` already, and even if one before it
    caught the exception: the event is not sent then. It tells of what was raised out of the chain, or else of
    the first to break. Raises what is no `Exception`.
    """
    run = _Run(chain)
    if not chain:
        return payload
    try:
        run.step(0, payload)
    except Exception:
        return run.last
    finally:
        run.is_over = True
    return run.first or run.arrived


class _Run:
    """The way of one event through the chain; `native/chain.c` does the same."""

    __slots__ = ("_end", "arrived", "chain", "first", "is_over", "last")

    def __init__(self, chain: tuple[Middleware, ...]) -> None:
        self.chain = chain
        self._end = len(chain) - 1
        self.arrived: MiddlewarePayload | None = None
        self.first: Broken | None = None
        """What was raised first, whoever caught it."""
        self.last: Broken | None = None
        """And last, by the one that raised it."""
        self.is_over = False

    def step(self, position: int, payload: MiddlewarePayload) -> None:
        """Run the middleware at this place, and by its `next` the others."""
        fn = self.chain[position]
        was_called = False

        def pass_on(changed: MiddlewarePayload, /) -> None:
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
            if returned is not None:
                check_returned(fn, returned)
        except Exception as error:
            self._break(fn, error)
            raise

    def _check(self, fn: Middleware, payload: object, was_called: bool) -> None:
        try:
            check_call(fn, payload, was_called, self.is_over)
        except Exception as error:
            if not self.is_over:
                self._break(fn, error)
            raise

    def _break(self, fn: Middleware, error: Exception) -> None:
        """Keep the event from being sent, even if this is caught."""
        if self.last is None or self.last.error is not error:
            self.last = Broken(error, fn)
        self.first = self.first or self.last


def check_call(fn: Middleware, payload: object, was_called: bool, is_over: bool) -> None:
    """Raise for a call of `next` that is wrong."""
    if is_over:
        raise RuntimeError(f"the middleware {name_of(fn)} called next() after it had returned")
    if was_called:
        raise RuntimeError(f"the middleware {name_of(fn)} called next() twice for one event")
    if not isinstance(payload, MiddlewarePayload):
        raise TypeError(f"next() takes the payload, not {type(payload).__name__}: write next(payload)")


def check_returned(fn: Middleware, returned: object) -> None:
    """Raise if it has returned something that would have to be awaited."""
    if not hasattr(returned, "__await__"):
        return
    # A coroutine that is neither awaited nor closed makes Python warn.
    close = getattr(returned, "close", None)
    if close is not None:
        close()
    raise TypeError(f"the middleware {name_of(fn)} returned an awaitable; write a plain function")


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
