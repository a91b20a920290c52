"""For functions that are frozen when they return: what they logged must have left by then."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from antinode._errors import ConfigurationError
from antinode._instances import get_instance
from antinode._public import public

if TYPE_CHECKING:
    from antinode._client import Client

F = TypeVar("F", bound=Callable[..., Any])


@public
class flushing:
    """Flush when a block or function ends, however it ends. A decorator and context manager, sync or async.

        @antinode.flushing(timeout=2)
        def handler(event, context): ...

    `timeout` is in seconds: it bounds what an outage can add to an invocation; what has not left then stays
    queued for the next one, if the platform thaws this process for it. `client` is the default instance
    unless given. Raises `ConfigurationError` for a generator function, which ends long after it returns.
    """

    def __init__(self, timeout: float = 2.0, *, client: Client | None = None) -> None:
        if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
            raise ConfigurationError(
                f"flushing() takes a number of seconds, not {type(timeout).__name__}: "
                "write @antinode.flushing(), or @antinode.flushing(timeout=2)"
            )
        self._timeout = timeout
        self._client = client

    @property
    def _target(self) -> Client:
        return self._client if self._client is not None else get_instance()

    def __enter__(self) -> Client:
        return self._target

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._target.flush(self._timeout)

    async def __aenter__(self) -> Client:
        return self._target

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._target.aflush(self._timeout)

    def __call__(self, fn: F) -> F:
        if inspect.isgeneratorfunction(fn) or inspect.isasyncgenfunction(fn):
            raise ConfigurationError(
                f"flushing() cannot tell the end of the generator function {fn.__qualname__}: "
                "write `with antinode.flushing():` inside it"
            )
        if inspect.iscoroutinefunction(fn):

            @functools.wraps(fn)
            async def awaited(*args: Any, **kwargs: Any) -> Any:
                return await self._finish(fn(*args, **kwargs))

            return cast("F", awaited)

        @functools.wraps(fn)
        def called(*args: Any, **kwargs: Any) -> Any:
            try:
                result = fn(*args, **kwargs)
            except BaseException:
                self._target.flush(self._timeout)
                raise
            if inspect.isawaitable(result):
                # A coroutine function under another decorator: nothing has run yet.
                return self._finish(result)
            self._target.flush(self._timeout)
            return result

        return cast("F", called)

    async def _finish(self, result: Awaitable[Any]) -> Any:
        async with self:
            return await result
