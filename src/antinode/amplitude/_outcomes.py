"""Telling of how an event ended: to the callbacks, and to the log."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from antinode import Outcome, Status
from antinode.amplitude.constants import EventLogLevel

if TYPE_CHECKING:
    from antinode.amplitude.config import Config

SENT: Final = "Event sent successfully."

_CODES: Final = {
    Status.INVALID: 400,
    Status.TIMEOUT: 408,
    Status.PAYLOAD_TOO_LARGE: 413,
    Status.RATE_LIMIT: 429,
}
"""For outcomes that no answer decided."""


def is_wanted(configuration: Config, event: Any) -> bool:
    """Whether anybody wants to know how the event ends."""
    return (
        configuration.callback is not None
        or getattr(event, "event_callback", None) is not None
        or _is_logged(configuration)
    )


def tell(configuration: Config, event: Any, code: int, message: str) -> None:
    """Call the callbacks, the client's before the event's own, and log what happened."""
    try:
        if callable(configuration.callback):
            configuration.callback(event, code, message)
    except Exception:
        _log_raised(configuration, event)
    try:
        callback = getattr(event, "callback", None)
        if callable(callback):
            callback(code, message)
    except Exception:
        _log_raised(configuration, event)
    if _is_logged(configuration):
        log = configuration.logger
        write = log.debug if configuration.event_log_level is EventLogLevel.DEBUG else log.info
        write(message, extra={"code": code, "event": event})


def in_words(outcome: Outcome) -> tuple[int, str]:
    """The code and the message of an outcome: those of the server, where it has answered."""
    if outcome.ok:
        return outcome.code, SENT
    said = (outcome.body or {}).get("error")
    return outcome.code or _CODES.get(outcome.status, -1), said if isinstance(said, str) else outcome.message


def described(event: Any) -> str:
    """An event for the log, which tells no more of it than its type."""
    return f"{type(event).__name__} {getattr(event, 'event_type', None)!r:.100}"


def _log_raised(configuration: Config, event: Any) -> None:
    configuration.logger.exception("Error callback for event %s", described(event))


def _is_logged(configuration: Config) -> bool:
    level = configuration.event_log_level
    if level is EventLogLevel.NONE:
        return False
    number = logging.DEBUG if level is EventLogLevel.DEBUG else logging.INFO
    logger = configuration.logger
    if type(logger) is logging.Logger:
        return logger.isEnabledFor(number)
    is_enabled = getattr(logger, "isEnabledFor", None)
    return not callable(is_enabled) or bool(is_enabled(number))
