"""Clients with a spool, for tests of what an application sees of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from antinode import Client
from tests.lifecycle.driver import Ended, run

NOBODY = "http://127.0.0.1:9/2/httpapi"
MakeClient = Callable[..., Client]


def tick(seq: int, user: str = "user-1", **more: Any) -> Any:
    return {"event_type": "Tick", "user_id": user, "event_properties": {"seq": seq, **more}}


def left(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir() if path.name != "damaged")


def until(met: Callable[[], object], what: str = "the condition") -> None:
    """Wait for something that another thread or process does."""
    deadline = time.monotonic() + 120
    while not met():
        assert time.monotonic() < deadline, f"{what} was not met"
        time.sleep(0.005)


def run_with(directory: Path, program: str, url: str = NOBODY) -> Ended:
    return run(f"DIR = {str(directory)!r}\n" + _dedented(program), url)


def _dedented(program: str) -> str:
    import textwrap

    return textwrap.dedent(program)
