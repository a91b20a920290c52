"""Clients with the surface of Amplitude's own SDK, under the few calls that the drivers make."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from antinode import Outcome, Stats, Status

KEY = "0123456789abcdef0123456789abcdef"
_FOR_EVER = 10_000.0
_REJECTED = frozenset({400, 413})


@dataclass
class Told:
    """How an event ended, by what the callback was told; stands for a `Delivery`."""

    outcome: Outcome | None = None


@dataclass
class Report:
    """What is left after a flush, where the SDK can say it."""

    pending: int


class DropIn:
    """A client of `amplitude`, the official SDK, or of `antinode.amplitude`."""

    def __init__(
        self, package: str, url: str, options: Mapping[str, Any], on_outcome: Callable[[Told], None]
    ) -> None:
        sdk: Any = import_module(package)
        self._event, self._destination = sdk.BaseEvent, sdk.PluginType.DESTINATION
        self._is_ours = package != "amplitude"
        self._on_outcome = on_outcome
        self._told: dict[str, Told] = {}
        configuration = sdk.Config(server_url=url, callback=self._tell)
        if "upload_interval_in_sec" in options:
            configuration.flush_interval_millis = int(options["upload_interval_in_sec"] * 1000)
            configuration.flush_queue_size = 10**6
        if self._is_ours:
            configuration.antinode_options = {"flush_patience": _FOR_EVER, **options}
        self._client = sdk.Amplitude(KEY, configuration)

    def log_event(self, event: dict[str, Any]) -> Told:
        """Track the event. How it ended is known once the callback was called."""
        told = self._told[event["event_properties"]["id"]] = Told()
        self._client.track(self._event(**event))
        return told

    def flush(self, timeout: float) -> Report:
        """Flush, and wait for the futures."""
        for future in self._client.flush():
            if future is not None:
                future.result(min(timeout, _FOR_EVER))
        books = self.stats()
        return Report(0 if books is None else books.pending)

    def stats(self) -> Stats | None:
        """The books, which only ours has."""
        if not self._is_ours:
            return None
        (plugin,) = self._client._Amplitude__timeline.plugins[self._destination]
        client = plugin._destination._client
        return Stats() if client is None else client.stats()

    def _tell(self, event: Any, code: int, message: str | None = None) -> None:
        kind = "delivered" if code == 200 else "rejected" if code in _REJECTED else "dropped"
        outcome = Outcome(kind, Status.UNKNOWN, "callback", code, message or "")
        told = self._told.pop(event.event_properties["id"], None)
        if told is not None:
            told.outcome = outcome
            self._on_outcome(told)
