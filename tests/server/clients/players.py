"""The official SDKs, each in a process of its own: installed on first use, and run."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests import needs
from tests.server.clients.story import Step

HERE = Path(__file__).parent
API_KEY = "0123456789abcdef0123456789abcdef"
MANIFESTS = ("package.json", "package-lock.json")


def install_packages(cache: Path) -> Path:
    """Where the packages that the lock file names are installed: a directory below `cache`, filled once."""
    locked = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in MANIFESTS)).hexdigest()[:12]
    place = cache / locked
    if not place.exists():
        # Beside its place first: an installation that is cut short is never taken for a whole one.
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            begun = Path(scratch) / locked
            begun.mkdir()
            for name in MANIFESTS:
                shutil.copy(HERE / name, begun)
            command = [*needs.node().npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(
                command, cwd=begun, capture_output=True, text=True, check=False, timeout=300
            )
            if done.returncode:
                reason = " ".join(done.stderr.split())[:200]
                needs.absent(f"needs the official JavaScript SDKs, which npm could not install: {reason}")
            with suppress(OSError):  # another process was first: a directory with files in it stays
                os.replace(begun, place)
    return place


def installed_version(packages: Path, name: str) -> str:
    """The version of a package that is installed in `packages`."""
    version: str = json.loads((packages / "node_modules" / name / "package.json").read_text("utf-8"))[
        "version"
    ]
    return version


@dataclass(frozen=True)
class Player:
    """One SDK: how to run its script, and the library that its events name."""

    command: tuple[str, ...]
    library: str

    def play(self, steps: list[Step], url: str) -> dict[str, int]:
        """How many calls ended with which code, as the SDK told its caller."""
        done = subprocess.run(
            [*self.command, url, API_KEY],
            input=json.dumps(steps),
            capture_output=True,
            text=True,
            check=False,
            timeout=150,
        )
        assert done.returncode == 0, done.stderr
        codes: dict[str, int] = json.loads(done.stdout)
        return codes


def python_player() -> Player:
    from amplitude.constants import SDK_VERSION  # type: ignore[import-untyped]  # it has no types

    return Player((sys.executable, str(HERE / "amplitude_python.py")), f"amplitude-python/{SDK_VERSION}")


def node_player(packages: Path, script: str, package: str, library: str) -> Player:
    version = installed_version(packages, package)
    return Player((*needs.node().node, str(HERE / script), str(packages)), f"{library}/{version}")
