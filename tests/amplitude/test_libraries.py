"""Libraries that import `amplitude` themselves track the same with ours in its place."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from antinode.testing import Endpoint
from tests import needs
from tests.amplitude.libraries import LONG, PROGRAMS
from tests.amplitude.sdks import OFFICIAL, OURS

HERE = Path(__file__).parent
NAMED = HERE / "libraries.txt"
pytestmark = pytest.mark.clients


@pytest.fixture(scope="session")
def place(pytestconfig: pytest.Config) -> Path:
    """Where the libraries are installed, below pytest's cache: filled once, and not mixed with ours."""
    assert pytestconfig.cache is not None
    cache = pytestconfig.cache.mkdir("amplitude-libraries")
    version = ".".join(map(str, sys.version_info[:2]))
    whole = cache / f"{version}-{hashlib.sha256(NAMED.read_bytes()).hexdigest()[:12]}"
    if not whole.exists():
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            begun = Path(scratch) / "libraries"
            command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", sys.executable]
            done = subprocess.run(
                [*command, "--target", str(begun), "-r", str(NAMED)],
                capture_output=True,
                text=True,
                check=False,
                timeout=300,
            )
            if done.returncode:
                reason = " ".join(done.stderr.split())[:200]
                needs.absent(f"needs libraries that import amplitude, which uv could not install: {reason}")
            with suppress(OSError):  # another process was first: a directory with files in it stays
                os.replace(begun, whole)
    return whole


def tracked(sdk: str, library: str, place: Path) -> list[dict[str, Any]]:
    """What a server receives of the library's program, in a process of its own."""
    with Endpoint() as endpoint:
        done = subprocess.run(
            [sys.executable, "-m", "tests.amplitude.libraries", sdk, library, endpoint.url, str(place)],
            cwd=HERE.parents[1],
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
        assert done.returncode == 0, done.stderr
        return endpoint.events


def shape(event: dict[str, Any]) -> dict[str, Any]:
    """An event without what is random, or the time; the keys of those values stay."""
    return {
        key: shape(value) if isinstance(value, dict) else "…" if is_own(key, value) else value
        for key, value in event.items()
    }


def is_own(key: str, value: Any) -> bool:
    """Whether a value is made anew for each event: an id that is drawn, or a time."""
    is_drawn = isinstance(value, str) and len(value) == 36 and value.count("-") == 4
    return is_drawn or key in {"library", "time"}


def as_text(event: dict[str, Any]) -> str:
    return json.dumps(event, sort_keys=True)


@pytest.mark.parametrize("library", PROGRAMS)
def test_a_library_tracks_the_same(library: str, place: Path) -> None:
    """Each event arrives with the same keys and values; in order, which the official SDK may not keep."""
    theirs, ours = (tracked(sdk, library, place) for sdk in (OFFICIAL, OURS))
    assert ours
    assert sorted(map(shape, ours), key=as_text) == sorted(map(shape, theirs), key=as_text)
    assert all(event["library"].startswith("antinode/") for event in ours)
    if library == "ai":
        assert LONG in str(ours)
        types = [event["event_type"] for event in ours]
        assert types == ["[Agent] User Message", "[Agent] AI Response", "[Agent] Tool Call"]
