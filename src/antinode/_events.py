"""The event a user logs: Amplitude's event object as a typed dict and as a class."""

# No postponed annotations here: evaluating them is cheaper than the forward references that a TypedDict
# makes of strings, and `typing.get_type_hints(EventDict)` then works for tools that read types.
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any, NoReturn, TypedDict, cast

import msgspec

from antinode._changing import at_once
from antinode._public import public

__all__ = [
    "ContextDict",
    "Event",
    "EventDict",
    "IngestionMetadata",
    "IngestionMetadataDict",
    "Plan",
    "PlanDict",
]


@public
class PlanDict(TypedDict, total=False):
    """The tracking plan that an event was written against."""

    branch: str
    source: str
    version: str
    versionId: str


@public
class IngestionMetadataDict(TypedDict, total=False):
    """The source that an event came through."""

    source_name: str
    source_version: str


# Structs rather than dataclasses: each dataclass would add a millisecond to `import antinode`.
@public
class Plan(msgspec.Struct, frozen=True, omit_defaults=True, repr_omit_defaults=True):
    """A tracking plan, wherever a `PlanDict` is taken. Immutable; what is None is not sent."""

    branch: str | None = None
    source: str | None = None
    version: str | None = None
    versionId: str | None = None

    def to_dict(self) -> PlanDict:
        """The keys that are set, as the API spells them."""
        return cast("PlanDict", _set_keys(self))


@public
class IngestionMetadata(msgspec.Struct, frozen=True, omit_defaults=True, repr_omit_defaults=True):
    """The source of events, wherever an `IngestionMetadataDict` is taken. Immutable; None is not sent."""

    source_name: str | None = None
    source_version: str | None = None

    def to_dict(self) -> IngestionMetadataDict:
        """The keys that are set, as the API spells them."""
        return cast("IngestionMetadataDict", _set_keys(self))


def _set_keys(struct: msgspec.Struct) -> dict[str, object]:
    pairs = ((key, getattr(struct, key)) for key in struct.__struct_fields__)
    return {key: value for key, value in pairs if value is not None}


class _RequiredKeys(TypedDict):
    event_type: str
    """What happened: at most 1024 characters, not blank."""


# "$" is no part of a Python name, so this key needs the functional form.
_DollarKeys = TypedDict("_DollarKeys", {"$skip_user_properties_sync": bool}, total=False)


@public
class ContextDict(TypedDict, total=False):
    """What `antinode.context` can fill in: the keys of an event that are not about one event alone."""

    user_id: str
    """The user: 5 to 1024 characters (see `min_id_length`), case-sensitive."""
    device_id: str
    """The device, under the rules of `user_id`; absent, the server derives one from `user_id`."""
    event_properties: Mapping[str, Any]
    """About this event; at most 40 levels deep."""
    user_properties: Mapping[str, Any]
    """Written to the user's profile; operations such as `$add` belong in an `Identify`."""
    groups: Mapping[str, str | Sequence[str]]
    """Group type to group name or names, for this event alone; at most 5 types and 10 names are kept."""
    session_id: int
    """The session's start in milliseconds since the epoch; -1 is outside any session, the default."""
    app_version: str
    """The application's version."""
    version_name: str
    """The application's version as its users see it."""
    user_agent: str
    """The raw User-Agent header; the server reads device properties out of it."""
    ip: str
    """Address for finding the location; `"$remote"` is the address that the upload comes from."""
    platform: str
    """Setting one of `platform`, `os_*`, `device_*` (not the id) and `carrier` empties the others."""
    os_name: str
    """The operating system's or browser's name."""
    os_version: str
    """The operating system's or browser's version."""
    device_brand: str
    """The brand that the device is sold under."""
    device_manufacturer: str
    """Who made the device."""
    device_model: str
    """The device's model."""
    carrier: str
    """The mobile carrier."""
    country: str
    """Set `country`, `region`, `city` and `dma` together: setting one empties the others."""
    region: str
    """The region or state."""
    city: str
    """The city."""
    dma: str
    """The designated market area."""
    language: str
    """A language tag such as `de-DE`; the server turns the tags it knows into names."""
    location_lat: float
    """Latitude in degrees."""
    location_lng: float
    """Longitude in degrees."""
    idfa: str
    """iOS identifier for advertisers; removed after attribution."""
    idfv: str
    """iOS identifier for vendors."""
    adid: str
    """Google advertising id; removed after attribution."""
    android_id: str
    """Android's own device id."""
    android_app_set_id: str
    """Android app set id."""
    plan: PlanDict | Plan
    """The tracking plan; its keys win over those of the `plan` option."""
    ingestion_metadata: IngestionMetadataDict | IngestionMetadata
    """The source; its keys win over those of the `ingestion_metadata` option."""
    partner_id: str
    """For registered partner integrations."""


@public
class EventDict(ContextDict, _RequiredKeys, _DollarKeys, total=False):
    """An event as a dict, with every key of Amplitude's HTTP V2 API.

    `event_type` and one of `user_id` and `device_id` are required. A true `$skip_user_properties_sync`
    neither reads nor writes the user's profile.
    """

    time: int | float | datetime
    """When it happened: milliseconds since the epoch, or a datetime. Absent: the moment of the call."""
    insert_id: str
    """The server drops a second event with the same `insert_id` and device. Absent: a fresh one."""
    group_properties: Mapping[str, Any]
    """Used by the server only when `event_type` is `$groupidentify`."""
    event_id: int
    """A counter that orders events of one user with the same `time`."""
    price: float | Decimal
    """The price of one item; negative for a refund."""
    quantity: int
    """How many items, 1 by default."""
    revenue: float | Decimal
    """The total; with `price` and `quantity` the server uses their product instead."""
    productId: str
    """The item; only together with `price` or `revenue`."""
    revenueType: str
    """Such as `Purchase` or `Refund`; only together with `price` or `revenue`."""
    currency: str
    """ISO 4217: three capitals."""
    library: str
    """What made the event. Absent: antinode and its version."""


# Of each class by itself: from Python 3.15 on, those of a TypedDict are without its bases'.
_KEYS = tuple(
    dict.fromkeys(
        key for keys in (_RequiredKeys, ContextDict, EventDict, _DollarKeys) for key in keys.__annotations__
    )
)
_ATTRIBUTES = tuple(key.removeprefix("$") for key in _KEYS)
_ATTRIBUTE_OF = dict(zip(_KEYS, _ATTRIBUTES, strict=True))
_values = attrgetter(*_ATTRIBUTES)


# True to mypy, which knows the name. It names the key of a dict literal only where a parameter takes a
# TypedDict and nothing else, so an `Event` has to be one there; a base of the type Any says so. Pyright wants
# overloads.
MYPY = False
if MYPY:
    _Anything: Any = object

    class _TakenAsDict(_Anything):  # type: ignore[misc]
        # What such a base would allow otherwise.
        def __setattr__(self, name: str, value: NoReturn) -> None: ...
else:
    _TakenAsDict = object


@public
class Event(_TakenAsDict):
    """An event as an object: the keys of `EventDict` as attributes, None where a key is absent.

    The attribute of `$skip_user_properties_sync` has no `$`. Nothing is checked but the names: an unknown
    one raises `TypeError`. Two events are equal when they have the same keys and values.
    """

    __slots__ = _ATTRIBUTES

    def __init__(
        self,
        event_type: str,
        *,
        user_id: str | None = None,
        device_id: str | None = None,
        time: int | float | datetime | None = None,
        insert_id: str | None = None,
        event_properties: Mapping[str, Any] | None = None,
        user_properties: Mapping[str, Any] | None = None,
        groups: Mapping[str, str | Sequence[str]] | None = None,
        group_properties: Mapping[str, Any] | None = None,
        skip_user_properties_sync: bool | None = None,
        session_id: int | None = None,
        event_id: int | None = None,
        app_version: str | None = None,
        version_name: str | None = None,
        user_agent: str | None = None,
        ip: str | None = None,
        platform: str | None = None,
        os_name: str | None = None,
        os_version: str | None = None,
        device_brand: str | None = None,
        device_manufacturer: str | None = None,
        device_model: str | None = None,
        carrier: str | None = None,
        country: str | None = None,
        region: str | None = None,
        city: str | None = None,
        dma: str | None = None,
        language: str | None = None,
        location_lat: float | None = None,
        location_lng: float | None = None,
        price: float | Decimal | None = None,
        quantity: int | None = None,
        revenue: float | Decimal | None = None,
        productId: str | None = None,
        revenueType: str | None = None,
        currency: str | None = None,
        idfa: str | None = None,
        idfv: str | None = None,
        adid: str | None = None,
        android_id: str | None = None,
        android_app_set_id: str | None = None,
        plan: PlanDict | Plan | None = None,
        ingestion_metadata: IngestionMetadataDict | IngestionMetadata | None = None,
        partner_id: str | None = None,
        library: str | None = None,
        **unknown: NoReturn,
    ) -> None:
        if unknown:
            raise TypeError(_unknown_key(next(iter(unknown))))
        self.event_type = event_type
        self.user_id = user_id
        self.device_id = device_id
        self.time = time
        self.insert_id = insert_id
        self.event_properties = event_properties
        self.user_properties = user_properties
        self.groups = groups
        self.group_properties = group_properties
        self.skip_user_properties_sync = skip_user_properties_sync
        self.session_id = session_id
        self.event_id = event_id
        self.app_version = app_version
        self.version_name = version_name
        self.user_agent = user_agent
        self.ip = ip
        self.platform = platform
        self.os_name = os_name
        self.os_version = os_version
        self.device_brand = device_brand
        self.device_manufacturer = device_manufacturer
        self.device_model = device_model
        self.carrier = carrier
        self.country = country
        self.region = region
        self.city = city
        self.dma = dma
        self.language = language
        self.location_lat = location_lat
        self.location_lng = location_lng
        self.price = price
        self.quantity = quantity
        self.revenue = revenue
        self.productId = productId
        self.revenueType = revenueType
        self.currency = currency
        self.idfa = idfa
        self.idfv = idfv
        self.adid = adid
        self.android_id = android_id
        self.android_app_set_id = android_app_set_id
        self.plan = plan
        self.ingestion_metadata = ingestion_metadata
        self.partner_id = partner_id
        self.library = library

    @classmethod
    def from_dict(cls, event: Mapping[str, object]) -> "Event":
        """The event with these API keys; a None value is an absent key.

        Raises `TypeError` for a key that the API does not have and for a missing `event_type`.
        """
        keys: dict[str, Any] = {_ATTRIBUTE_OF.get(key, key): value for key, value in event.items()}
        return cls(**keys)

    def to_dict(self) -> EventDict:
        """A new dict of the keys that are set, as the API spells them; the values are not copied."""
        keys = {key: value for key, value in zip(_KEYS, _values(self), strict=True) if value is not None}
        return cast("EventDict", _with_plain_metadata(keys))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Event):
            return NotImplemented
        return self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]  # mutable, like a dict

    def __repr__(self) -> str:
        # Only which keys are set: an event's body stays out of logs and tracebacks.
        others = [key for key in self.to_dict() if key != "event_type"]
        return f"<Event {_short(self.event_type)}{': ' if others else ''}{', '.join(others)}>"


def event_slots() -> dict[str, Any]:
    """Where compiled code finds the keys of an `Event`, in their order, as descriptors."""
    return {key: getattr(Event, attribute) for key, attribute in _ATTRIBUTE_OF.items()}


def as_event_dict(event: EventDict | Event | Mapping[str, Any]) -> dict[str, Any]:
    """A new dict of `event`'s keys, with `Plan` and `IngestionMetadata` objects turned into dicts too."""
    if isinstance(event, Event):
        return cast("dict[str, Any]", event.to_dict())
    return _with_plain_metadata(at_once(lambda: dict(event)))


def _with_plain_metadata(keys: dict[str, Any]) -> dict[str, Any]:
    plan, ingestion_metadata = keys.get("plan"), keys.get("ingestion_metadata")
    if isinstance(plan, Plan):
        keys["plan"] = plan.to_dict()
    if isinstance(ingestion_metadata, IngestionMetadata):
        keys["ingestion_metadata"] = ingestion_metadata.to_dict()
    return keys


def _unknown_key(name: str) -> str:
    from antinode._protocol.unknown_keys import meant_key  # noqa: PLC0415 - only for a misspelt event

    message = f"Event has no key {_short(name)}"
    # Not every key that the API takes is one of an Event.
    meant = _ATTRIBUTE_OF.get(meant_key(name) or "")
    if meant is not None:
        return f"{message}; did you mean {meant!r}?"
    return f"{message}; properties of your own belong in event_properties"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"
