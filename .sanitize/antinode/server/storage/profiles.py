"""What is known of a user at one moment, and what an event makes of it (reference, section 9). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from antinode._protocol.fields import IDENTIFY
from antinode.server.storage import property_operations

DEVICE_FIELDS: Final = (
    "platform",
    "os_name",
    "os_version",
    "device_brand",
    "device_manufacturer",
    "device_model",
    "carrier",
)
LOCATION_FIELDS: Final = ("country", "region", "city", "dma")
"""The two blocks: an event with a field of one resets the others of it (9.5)."""

_DEVICE: Final = frozenset(DEVICE_FIELDS)
_LOCATION: Final = frozenset(LOCATION_FIELDS)
_SINGLE: Final = frozenset({"app_version", "paying", "start_version", "price", "revenue"})
_STIRRING: Final = _DEVICE | _LOCATION | _SINGLE
"""An event with none of these keys leaves the fields of its user alone, unless its properties are revenue."""


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """A user's profile at one moment. The values of fields without one are left out."""

    properties: Mapping[str, Any] = {}
    set_by: Mapping[str, int] = {}
    """Property -> `seq` of the entry that gave it its value."""
    device: Mapping[str, Any] = {}
    location: Mapping[str, Any] = {}
    single: Mapping[str, Any] = {}
    """`start_version` and `paying`."""

    @property
    def fields(self) -> dict[str, Any]:
        """All but the properties."""
        return {**self.device, **self.location, **self.single}


EMPTY: Final = Profile()


def after(profile: Profile, event: Mapping[str, Any], seq: int) -> Profile:
    """`profile` after an accepted event, entry `seq`; `profile` itself if the event changes nothing of it.

    An event with `$skip_user_properties_sync` changes nothing (9.3).
    """
    payload = event.get("user_properties")
    own = event.get("event_properties")
    if not payload and not (own and ("$revenue" in own or "$price" in own)):
        # Most events say nothing of their user, or the same of its device as the one before.
        stirring = _STIRRING.intersection(event)
        known = profile.device
        if not stirring or (
            len(stirring) == len(known)
            and all(name in known and known[name] == event[name] for name in stirring)
        ):
            return profile
    if event.get("$skip_user_properties_sync") is True:
        return profile
    table = property_operations.apply(profile.properties, payload) if payload else profile.properties
    device = _block(profile.device, _DEVICE, event)
    location = _block(profile.location, _LOCATION, event)
    single = _single(profile.single, event)
    if (
        table is profile.properties
        and device is profile.device
        and location is profile.location
        and single is profile.single
    ):
        return profile
    set_by = profile.set_by
    if table is not profile.properties:
        changed = property_operations.changed_keys(profile.properties, table)
        set_by = {key: seq if key in changed else profile.set_by.get(key, seq) for key in table}
    return Profile(properties=table, set_by=set_by, device=device, location=location, single=single)


def _block(had: Mapping[str, Any], names: frozenset[str], event: Mapping[str, Any]) -> Mapping[str, Any]:
    if names.isdisjoint(event):
        return had
    sent = {name: value for name, value in event.items() if name in names and value is not None}
    return sent if sent and sent != had else had


def _single(had: Mapping[str, Any], event: Mapping[str, Any]) -> Mapping[str, Any]:
    new = {}
    if "start_version" not in had and event.get("app_version") is not None:
        new["start_version"] = event["app_version"]
    if event.get("event_type") == IDENTIFY:
        if event.get("start_version") is not None:
            new["start_version"] = event["start_version"]
        if event.get("paying") is not None:
            new["paying"] = _as_boolean(event["paying"])
    elif "paying" not in had and revenue(event) is not None:
        new["paying"] = True
    return {**had, **new} if any(name not in had or had[name] != new[name] for name in new) else had


def _as_boolean(value: Any) -> Any:
    """The Identify API sends `paying` as text."""
    return {"true": True, "false": False}.get(value.lower(), value) if isinstance(value, str) else value


def revenue(event: Mapping[str, Any]) -> float | None:
    """What an event earned, by its own keys, else its `$price` … (section 10); None if nothing."""
    amount = _amount(event, "") if "price" in event or "revenue" in event else None
    own = event.get("event_properties")
    if amount is None and own and ("$price" in own or "$revenue" in own):
        amount = _amount(own, "$")
    return amount


def _amount(keys: Mapping[str, Any], sign: str) -> float | None:
    price, quantity, stated = (_number(keys.get(sign + name)) for name in ("price", "quantity", "revenue"))
    if stated is not None and (price is None or quantity is None):
        return stated
    return None if price is None else price * (1 if quantity is None else quantity)


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
