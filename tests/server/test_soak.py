"""A short form of the long run in bench/server_soak.py: memory does not grow with what was taken."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SOAK = Path(__file__).parents[2] / "bench" / "server_soak.py"
ALLOWED_MB = 12.0
"""Between the first fifth, when the oldest events are being forgotten already, and the end."""


def soak(*options: str) -> dict[str, Any]:
    """The run's figures; `failures` says what was wrong."""
    command = [sys.executable, str(SOAK), "--json", "--allowed-mb", str(ALLOWED_MB), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert done.stdout, done.stderr
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


@pytest.mark.parametrize("place", ["memory", "file"])
def test_memory_stays_flat(place: str, tmp_path: Path) -> None:
    """30,000 events of as many users through a server that keeps 5,000: all counted, memory as it was."""
    options = ["--events", "30000", "--max-events", "5000", "--users", "30000"]
    if place == "file":
        options += ["--data", str(tmp_path / "events.db")]

    figures = soak(*options)

    assert figures["failures"] == []
    assert figures["counted"] == 30_000
    assert figures["kept"] <= 5_000
    assert figures["totals"]["duplicates"] > 0
    assert figures["totals"]["returned"] > 0
