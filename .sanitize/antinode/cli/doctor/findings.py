"""What a check has found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Verdict: TypeAlias = Literal["ok", "warning", "problem", "unchecked"]
"""`problem`: events would not arrive. `warning`: they might not, or it costs something. `unchecked`: what it
takes to look was not there."""


@dataclass(frozen=True)
class DoctorFinding:
    """One thing that was looked at. Its texts hold no key and no password."""

    topic: str
    verdict: Verdict
    text: str
    """How it is."""
    advice: str = ""
    """What to do about it."""
