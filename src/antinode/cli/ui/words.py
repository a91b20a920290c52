"""Times as people read them."""

from __future__ import annotations

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def lapse(seconds: float) -> str:
    """`0.4 s`, `12 s`, `3 min`, `5 h`, `12 days`: how long something takes, or is ago."""
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f} s"
    if seconds < 2 * _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < 2 * _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    if seconds < 2 * _DAY:
        return f"{seconds / _HOUR:.0f} h"
    return f"{seconds / _DAY:,.0f} days"
