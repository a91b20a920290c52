"""What is wrong with a plan, and what an event that does not conform to one raises."""

from __future__ import annotations

from antinode import ConfigurationError


class PlanError(ConfigurationError):
    """A tracking plan cannot be read. The message has a line for each problem, with what to write instead."""


class PlanViolation(ValueError):
    """An event does not conform to its plan: what `conform(…, on_violation="raise")` raises."""
