"""What the local Amplitude enforces: keys, rates, quotas, and the choices that the documents leave open."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from antinode.server.numbers import Amount, Id, Natural, Seconds

KNOWN_API_KEY: Final = "0123456789abcdef0123456789abcdef"
"""The key of the examples. Its project and secret are known wherever a rule names it without them."""

KNOWN_SECRET: Final = "fedcba9876543210fedcba9876543210"  # noqa: S105 - the examples' own, worth nothing
KNOWN_PROJECT_ID: Final = 300001


class ApiKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A project that the server knows."""

    key: str
    secret: str | None = None
    """What the Export API asks for beside the key; None takes any."""
    project_id: Id | None = None
    """None: the server numbers projects as it meets them."""


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The rules in force. Rates count events of one user or device per second, averaged over the window.

    Raises ValueError for a number that is none or negative, and for a window of no length.
    """

    api_keys: tuple[str | ApiKey, ...] = ()
    """The keys that are accepted; with none given, any key is."""
    rates: Literal["unlimited", "documented"] = "unlimited"
    """`documented`: 30 events a second on HTTP V2; 1,000 and the daily quota of 500,000 on Batch."""
    eps_threshold: Amount | None = None
    """Events a second above which a user or device is throttled, on every endpoint; overrides `rates`."""
    rate_window_s: Seconds = 30.0
    """Seconds over which a rate is averaged."""
    daily_quota: Natural | None = None
    """Events of one user or device in 24 hours above which Batch refuses them; overrides `rates`."""
    project_eps: Amount | None = None
    """Events a second of a whole project, counted by the second, above which all of it is throttled."""
    silenced_devices: tuple[str, ...] = ()
    """Devices whose events are answered 400 `Events silenced for device_id`."""
    known_rates: dict[str, float] = {}
    """Rates that ids are taken to have already, whatever was counted: id -> events a second."""
    daily_counts: dict[str, int] = {}
    """Events that ids are taken to have sent in the last 24 hours, whatever was counted: id -> events."""
    short_id_policy: Literal["reject", "strip"] = "reject"
    """A too short id: refuse the request, as is observed, or take the id off the event, as is documented."""
    error_indices: Literal["first_per_field", "first_event_only", "all"] | None = None
    """Which events a 400 names. None: the first per field on HTTP V2, all on Batch."""

    def __post_init__(self) -> None:
        if not self.rate_window_s > 0:
            raise ValueError(f"rate_window_s is {self.rate_window_s!r}; write seconds, more than 0")
        for name in ("eps_threshold", "daily_quota", "project_eps"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise ValueError(f"{name} is {value!r}; write 0 or more, or None for no limit")
