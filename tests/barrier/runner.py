"""Runs scenes, one process each, against an endpoint that cuts connections."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile

from antinode.testing import Endpoint, faults
from tests.barrier.scene import Plan

# Beyond every limit inside a scene: only a process that cannot even run a signal handler takes as long.
ENDS_WITHIN = 120.0


def play(seed: int) -> str:
    """Run the scene of a seed. What went wrong; empty if nothing did."""
    mix = {faults.drop_before(): 0.15, faults.drop_after(): 0.15, faults.cut_short(): 0.1}
    fault = faults.times(6, faults.random_mix(seed, mix))
    directory = tempfile.mkdtemp()
    with Endpoint() as endpoint:
        endpoint.answer = fault
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.barrier.scene", endpoint.url, directory, str(seed)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "PYTHONFAULTHANDLER": "1"},
        )
        try:
            _, errors = process.communicate(timeout=ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGABRT)
            _, errors = process.communicate()
            errors = f"it hangs\n{errors}"
        finally:
            shutil.rmtree(directory, ignore_errors=True)
    if process.returncode or errors:
        return f"seed {seed}, {Plan.of(seed)}: status {process.returncode}\n{errors}"
    return ""
