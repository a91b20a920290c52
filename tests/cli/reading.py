"""What the tests of the command read: processes, their output, and uploads as the server tells of them."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import msgspec

from antinode.server.models import EventView, Problem, UploadView

COMMAND = [sys.executable, "-m", "antinode"]


def environment(**more: str) -> dict[str, str]:
    """The environment of a script: no terminal's habits, no colour asked for."""
    kept = {key: value for key, value in os.environ.items() if not key.endswith("_COLOR")}
    for name in ("GITHUB_ACTIONS", "PY_COLORS", "COLUMNS", "TERMINAL_WIDTH"):
        kept.pop(name, None)
    return kept | more


def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """`antinode` with `arguments`, in a process of its own, to its end."""
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
        encoding="utf-8",
        env=environment(**more),
    )


def words(text: str) -> str:
    """`text` as one line: where it was wrapped does not matter."""
    return " ".join(text.split())


def upload(**given: Any) -> UploadView:
    """An upload of one accepted event, but for what is given."""
    usual = {
        "id": 1,
        "received_at": 1_700_000_000_000,
        "method": "POST",
        "path": "/2/httpapi",
        "project_id": 1,
        "status": 200,
        "error": None,
        "fault": None,
        "wire_size": 310,
        "body_size": 310,
        "encoding": "",
        "events": 1,
        "accepted": 1,
        "duplicates": 0,
        "rejected": 0,
        "returned": 0,
        "library": "antinode/0.1.0",
        "user_agent": "",
        "duration_us": 1_250,
        "answer": None,
        "body_start": None,
    }
    return UploadView(**(usual | given))


def event(position: int = 0, *problems: Problem) -> EventView:
    """An event with `problems` at `position` of its upload."""
    return EventView(
        seq=position + 1,
        outcome="rejected" if problems else "accepted",
        received_at=1_700_000_000_000,
        upload_id=1,
        position=position,
        project_id=1,
        event_type="Song Played",
        user_id="user-20391",
        device_id=None,
        insert_id=None,
        time=None,
        library=None,
        problems=list(problems),
        event=msgspec.Raw(b"{}"),
    )


def problem(message: str, code: str = "invalid_time", severity: Any = "error") -> Problem:
    return Problem(code=code, severity=severity, field="time", message=message)
