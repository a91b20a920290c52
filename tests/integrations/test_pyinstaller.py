"""A program frozen by PyInstaller has the compiled part, and the files of the local Amplitude's page."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from antinode.testing import Endpoint
from tests import needs
from tests.lifecycle.driver import KEY

pytest.importorskip("PyInstaller")

_PROGRAM = """
import sys
from importlib.resources import files
import antinode, antinode.server
from antinode import _speedups

with antinode.init(sys.argv[2], server_url=sys.argv[1]) as client:
    client.log_event({"event_type": "Frozen", "user_id": "user-1"})
page = files("antinode.server") / "page" / "index.html"
print(_speedups.native is not None, "<html" in page.read_text("utf-8"))
"""
# Without what would only take time to pack.
_LEFT_OUT = (
    "anyio", "cryptography", "distutils", "h11", "httptools", "numpy", "pandas", "pydoc", "setuptools",
    "sqlite3", "starlette", "tkinter", "trio", "unittest", "uvicorn",
)  # fmt: skip


def test_one_file_has_all_that_is_loaded_later(endpoint: Endpoint, tmp_path: Path) -> None:
    """Nothing is said to PyInstaller: it finds antinode's hooks by itself."""
    needs.native()
    program = tmp_path / "program.py"
    program.write_text(_PROGRAM)
    excluded = [word for name in _LEFT_OUT for word in ("--exclude-module", name)]
    packed = subprocess.run(
        [sys.executable, "-m", "PyInstaller", "--onefile", "--log-level=WARN", *excluded, str(program)],
        cwd=tmp_path, capture_output=True, text=True, timeout=220, check=False,
    )  # fmt: skip
    assert packed.returncode == 0, packed.stderr
    suffix = ".exe" if sys.platform == "win32" else ""
    ran = subprocess.run(
        [tmp_path / "dist" / f"program{suffix}", endpoint.url, KEY],
        cwd=tmp_path, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert (ran.stdout, ran.stderr) == ("True True\n", ""), ran
    assert [each["event_type"] for each in endpoint.events] == ["Frozen"]
