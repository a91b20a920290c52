"""Events as `amplitude.event` has them: objects whose attributes are keys as well."""

from __future__ import annotations

import datetime
import enum
import json
import logging
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypedDict
from uuid import UUID

from antinode.amplitude import constants
from antinode.amplitude._identify import Identify
from antinode.amplitude._properties import copied, is_validate_object, is_validate_properties, objection_to
from antinode.amplitude._revenue import Revenue
from antinode.amplitude._tracking import (
    INGESTION_METADATA_KEY_MAPPING,
    PLAN_KEY_MAPPING,
    IngestionMetadata,
    Plan,
)
from antinode.amplitude.utils import truncate

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

__all__ = [
    "EVENT_KEY_MAPPING",
    "INGESTION_METADATA_KEY_MAPPING",
    "PLAN_KEY_MAPPING",
    "BaseEvent",
    "EventOptions",
    "GroupIdentifyEvent",
    "Identify",
    "IdentifyEvent",
    "IngestionMetadata",
    "Plan",
    "Revenue",
    "RevenueEvent",
    "is_validate_object",
    "is_validate_properties",
]

logger = logging.getLogger(constants.LOGGER_NAME)

_ANY_EVENT: Final[dict[str, type]] = {
    **{"user_id": str, "device_id": str, "time": int, "app_version": str, "platform": str},
    **{"os_name": str, "os_version": str, "device_brand": str, "device_manufacturer": str},
    **{"device_model": str, "carrier": str, "country": str, "region": str, "city": str, "dma": str},
    **{"language": str, "price": float, "quantity": int, "revenue": float, "product_id": str},
    **{"revenue_type": str, "currency": str, "location_lat": float, "location_lng": float, "ip": str},
    **{"idfa": str, "idfv": str, "adid": str, "android_id": str, "event_id": int, "session_id": int},
    **{"insert_id": str, "library": str, "plan": Plan, "ingestion_metadata": IngestionMetadata},
    **{"partner_id": str, "version_name": str, "user_agent": str},
}
_GIVEN: Final = tuple(name for name in _ANY_EVENT if name != "library")
_KEYWORDS: Final = frozenset({"currency", "version_name"})
_PROPERTIES: Final = ("event_properties", "user_properties", "group_properties")
_FULL_EVENT: Final[dict[str, type]] = {
    **_ANY_EVENT,
    "event_type": str,
    **dict.fromkeys((*_PROPERTIES, "groups"), dict),
}
_RENAMED: Final = {"product_id": "productId", "revenue_type": "revenueType"}

EVENT_KEY_MAPPING: Final[dict[str, list[Any]]] = {
    name: [_RENAMED.get(name, name), kind] for name, kind in _FULL_EVENT.items()
}
"""The attributes of an event: their names on the wire, and their types."""

_WIRE_NAMES: Final = {name: key for name, (key, _) in EVENT_KEY_MAPPING.items()}
_AS_THEY_ARE: Final = frozenset(_FULL_EVENT) - {*_RENAMED, "plan", "ingestion_metadata"}
# Beyond the types of the mapping, what antinode writes as such.
_ALSO: Final[dict[str, tuple[type, ...]]] = {
    **dict.fromkeys(("user_id", "device_id"), (int, UUID)),
    "time": (datetime.datetime,),
    **dict.fromkeys((name for name, kind in _FULL_EVENT.items() if kind is float), (int, Decimal)),
}


class EventFields(TypedDict, total=False):
    """The keyword arguments that every event takes beside those that its class names."""

    app_version: str | None
    platform: str | None
    os_name: str | None
    os_version: str | None
    device_brand: str | None
    device_manufacturer: str | None
    device_model: str | None
    carrier: str | None
    country: str | None
    region: str | None
    city: str | None
    dma: str | None
    language: str | None
    price: float | Decimal | None
    quantity: int | None
    revenue: float | Decimal | None
    product_id: str | None
    revenue_type: str | None
    currency: str | None
    location_lat: float | Decimal | None
    location_lng: float | Decimal | None
    ip: str | None
    idfa: str | None
    idfv: str | None
    adid: str | None
    android_id: str | None
    event_id: int | None
    session_id: int | None
    insert_id: str | None
    plan: Plan | None
    ingestion_metadata: IngestionMetadata | None
    partner_id: str | None
    version_name: str | None
    user_agent: str | None
    callback: Callable[..., object] | None


class EventOptions:
    """What all kinds of events have: who did it, when, where, with what.

    Attributes are None until they are set. `event["city"] = "Oslo"` and the constructor check the name and
    the type: what is wrong is logged and left out. An attribute that is set directly is not checked.
    `callback(event, code, message)` is called once the event has ended.
    """

    user_id: str | int | UUID | None = None
    device_id: str | int | UUID | None = None
    time: int | datetime.datetime | None = None
    app_version: str | None = None
    platform: str | None = None
    os_name: str | None = None
    os_version: str | None = None
    device_brand: str | None = None
    device_manufacturer: str | None = None
    device_model: str | None = None
    carrier: str | None = None
    country: str | None = None
    region: str | None = None
    city: str | None = None
    dma: str | None = None
    language: str | None = None
    price: float | Decimal | None = None
    quantity: int | None = None
    revenue: float | Decimal | None = None
    product_id: str | None = None
    revenue_type: str | None = None
    currency: str | None = None
    location_lat: float | Decimal | None = None
    location_lng: float | Decimal | None = None
    ip: str | None = None
    idfa: str | None = None
    idfv: str | None = None
    adid: str | None = None
    android_id: str | None = None
    event_id: int | None = None
    session_id: int | None = None
    insert_id: str | None = None
    library: str | None = None
    plan: Plan | None = None
    ingestion_metadata: IngestionMetadata | None = None
    partner_id: str | None = None
    version_name: str | None = None
    user_agent: str | None = None
    event_callback: Callable[..., object] | None = None
    retry: int = 0
    """How often it was sent again."""

    _positional: ClassVar[tuple[str, ...]] = (*_GIVEN, "callback")
    """Arguments in the order in which they may be given without their names."""
    _kinds: ClassVar[dict[str, type]] = _ANY_EVENT

    if TYPE_CHECKING:

        def __init__(
            self,
            user_id: str | int | UUID | None = None,
            device_id: str | int | UUID | None = None,
            time: int | datetime.datetime | None = None,
            **fields: Unpack[EventFields],
        ) -> None: ...

    else:

        def __init__(self, *given: Any, **fields: Any) -> None:
            if given:
                _join(type(self), given, fields)
            self._fill(fields)

    def _fill(self, fields: dict[str, Any]) -> None:
        """Set what the constructor was given."""
        if type(self).__setitem__ is not EventOptions.__setitem__:
            for name, value in fields.items():
                self._set_unusual(name, value)
            return
        values = self.__dict__
        kind_of = _FULL_EVENT.get
        for name, value in fields.items():
            kind = type(value)
            if kind is kind_of(name):
                if kind is not dict or objection_to(value) is None or _is_good(name, value):
                    values[name] = value
            else:
                self._set_unusual(name, value)

    def _set_unusual(self, name: str, value: Any) -> None:
        if name not in self._positional and name not in _KEYWORDS:
            raise TypeError(f"{type(self).__name__} got an unexpected keyword argument {name!r}")
        if name == "callback":
            if value is not None:
                self.event_callback = value
        elif name == "event_type":
            self.__dict__[name] = value
        elif value is not None:
            self[name] = value

    def __getitem__(self, item: str) -> Any:
        return self.__dict__.get(item)

    def __setitem__(self, key: str, value: Any) -> None:
        if self._verify_property(key, value):
            self.__dict__[key] = value

    def __contains__(self, item: object) -> bool:
        return self.__dict__.get(item) is not None  # type: ignore[call-overload]  # any key may be asked for

    def __str__(self) -> str:
        return json.dumps(self.get_event_body(), sort_keys=True, skipkeys=True, default=str)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self.snapshot()

    def snapshot(self) -> Self:
        """A copy with properties of its own; its callback is the same one."""
        copy = object.__new__(type(self))
        copy.__dict__.update({name: copied(value) for name, value in self.__dict__.items()})
        if self.event_callback is not None:
            copy.event_callback = self.event_callback
        return copy

    def get_event_body(self) -> dict[str, Any]:
        """The event as a dict of its own, with strings cut to 1024 characters.

        What is sent is not cut by this: Amplitude's rules about lengths are applied to what needs it.
        """
        body = {key: copied(value) for key, value in body_of(self).items() if value is not None}
        for name in _PROPERTIES:
            if name in body:
                body[name] = {key: _plain(value) for key, value in body[name].items()}
        cut: dict[str, Any] = truncate(body)
        return cut

    def _verify_property(self, key: str, value: Any) -> bool:
        if value is None:
            return True
        kind = self._kinds.get(key)
        if kind is None:
            logger.error("Unexpected event property key: %s", key)
            return False
        if not isinstance(value, kind) and not (
            isinstance(value, _ALSO.get(key, ())) and not isinstance(value, bool)
        ):
            logger.error("Event property %s expected %s but received %s.", key, kind, type(value))
            return False
        return kind is not dict or _is_good(key, value)

    def callback(self, status_code: int, message: str | None = None) -> None:
        """Call the event's own callback, if it has one."""
        if callable(self.event_callback):
            self.event_callback(self, status_code, message)


class BaseEvent(EventOptions):
    """An event of any type."""

    event_type: str | None = None
    event_properties: dict[str, Any] | None = None
    user_properties: dict[str, Any] | None = None
    groups: dict[str, Any] | None = None
    group_properties: dict[str, Any] | None = None

    _positional = (
        *("event_type", *_GIVEN[:3], "event_properties", "user_properties", "groups", "group_properties"),
        *(name for name in _GIVEN[3:] if name != "version_name"),
        "callback",
    )
    _kinds = _FULL_EVENT

    if TYPE_CHECKING:

        def __init__(
            self,
            event_type: str,
            user_id: str | int | UUID | None = None,
            device_id: str | int | UUID | None = None,
            time: int | datetime.datetime | None = None,
            event_properties: dict[str, Any] | None = None,
            user_properties: dict[str, Any] | None = None,
            groups: dict[str, Any] | None = None,
            group_properties: dict[str, Any] | None = None,
            **fields: Unpack[EventFields],
        ) -> None: ...

    else:

        def __init__(self, event_type: Any, *given: Any, **fields: Any) -> None:
            if given:
                _join(type(self), (event_type, *given), fields)
            self.__dict__["event_type"] = event_type
            if fields:
                self._fill(fields)

    def load_event_options(self, event_options: EventOptions | None) -> None:
        """Take over everything that `event_options` has; it wins over what the event had."""
        if not event_options:
            return
        for name in EVENT_KEY_MAPPING:
            if name in event_options:
                self[name] = copied(event_options[name])


class _SpecialEvent(BaseEvent):
    """An event whose type is given by its class."""

    _event_type: ClassVar[str]

    if TYPE_CHECKING:

        def __init__(
            self,
            user_id: str | int | UUID | None = None,
            device_id: str | int | UUID | None = None,
            time: int | datetime.datetime | None = None,
            event_properties: dict[str, Any] | None = None,
            user_properties: dict[str, Any] | None = None,
            groups: dict[str, Any] | None = None,
            group_properties: dict[str, Any] | None = None,
            *,
            identify_obj: Identify | None = None,
            revenue_obj: Revenue | None = None,
            **fields: Unpack[EventFields],
        ) -> None: ...

    else:

        def __init__(self, *given: Any, **fields: Any) -> None:
            if given:
                _join(type(self), given, fields)
            source = fields.pop(self._positional[-1], None)
            super().__init__(event_type=self._event_type, **fields)
            if source:
                self._take(source)

    def _take(self, source: Any) -> None:
        raise NotImplementedError


class IdentifyEvent(_SpecialEvent):
    """Changes a user's properties, by `identify_obj`, and counts as no event."""

    _event_type = constants.IDENTIFY_EVENT
    _positional = (*(name for name in BaseEvent._positional[1:] if name != "currency"), "identify_obj")

    def _take(self, source: Identify) -> None:
        self.user_properties = source.user_properties


class GroupIdentifyEvent(_SpecialEvent):
    """Changes a group's properties, by `identify_obj`, and counts as no event."""

    _event_type = constants.GROUP_IDENTIFY_EVENT
    _positional = (*(name for name in BaseEvent._positional[1:] if name != "currency"), "identify_obj")

    def _take(self, source: Identify) -> None:
        self.group_properties = source.user_properties


class RevenueEvent(_SpecialEvent):
    """A purchase, whose properties `revenue_obj` has."""

    _event_type = constants.AMP_REVENUE_EVENT
    _positional = (*BaseEvent._positional[1:], "revenue_obj")

    def _take(self, source: Revenue) -> None:
        self.event_properties = {**(self.event_properties or {}), **source.get_event_properties()}


def body_of(event: EventOptions) -> dict[str, Any]:
    """The event under the names of the wire, with nothing cut. To be read only: it may be the event's own."""
    values = event.__dict__
    if not values.keys() <= _AS_THEY_ARE:
        values = _renamed(values)
    for name in _PROPERTIES:
        properties = values.get(name)
        if properties:
            for value in properties.values():
                if value is None:
                    own = {key: value for key, value in properties.items() if value is not None}
                    values = {**values, name: own}
                    break
    return values


def _renamed(values: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for name, value in values.items():
        key = _WIRE_NAMES.get(name)
        if key is None or value is None:
            continue
        if name == "plan":
            body[key] = value.get_plan_body()
        elif name == "ingestion_metadata":
            body[key] = value.get_body()
        else:
            body[key] = value
    return body


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, enum.Enum) else value


def _is_good(name: str, properties: Any) -> bool:
    why = objection_to(properties)
    if why is not None:
        logger.error("Event property %s was left out: %s.", name, why)
    return why is None


def _join(kind: type[EventOptions], given: tuple[Any, ...], fields: dict[str, Any]) -> None:
    """Put arguments that were given without their names among the others."""
    names = kind._positional
    if len(given) > len(names):
        raise TypeError(f"{kind.__name__} takes {len(names)} arguments at most, not {len(given)}")
    for name, value in zip(names, given, strict=False):
        if name in fields:
            raise TypeError(f"{kind.__name__} got two values for the argument {name!r}")
        fields[name] = value
