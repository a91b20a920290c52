"""Whether a cost grows faster than what causes it."""

from __future__ import annotations

import math
from collections.abc import Sequence

ALLOWED = 0.1
"""The largest exponent that still counts as flat: 1.6 times the unit cost for a hundred times as much."""


def exponent(points: Sequence[tuple[float, float]]) -> float:
    """The slope of log(cost per unit) over log(units), by least squares: 0 is linear, 1 quadratic.

    Only the upper half of the points counts: below, starting up weighs more than the work.
    """
    upper = [(math.log(x), math.log(y)) for x, y in points[len(points) // 2 :]]
    if len(upper) < 2:
        return 0.0
    middle_x, middle_y = (sum(values) / len(upper) for values in zip(*upper, strict=True))
    spread = sum((x - middle_x) ** 2 for x, _ in upper)
    return sum((x - middle_x) * (y - middle_y) for x, y in upper) / spread if spread else 0.0


def is_superlinear(points: Sequence[tuple[float, float]]) -> bool:
    return exponent(points) > ALLOWED
