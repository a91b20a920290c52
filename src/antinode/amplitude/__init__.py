"""The surface of Amplitude's Python SDK, `amplitude-analytics` 1.3.0, on antinode's delivery.

    from antinode.amplitude import Amplitude, BaseEvent

    client = Amplitude("API_KEY")
    client.track(BaseEvent("Song Played", user_id="datamonster@gmail.com"))
    client.flush()

`docs/migrating.md` lists what differs on purpose.
"""

from antinode.amplitude._install import install
from antinode.amplitude.client import Amplitude
from antinode.amplitude.config import Config
from antinode.amplitude.constants import EventLogLevel, PluginType
from antinode.amplitude.event import (
    BaseEvent,
    EventOptions,
    GroupIdentifyEvent,
    Identify,
    IdentifyEvent,
    IngestionMetadata,
    Plan,
    Revenue,
    RevenueEvent,
)
from antinode.amplitude.plugin import DestinationPlugin, EventPlugin

__all__ = [
    "Amplitude",
    "BaseEvent",
    "Config",
    "DestinationPlugin",
    "EventLogLevel",
    "EventOptions",
    "EventPlugin",
    "GroupIdentifyEvent",
    "Identify",
    "IdentifyEvent",
    "IngestionMetadata",
    "Plan",
    "PluginType",
    "Revenue",
    "RevenueEvent",
    "install",
]
