"""The package and its users' code under a strict type checker, for the oldest and the newest Python."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("version", ["3.10", "3.14"])
def test_package_and_usage_type_check(version):
    """The package is strictly typed, right usage passes, and each marked misuse is an error."""
    usage = ["tests/typing/usage_ok.py", "tests/typing/usage_bad.py"]
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", ".mypy_cache"]
    checked = subprocess.run(
        [*command, "--python-version", version, "src/antinode", *usage],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
