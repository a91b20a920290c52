"""A short run of the crash test; `python -m tests.crash --rounds 300` is the long one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.crash.__main__ import crash


@pytest.mark.skipif(sys.platform == "win32", reason="it forks")
@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_is_lost_when_processes_are_killed(tmp_path: Path, seed: int) -> None:
    """Whoever is killed, whenever: every event whose call had returned arrives, once, in order."""
    directory = tmp_path / "spool"
    directory.mkdir()
    rounds, finding = crash(str(directory), 20, seed)
    assert finding.problems == []
    assert finding.arrived >= rounds.account.calls > 1000
    assert rounds.account.ends["killed from outside"] > 5
    assert rounds.account.ends["killed in a disk operation"] > 5
