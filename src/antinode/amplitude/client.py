"""The client of `amplitude.client`, which delivers by antinode."""

from __future__ import annotations

import atexit
import threading
from typing import TYPE_CHECKING, Any, Final

from antinode.amplitude.config import Config
from antinode.amplitude.constants import PluginType
from antinode.amplitude.event import (
    BaseEvent,
    EventOptions,
    GroupIdentifyEvent,
    Identify,
    IdentifyEvent,
    Revenue,
)
from antinode.amplitude.plugin import AmplitudeDestinationPlugin, ContextPlugin, Plugin
from antinode.amplitude.timeline import Timeline

if TYPE_CHECKING:
    from concurrent.futures import Future

    from typing_extensions import Self

_open: Final[set[Amplitude]] = set()
"""Clients that have not been shut down: what they have tracked is delivered, whoever still holds them."""


class Amplitude:
    """Tracks events for one Amplitude project, by the calls of the other SDK.

    Everything may be called from any thread; nothing waits for the network but `shutdown`, and what follows a
    change of the configuration. Nothing raises for what an event contains.
    """

    def __init__(self, api_key: str, configuration: Config | None = None) -> None:
        self.configuration = configuration or Config()
        self.configuration.api_key = api_key
        self.__timeline = Timeline()
        self.__timeline.setup(self)
        _open.add(self)
        self.add(AmplitudeDestinationPlugin())
        self.add(ContextPlugin())

    def track(self, event: BaseEvent) -> None:
        """Track an event: a `BaseEvent`, or anything that has `get_event_body()`."""
        self.__timeline.process(event)

    def identify(
        self,
        identify_obj: Identify,
        event_options: EventOptions,
        event_properties: dict[str, Any] | None = None,
    ) -> None:
        """Change the properties of the user whom `event_options` names."""
        if not identify_obj.is_valid():
            self.configuration.logger.error("Empty identify properties")
            return
        event = IdentifyEvent(event_properties=event_properties, user_properties=identify_obj.user_properties)
        event.load_event_options(event_options)
        self.track(event)

    def group_identify(
        self,
        group_type: str,
        group_name: str,
        identify_obj: Identify,
        event_options: EventOptions | None = None,
        event_properties: dict[str, Any] | None = None,
        user_properties: dict[str, Any] | None = None,
    ) -> None:
        """Change the properties of a group."""
        if not identify_obj.is_valid():
            self.configuration.logger.error("Empty group identify properties")
            return
        event = GroupIdentifyEvent(
            event_properties=event_properties,
            user_properties=user_properties,
            groups={group_type: group_name},
            group_properties=identify_obj.user_properties,
        )
        event.load_event_options(event_options)
        self.track(event)

    def revenue(self, revenue_obj: Revenue, event_options: EventOptions) -> None:
        """Track a purchase of the user whom `event_options` names."""
        if not revenue_obj.is_valid():
            self.configuration.logger.error("Invalid price for revenue event")
            return
        event = revenue_obj.to_revenue_event()
        event.load_event_options(event_options)
        self.track(event)

    def set_group(self, group_type: str, group_name: str | list[str], event_options: EventOptions) -> None:
        """Put the user whom `event_options` names into a group, or several of one type."""
        identify = Identify().set(group_type, group_name)
        event = IdentifyEvent(groups={group_type: group_name}, user_properties=identify.user_properties)
        event.load_event_options(event_options)
        self.track(event)

    def flush(self) -> list[Future[None] | None]:
        """Send what is queued now. One future for each destination, done once everything has ended there."""
        return self.__timeline.flush()

    def add(self, plugin: Plugin) -> Self:
        """Add a plugin, after those of its type."""
        self.__timeline.add(plugin)
        plugin.setup(self)
        return self

    def remove(self, plugin: Plugin) -> Self:
        """Remove a plugin."""
        self.__timeline.remove(plugin)
        return self

    def shutdown(self) -> None:
        """Take no more events, send what is queued for five seconds at most, and end every destination."""
        self.configuration.opt_out = True
        _open.discard(self)
        self.__timeline.shutdown()

    def _end_plugins(self) -> None:
        """At exit, end the destinations that are not ours: ours delivers what exit handlers track, too."""
        for plugin in tuple(self.__timeline.plugins[PluginType.DESTINATION]):
            if not isinstance(plugin, AmplitudeDestinationPlugin):
                self.__timeline.end(plugin)
                self.remove(plugin)


def _end_all() -> None:
    for client in tuple(_open):
        client._end_plugins()


# Before thread pools refuse work, which a destination's last requests may need.
_at_exit = getattr(threading, "_register_atexit", atexit.register)
_at_exit(_end_all)
