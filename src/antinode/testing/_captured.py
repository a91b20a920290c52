"""One event that a test has taken."""

from __future__ import annotations

from typing import Any

from antinode.testing._tap import TakenEvent


class CapturedEvent(dict[str, Any]):
    """One event as it would have gone on the wire, after middleware, context and defaults: a dict."""

    def __init__(self, taken: TakenEvent) -> None:
        super().__init__(taken.fields)
        self.instance = taken.client
        """The name of the instance that logged it; None for the default one."""
        self.line = taken.line
        """Where it was logged: `/srv/shop/views.py:31`; "" if that is not known."""

    @property
    def type(self) -> str:
        """Its `event_type`."""
        return str(self["event_type"])

    @property
    def properties(self) -> dict[str, Any]:
        """Its `event_properties`; empty if it has none."""
        held: dict[str, Any] = self.get("event_properties", {})
        return held
