"""Celery: the context of whoever queues a task travels with it, in the task's headers."""

from __future__ import annotations

import json
import logging
from typing import Any, Final

from celery import signals

import antinode

__all__ = ["connect"]

_HEADER: Final = "antinode_context"
_LONGEST: Final = 16_384
_SCOPE: Final = "_antinode_scope"

_log = logging.getLogger("antinode")


def connect() -> None:
    """Have tasks run in the context in which they were queued, retries and tasks of tasks included.

    Call it once, where the Celery application is made: what queues and what runs the tasks both need it. The
    context is in the broker while the task waits, as JSON; a value that has no JSON form stays behind, with a
    WARNING. Workers send what they have logged when they end, without this; see docs/lifecycle.md.
    """
    signals.before_task_publish.connect(_attach, weak=False, dispatch_uid="antinode.attach")
    signals.task_prerun.connect(_open, weak=False, dispatch_uid="antinode.open")
    signals.task_postrun.connect(_close, weak=False, dispatch_uid="antinode.close")


def _attach(headers: dict[str, Any] | None = None, **_: Any) -> None:
    fields: dict[str, Any] = {**antinode.get_context()}
    if not fields or headers is None:
        return
    text = _json_of(fields)
    if text is None:
        kept = {name: value for name, value in fields.items() if _json_of(value) is not None}
        left_out = ", ".join(f"`{name}`" for name in fields.keys() - kept.keys())
        _log.warning("antinode: %s of the context cannot travel with a Celery task as JSON", left_out)
        text = _json_of(kept) or "{}"
    if len(text) <= _LONGEST:
        headers[_HEADER] = text
    else:
        _log.warning("antinode: a context of %d characters does not travel with a Celery task", len(text))


def _open(task: Any = None, **_: Any) -> None:
    text = getattr(task.request, _HEADER, None)
    if not isinstance(text, str):
        return
    try:
        scope = antinode.context(**json.loads(text))
        scope.__enter__()
    except (ValueError, TypeError, antinode.ConfigurationError) as error:
        _log.warning("antinode: the context of a Celery task cannot be read: %s", type(error).__name__)
        return
    setattr(task.request, _SCOPE, scope)


def _close(task: Any = None, **_: Any) -> None:
    scope = getattr(task.request, _SCOPE, None)
    if scope is not None:
        setattr(task.request, _SCOPE, None)
        scope.__exit__(None, None, None)


def _json_of(value: object) -> str | None:
    try:
        return json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return None
