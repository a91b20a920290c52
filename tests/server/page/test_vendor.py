"""The vendored JavaScript is what was published, byte for byte."""

from __future__ import annotations

import hashlib
from pathlib import Path

import antinode.server

VENDOR = Path(antinode.server.__file__).parent / "page" / "vendor"
SUMS = VENDOR / "sha256sums.txt"


def test_vendored_files_have_their_recorded_digests() -> None:
    """Each file but the table and the digests themselves is recorded, and none was changed or slipped in."""
    recorded = dict(reversed(line.split()) for line in SUMS.read_text("ascii").splitlines())
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.iterdir()
        if path.name not in {SUMS.name, "README.md"}
    }
    assert found == recorded
