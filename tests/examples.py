"""How many examples Hypothesis tries: few in `make test`, many in `make test-thorough`."""

from __future__ import annotations

import os

DEPTH = int(os.environ.get("ANTINODE_DEPTH", "1"))
"""So many times as many are tried."""


def examples(count: int) -> int:
    """`max_examples` of a test that usually tries `count`."""
    return count * DEPTH
