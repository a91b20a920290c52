"""Where in the application's own code a call to antinode was made."""

from __future__ import annotations

import os
import sys
from types import FrameType

_OURS = os.path.dirname(os.path.abspath(__file__)) + os.sep


def calling_line() -> str:
    """`/srv/shop/views.py:12`: the innermost line that is not antinode's; "" where there is none."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_OURS):
        frame = frame.f_back
    return "" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"
