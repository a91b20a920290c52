"""Numbers as people read them: counts, sizes, times."""

from __future__ import annotations

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def counted(number: int, noun: str) -> str:
    """`1 event`, `2,000 events`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def size(count: int) -> str:
    """`310 B`, `3.4 kB`, `1,024.0 GB`: bytes in decimal units."""
    if count < 1_000:
        return f"{count} B"
    for unit in ("kB", "MB"):
        in_unit = count / 1_000
        if in_unit < 999.95:
            return f"{in_unit:.1f} {unit}"
        count //= 1_000
    return f"{count / 1_000:,.1f} GB"


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
