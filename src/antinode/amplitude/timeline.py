"""The way of an event through the plugins."""

from __future__ import annotations

import copy
import logging
import threading
from typing import TYPE_CHECKING, Any

from antinode.amplitude import _outcomes
from antinode.amplitude.constants import LOGGER_NAME, PluginType
from antinode.amplitude.exception import InvalidEventError

if TYPE_CHECKING:
    from concurrent.futures import Future

    from antinode.amplitude.client import Amplitude
    from antinode.amplitude.config import Config

_TYPES = (PluginType.BEFORE, PluginType.ENRICHMENT, PluginType.DESTINATION)


class Timeline:
    """The plugins of a client, or of a destination plugin, by type and in the order of being added."""

    def __init__(self, configuration: Config | None = None) -> None:
        self.locks = {kind: threading.Lock() for kind in _TYPES}
        """Held while plugins are added and removed, and not while they run: a plugin may track events."""
        self.plugins: dict[PluginType, list[Any]] = {kind: [] for kind in _TYPES}
        self.configuration = configuration

    @property
    def logger(self) -> Any:
        """The configured logger."""
        return self.configuration.logger if self.configuration else logging.getLogger(LOGGER_NAME)

    def setup(self, client: Amplitude) -> None:
        """Follow the client's configuration."""
        self.configuration = client.configuration

    def add(self, plugin: Any) -> None:
        """Add a plugin after those of its type."""
        with self.locks[plugin.plugin_type]:
            self.plugins[plugin.plugin_type].append(plugin)

    def remove(self, plugin: Any) -> None:
        """Remove a plugin, wherever it is."""
        for kind in _TYPES:
            with self.locks[kind]:
                self.plugins[kind] = [each for each in self.plugins[kind] if each != plugin]

    def flush(self) -> list[Future[None] | None]:
        """Flush every destination that can; what each returns, which ours does at once."""
        futures = []
        for plugin in tuple(self.plugins[PluginType.DESTINATION]):
            try:
                futures.append(plugin.flush())
            except Exception:
                self.logger.exception("Error for flush events")
        return futures

    def process(self, event: Any) -> Any:
        """Have every plugin see the event. Returns what became of it before the destinations."""
        configuration = self.configuration
        if configuration is not None and configuration.opt_out:
            self.logger.info("Skipped event for opt out config")
            return event
        result = event
        for kind in _TYPES:
            if self.plugins[kind]:
                result = self.apply_plugins(kind, result)
                if not result:
                    break
        return result

    def apply_plugins(self, plugin_type: PluginType, event: Any) -> Any:
        """Have the plugins of one type see the event; what comes out, or None if one keeps it back.

        What a plugin raises is logged, and the event goes on as it was; under `strict_plugins` it is kept
        back. Each destination gets a copy of its own, but ours, which encodes the event at once.
        """
        result = event
        for plugin in tuple(self.plugins[plugin_type]):
            if not result:
                break
            try:
                if plugin_type is not PluginType.DESTINATION:
                    result = plugin.execute(result)
                elif getattr(plugin, "encodes_at_once", False) or self._is_fast:
                    plugin.execute(result)
                else:
                    plugin.execute(copy.deepcopy(result))
            except InvalidEventError:
                self.logger.exception("Invalid event body %s", _outcomes.described(event))
            except Exception:
                self._tell_of_plugin(plugin_type, result)
                if self._is_strict and plugin_type is not PluginType.DESTINATION:
                    return None
        return result

    @property
    def _is_fast(self) -> bool:
        return self.configuration is not None and self.configuration.fast

    @property
    def _is_strict(self) -> bool:
        return self.configuration is not None and self.configuration.strict_plugins

    def _tell_of_plugin(self, plugin_type: PluginType, event: Any) -> None:
        self.logger.exception(
            "Error for apply %s plugin for event %s", plugin_type.name, _outcomes.described(event)
        )
        if self._is_strict and self.configuration is not None and plugin_type is not PluginType.DESTINATION:
            _outcomes.tell(self.configuration, event, -1, "A plugin raised, so the event was not sent.")

    def shutdown(self) -> None:
        """Shut every destination down. What one raises is logged, and costs no other one its end."""
        for plugin in tuple(self.plugins[PluginType.DESTINATION]):
            self.end(plugin)

    def end(self, plugin: Any) -> None:
        """Shut one destination down."""
        try:
            plugin.shutdown()
        except Exception:
            self.logger.exception("Error for shutdown of %s", type(plugin).__name__)
