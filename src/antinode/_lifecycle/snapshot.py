"""Images of a process that are saved once and started many times over, as AWS Lambda SnapStart does it."""

from __future__ import annotations

import os
from collections.abc import Callable


def watch_restores(run: Callable[[], object]) -> None:
    """Have `run` called in each process started from an image of this one, where the platform tells."""
    if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") != "snap-start":
        return
    try:
        from snapshot_restore_py import register_after_restore  # noqa: PLC0415 - there on that platform alone
    except ImportError:
        return
    register_after_restore(run)
