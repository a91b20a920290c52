"""Celery: the context of whoever queues a task travels with it, in the task's headers."""

from __future__ import annotations

from typing import Any, Final

from celery import signals

from antinode.integrations._travel import NAME, entered, packed

__all__ = ["connect"]

_CARRIER: Final = "Celery task"
_SCOPE: Final = "_antinode_scope"


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
    if headers is not None and (text := packed(_CARRIER)) is not None:
        headers[NAME] = text


def _open(task: Any = None, **_: Any) -> None:
    scope = entered(getattr(task.request, NAME, None), _CARRIER)
    if scope is not None:
        setattr(task.request, _SCOPE, scope)


def _close(task: Any = None, **_: Any) -> None:
    scope = getattr(task.request, _SCOPE, None)
    if scope is not None:
        setattr(task.request, _SCOPE, None)
        scope.__exit__(None, None, None)
