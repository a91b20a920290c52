"""A short run of the crash test; `python -m tests.crash --rounds 300` is the long one.

With `--failures 10000` operations of the disk are refused as well.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.skipif(sys.platform == "win32", reason="it forks")
@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_is_lost_when_processes_are_killed(tmp_path: Path, seed: int) -> None:
    """Whoever is killed, whenever: every event whose call had returned arrives, once, in order."""
    # A process of its own: each of the many that it forks would bring along what other tests have left here.
    command = [sys.executable, "-m", "tests.crash", "--rounds", "20", "--seed", str(seed)]
    done = subprocess.run(
        [*command, "--directory", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for end in ("killed from outside", "killed in a disk operation"):
        count = re.search(rf"(\d+) {end}", done.stdout)
        assert count, done.stdout
        assert int(count[1]) > 5, done.stdout
