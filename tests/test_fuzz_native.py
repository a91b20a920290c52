"""A short run of the fuzz of `python -m tests.fuzz_native`, with and without the compiled parts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs timers that signal")
@pytest.mark.parametrize("is_pure", [False, True], ids=["compiled", "python"])
def test_events_that_change_in_hostile_surroundings(is_pure: bool) -> None:
    """Nothing crashes, the books balance, and each event that is sent is one that the dict has been."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz_native", "--rounds", "4", "--calls", "25"],
        cwd=ROOT,
        env={**os.environ, "ANTINODE_PURE_PYTHON": "1" if is_pure else ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert ("in Python" in done.stdout) is is_pure
