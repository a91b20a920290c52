"""What something seen is beside a plan, in a word."""

from __future__ import annotations

from typing import Literal, TypeAlias

PropertyMark: TypeAlias = Literal["planned", "new", "missing", "mistyped", "invalid", "incomplete", "retired"]
"""As planned; not planned; planned and never seen; of another type; of another value; required and absent in
some events; of a retired event."""

EventMark: TypeAlias = Literal["planned", "new", "missing", "retired", "deviating"]
"""As planned; not planned; planned and never seen; retired and still seen; planned with other properties."""
