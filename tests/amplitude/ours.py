"""What tests of our client alone share."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import wait
from typing import Any

from antinode.amplitude import (
    Amplitude,
    BaseEvent,
    EventPlugin,
    PluginType,
)
from antinode.testing import Endpoint

KEY = "0123456789abcdef0123456789abcdef"


def event(**properties: Any) -> BaseEvent:
    return BaseEvent("Song Played", "user-20391", event_properties=properties)


def flush(client: Amplitude) -> None:
    done, pending = wait([future for future in client.flush() if future is not None], timeout=120)
    assert done
    assert not pending


def arrived(endpoint: Endpoint) -> list[dict[str, Any]]:
    return [each["event_properties"] for each in endpoint.events]


class Tests(EventPlugin):
    """Hands each event to a function."""

    __test__ = False

    def __init__(self, does: Callable[[BaseEvent], Any], kind: PluginType = PluginType.BEFORE) -> None:
        super().__init__(kind)
        self.does = does

    def execute(self, event: BaseEvent) -> Any:
        return self.does(event)
