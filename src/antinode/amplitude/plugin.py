"""Plugins: what sees, changes, keeps back and delivers events."""

from __future__ import annotations

import abc
from os import urandom
from typing import TYPE_CHECKING, Any

from antinode.amplitude import _outcomes, constants, utils
from antinode.amplitude._destination import AntinodeDestination
from antinode.amplitude.event import BaseEvent, EventOptions, GroupIdentifyEvent, IdentifyEvent, RevenueEvent
from antinode.amplitude.exception import InvalidEventError
from antinode.amplitude.timeline import Timeline

if TYPE_CHECKING:
    from concurrent.futures import Future

    from typing_extensions import Self

    from antinode.amplitude.client import Amplitude
    from antinode.amplitude.config import Config


class Plugin(abc.ABC):
    """The base of all plugins."""

    def __init__(self, plugin_type: constants.PluginType) -> None:
        self.plugin_type = plugin_type

    def setup(self, client: Amplitude) -> None:  # noqa: B027 - optional
        """Called once the plugin has been added to a client."""

    @abc.abstractmethod
    def execute(self, event: BaseEvent) -> Any:
        """Handle an event: return it, or another one, or None to keep it back."""


class EventPlugin(Plugin):
    """A plugin that sees events, or changes them, or keeps them back by returning None.

    Override `execute`, or the methods for the kinds of events.
    """

    def execute(self, event: BaseEvent) -> BaseEvent | None:
        """Hand the event to the method for its kind."""
        if isinstance(event, GroupIdentifyEvent):
            return self.group_identify(event)
        if isinstance(event, IdentifyEvent):
            return self.identify(event)
        if isinstance(event, RevenueEvent):
            return self.revenue(event)
        return self.track(event)

    def group_identify(self, event: GroupIdentifyEvent) -> GroupIdentifyEvent | None:
        """Handle a change of a group's properties."""
        return event

    def identify(self, event: IdentifyEvent) -> IdentifyEvent | None:
        """Handle a change of a user's properties."""
        return event

    def revenue(self, event: RevenueEvent) -> RevenueEvent | None:
        """Handle a purchase."""
        return event

    def track(self, event: BaseEvent) -> BaseEvent | None:
        """Handle any other event."""
        return event


class DestinationPlugin(EventPlugin):
    """A plugin that delivers events somewhere, each a copy of its own. May have plugins itself."""

    def __init__(self) -> None:
        super().__init__(constants.PluginType.DESTINATION)
        self.timeline = Timeline()

    def setup(self, client: Amplitude) -> None:
        """Follow the client's configuration."""
        self.timeline.setup(client)

    def add(self, plugin: Plugin) -> Self:
        """Add a plugin that sees the events on their way to this destination."""
        self.timeline.add(plugin)
        return self

    def remove(self, plugin: Plugin) -> Self:
        """Remove one of its plugins."""
        self.timeline.remove(plugin)
        return self

    def execute(self, event: BaseEvent) -> Any:
        """Have the destination's own plugins see the event, then the method for its kind."""
        result = self.timeline.process(event)
        if result:
            super().execute(result)

    def shutdown(self) -> None:
        """Called when the client ends."""
        self.timeline.shutdown()


class AmplitudeDestinationPlugin(DestinationPlugin):
    """Delivers to Amplitude, by antinode. Every client has one from the start."""

    def __init__(self) -> None:
        super().__init__()
        self.configuration: Config | None = None
        self.encodes_at_once = True
        """Whether it needs no copy of an event, since no plugin of its own changes it."""
        self._destination: AntinodeDestination | None = None

    def add(self, plugin: Plugin) -> Self:
        """Add a plugin that sees the events on their way to Amplitude alone."""
        super().add(plugin)
        self.encodes_at_once = False
        return self

    def setup(self, client: Amplitude) -> None:
        """Deliver what the client tracks, by its configuration."""
        super().setup(client)
        self.configuration = client.configuration
        self._destination = AntinodeDestination(client.configuration)

    def execute(self, event: Any) -> None:
        """Take an event for delivery. Raises `InvalidEventError` for one that cannot be sent."""
        if not self.encodes_at_once:
            event = self.timeline.process(event)
            if not event:
                return
        if not verify_event(event):
            if self.configuration is not None:
                _outcomes.tell(self.configuration, event, 400, "Invalid event.")
            raise InvalidEventError("Invalid event.")
        if self._destination is not None:
            self._destination.send(event)

    def flush(self) -> Future[None] | None:
        """Send what is queued; the future is done once everything tracked before has ended."""
        return None if self._destination is None else self._destination.flush()

    def shutdown(self) -> None:
        """Send what is queued, for `shutdown_timeout` seconds at most, and end."""
        self.timeline.shutdown()
        if self._destination is not None:
            self._destination.shutdown()


class ContextPlugin(Plugin):
    """Gives each event its time, its insert_id, and what the configuration says of all events."""

    def __init__(self) -> None:
        super().__init__(constants.PluginType.BEFORE)
        self.context_string = f"{constants.SDK_LIBRARY}/{constants.SDK_VERSION}"
        self.configuration: Config | None = None

    def setup(self, client: Amplitude) -> None:
        """Follow the client's configuration."""
        self.configuration = client.configuration

    def apply_context_data(self, event: BaseEvent) -> None:
        """Name the library that has sent the event."""
        event.library = self.context_string

    def execute(self, event: BaseEvent) -> BaseEvent:
        """Fill in what the event lacks."""
        given: object = event
        if not isinstance(given, EventOptions):
            return event  # what has a body alone is completed when that is encoded
        configuration = self.configuration
        if configuration is not None:
            if configuration.plan and not event.plan:
                event.plan = configuration.plan
            if configuration.ingestion_metadata and not event.ingestion_metadata:
                event.ingestion_metadata = configuration.ingestion_metadata
            if configuration.fast:
                return event
        values = event.__dict__
        if not values.get("time"):
            values["time"] = utils.current_milliseconds()
        if not values.get("insert_id"):
            values["insert_id"] = _random_id()
        self.apply_context_data(event)
        return event


def _random_id() -> str:
    """A version-4 UUID, written faster than by the uuid module."""
    digits = urandom(15).hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[12:15]}-a{digits[15:18]}-{digits[18:]}"


def verify_event(event: Any) -> bool:
    """Whether an event has what it takes to be sent: a type, and a user or a device.

    What is no event of ours but has a `get_event_body` is judged by that when it is encoded.
    """
    if isinstance(event, GroupIdentifyEvent):
        return True
    if isinstance(event, BaseEvent):
        return bool(event.event_type and (event.user_id or event.device_id))
    return not isinstance(event, EventOptions) and callable(getattr(event, "get_event_body", None))
