"""Numbers that Amplitude can add up: which values count as one, and how they go into JSON."""

from __future__ import annotations

import math
import numbers
import operator
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from fractions import Fraction
    from typing import TypeGuard

    Number: TypeAlias = int | float | Decimal | Fraction


def is_real_number(value: object) -> TypeGuard[Number]:
    """Whether `value` is a finite real number within the range of a 64-bit float; a bool is not a number."""
    if isinstance(value, bool) or not isinstance(value, (numbers.Real, Decimal)):
        return False
    try:
        return math.isfinite(float(value))
    except (OverflowError, ValueError):  # an int or Fraction out of range; a signalling NaN
        return False


def json_number(number: Number) -> int | float:
    """`number` as JSON can hold it: an int that fits into 64 bits, or the nearest float."""
    if type(number) is float:
        return number
    # Encoders write a Decimal as a string, which the server would not add up.
    value: Any = number
    try:
        whole = operator.index(value)
    except TypeError:
        return float(value)
    return whole if -(2**63) <= whole < 2**63 else float(whole)
