"""The helpers of `amplitude.utils`."""

from __future__ import annotations

import logging
import time
from typing import Any

from antinode.amplitude import constants

logger = logging.getLogger(constants.LOGGER_NAME)


def current_milliseconds() -> int:
    """The time of the system's clock, in milliseconds."""
    return time.time_ns() // 1_000_000


def truncate(obj: Any) -> Any:
    """Cut strings to 1024 characters, in dicts and lists too, which are changed in place.

    A dict of more than 1024 keys becomes an empty one, and that is logged. Returns what `obj` has become.
    """
    if isinstance(obj, str):
        return obj[: constants.MAX_STRING_LENGTH]
    if isinstance(obj, dict):
        if len(obj) > constants.MAX_PROPERTY_KEYS:
            logger.error("Too many properties. %d maximum.", constants.MAX_PROPERTY_KEYS)
            return {}
        for key, value in obj.items():
            obj[key] = truncate(value)
    elif isinstance(obj, list):
        obj[:] = [truncate(element) for element in obj]
    return obj
