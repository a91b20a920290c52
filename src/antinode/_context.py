"""What is known of whoever is being served: filled into the events that are logged meanwhile."""

from __future__ import annotations

import logging
import os
import sys
import threading
from contextlib import suppress
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any, cast

from antinode._delivery.shell.log_limiter import write
from antinode._errors import ConfigurationError
from antinode._events import ContextDict
from antinode._middleware import own_copy
from antinode._protocol.fields import GROUP_IDENTIFY, IDENTIFY, PROPERTY_FIELDS
from antinode._protocol.unknown_keys import meant_key
from antinode._public import public

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Unpack

MERGED = frozenset({"event_properties", "groups"})
"""Fields whose keys are filled in one by one."""
OF_THE_USER = ("device_id", "session_id", "user_properties")
"""Fields that belong to the context's user, and to no other."""

_FIELDS = frozenset(ContextDict.__annotations__)


@public
class Context:
    """What `antinode.context` returns: for a `with` statement; in force inside it."""

    __slots__ = ("_given", "_token", "fields")

    def __init__(self, given: dict[str, Any]) -> None:
        self._given = given
        self._token: Token[Context | None] | None = None
        self.fields: dict[str, Any] = {}
        """What is filled in: this context's, and that of those around it. Replaced whole, never changed."""

    def __enter__(self) -> None:
        if self._token is not None:
            raise RuntimeError("this antinode.context() is entered already: make another")
        outer = current.get()
        self.fields = self._given if outer is None else merged(outer.fields, self._given)
        try:
            self._token = current.set(self)
        except BaseException:
            # A signal handler's, once it was set: it would hold for whoever is served next.
            current.set(outer)
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        token, self._token = self._token, None
        if token is not None:
            # A generator is closed elsewhere than it was begun; where that was, the context is over anyway.
            with suppress(ValueError):
                current.reset(token)

    def __repr__(self) -> str:
        return "<antinode.context>"  # what is known of a user stays out of logs


current: ContextVar[Context | None] = ContextVar("antinode_context", default=None)
"""The innermost context in force."""


def context(**fields: Unpack[ContextDict]) -> Context:
    """Fill in, inside a `with` statement, what events do not say of themselves.

        with antinode.context(user_id="user-20391", event_properties={"plan": "pro"}):
            antinode.log_event({"event_type": "Song Played"})

    An event's own fields win; `event_properties` and `groups` are merged key by key. Contexts nest, and the
    inner one wins. They hold across `await`, in tasks and in `asyncio.to_thread`, and in other threads that
    run in a copy of the context (`contextvars.copy_context`). An event of another user than the context's
    takes neither its device nor its session. Raises `ConfigurationError` for a field that no context has.
    """
    return Context(_checked(fields))


def add_context(**fields: Unpack[ContextDict]) -> None:
    """Add to the innermost context in force, for the rest of it, as a view does after a login.

    What is given wins over what it had. Outside of any context nothing is added, and a WARNING says so: it
    would hold for whoever is served next. Raises `ConfigurationError` for a field that no context can have.
    """
    checked = _checked(fields)
    innermost = current.get()
    if innermost is None:
        _warn_of_no_context()
        return
    with _adding:
        while True:
            before = innermost.fields
            after = merged(before, checked)
            # A signal handler may have added in between.
            if innermost.fields is before:
                innermost.fields = after
                return


# Held for a moment by whoever adds: threads may share a context, and each makes a new dict of the last one.
_adding = threading.RLock()


def _renew_after_fork() -> None:
    """In a forked child: the thread that held the lock may have stayed behind."""
    global _adding
    _adding = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_after_fork)


def get_context() -> ContextDict:
    """What the context in force fills in, as a dict of your own; empty outside of any.

    `antinode.context(**fields)` with it opens the same elsewhere, as in a task that a request has queued.
    """
    innermost = current.get()
    fields: Any = {} if innermost is None else own_copy(innermost.fields)
    return cast("ContextDict", fields)


_has_warned = False


def _warn_of_no_context() -> None:
    global _has_warned
    if not _has_warned:
        _has_warned = True
        text = "add_context() was called outside of any antinode.context(), and nothing was added"
        write(logging.WARNING, text)


def _checked(fields: Any) -> dict[str, Any]:
    for name in fields.keys() - _FIELDS:
        meant = meant_key(name)
        hint = f"; write {meant}=" if meant in _FIELDS else ""
        raise ConfigurationError(f"a context has no field `{name}`{hint}")
    for name in (*PROPERTY_FIELDS, "groups"):
        value = fields.get(name)
        if value is not None and not isinstance(value, dict):
            raise ConfigurationError(f"`{name}` of a context must be a dict, not {type(value).__name__}")
    # Interned, since the compiled code knows some of them by identity.
    return {sys.intern(name): own_copy(value) for name, value in fields.items() if value is not None}


def merged(outer: dict[str, Any], inner: dict[str, Any]) -> dict[str, Any]:
    """A new dict: the fields of both, where the inner one's win."""
    both = {**outer, **inner}
    for name in MERGED:
        if name in outer and name in inner:
            both[name] = {**outer[name], **inner[name]}
    return both


def filled_in(event: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    """A new dict: the event, with what it does not say of itself.

    An event that changes properties takes no properties and no groups, and that of a group takes nothing.
    """
    event_type = event.get("event_type")
    if not isinstance(event_type, str):
        event_type = None
    if event_type == GROUP_IDENTIFY:
        return event
    kept_out: tuple[str, ...] = (*PROPERTY_FIELDS, "groups") if event_type == IDENTIFY else ()
    if _is_anothers(event.get("user_id"), fields.get("user_id")):
        kept_out = (*kept_out, *OF_THE_USER)
    made = dict(event)
    for name, value in fields.items():
        own = made.get(name)
        if own is None:
            if name not in kept_out:
                made[name] = value
        elif name in MERGED and isinstance(own, dict):
            made[name] = {**value, **own}
    return made


def _is_anothers(user: object, served: object) -> bool:
    """Whether an event's user is known not to be the one of the context. Ids are texts or numbers."""
    if user is None or served is None:
        return False
    return not isinstance(user, (str, int)) or str(user) != str(served)
