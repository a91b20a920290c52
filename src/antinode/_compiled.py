"""The compiled parts, if this installation has them: `ANTINODE_PURE_PYTHON=1` does without."""

from __future__ import annotations

import importlib
import os
from typing import Any

native: Any = None
"""The module `antinode._native`, or None."""

if not os.environ.get("ANTINODE_PURE_PYTHON"):
    try:
        native = importlib.import_module("antinode._native")
    except ImportError:
        native = None
