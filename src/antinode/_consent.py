"""Consent: what the application says of each user, when an event is logged and again when it leaves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias, runtime_checkable

from antinode._errors import ConfigurationError
from antinode._public import public

ConsentFunction: TypeAlias = Callable[["str | None", "str | None"], "bool | None"]
"""`fn(user_id, device_id)`: True, False, or None where it is not known at present."""


@runtime_checkable
class ConsentStore(Protocol):
    """An object that knows who has consented."""

    def may_log(self, user_id: str | None, device_id: str | None) -> bool | None:
        """Say True, False, or None where it is not known at present."""


@public
class Consent:
    """Whose events may be logged and sent: `init(consent=…)`; see `docs/privacy.md`.

    `source` is a function `(user_id, device_id)` or an object with a method `may_log` of that form. It says
    True or False; with None, anything else or an exception it is not known, and the event waits unsent.

    It is asked in `log_event`, on the caller's thread, where it must answer from memory; and once more for
    each user of a request that is about to leave, on antinode's thread, where it may take its time, up to
    `request_timeout_millis`. `at_door=False` leaves out the first. Raises `ConfigurationError`.
    """

    __slots__ = ("asks_at_door", "may_log")

    may_log: ConsentFunction
    """The function that is asked."""
    asks_at_door: bool
    """Whether it is asked in `log_event` too."""

    def __init__(self, source: ConsentFunction | ConsentStore, *, at_door: bool = True) -> None:
        method = getattr(source, "may_log", source)
        if not callable(method) or isinstance(source, type):
            raise ConfigurationError(
                "consent must be a function (user_id, device_id), or an object with may_log(user_id, "
                f"device_id), not {type(source).__name__}"
            )
        import inspect  # noqa: PLC0415 - only for those who ask for consent

        for each in (method, type(method).__call__):
            if inspect.iscoroutinefunction(each):
                raise ConfigurationError(
                    "consent must be a plain function (user_id, device_id): an async one would never be "
                    "awaited"
                )
        given: object = at_door
        if not isinstance(given, bool):
            raise ConfigurationError(f"at_door must be True or False, not {given!r:.60}")
        self.may_log = method
        self.asks_at_door = at_door

    def __repr__(self) -> str:
        return f"<Consent at_door={self.asks_at_door}>"
