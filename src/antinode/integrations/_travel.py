"""A context on its way to another process, beside a task that is queued."""

from __future__ import annotations

import json
import logging
from typing import Any, Final

import antinode

NAME: Final = "antinode_context"
"""Under which name it goes."""

_LONGEST: Final = 16_384

_log = logging.getLogger("antinode")


def packed(carrier: str) -> str | None:
    """The context in force as JSON, to go with a task of `carrier`; None outside of any.

    A value that has no JSON form stays behind, and so does a context that is too long; a WARNING says so.
    """
    fields: dict[str, Any] = {**antinode.get_context()}
    if not fields:
        return None
    text = _json_of(fields)
    if text is None:
        kept = {name: value for name, value in fields.items() if _json_of(value) is not None}
        left_out = ", ".join(f"`{name}`" for name in fields.keys() - kept.keys())
        _log.warning("antinode: %s of the context cannot travel with a %s as JSON", left_out, carrier)
        text = _json_of(kept) or "{}"
    if len(text) > _LONGEST:
        _log.warning("antinode: a context of %d characters does not travel with a %s", len(text), carrier)
        return None
    return text


def entered(text: object, carrier: str) -> antinode.Context | None:
    """The context that came with a task, in force now; the caller exits it. None if there is none."""
    if not isinstance(text, str):
        return None
    try:
        scope = antinode.context(**json.loads(text))
        scope.__enter__()
    except (ValueError, TypeError, antinode.ConfigurationError) as error:
        _log.warning("antinode: the context of a %s cannot be read: %s", carrier, type(error).__name__)
        return None
    return scope


def _json_of(value: object) -> str | None:
    try:
        return json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return None
