"""The configuration of a client, which may be changed while it runs."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from antinode.amplitude import constants
from antinode.amplitude.event import BaseEvent, IngestionMetadata, Plan
from antinode.amplitude.storage import InMemoryStorageProvider, Storage, StorageProvider, checked_provider

if TYPE_CHECKING:
    from antinode import OptionsDict

_DELIVERY: Final = frozenset(
    {
        *("api_key", "_flush_queue_size", "flush_interval_millis", "flush_max_retries", "min_id_length"),
        *("server_zone", "use_batch", "_url", "storage", "dead_letters", "compress", "antinode_options"),
    }
)
"""What delivery depends on: after a change of one of these it is set up anew."""


class Config:
    """How a client behaves. Every attribute may be changed at any time; the next event is sent accordingly.

    The arguments up to `event_log_level` are those of the other SDK; the rest is antinode's:
    `storage` is a directory that keeps every event until it has ended, `dead_letters` a file that keeps every
    event which ends rejected or dropped, with the reason, and `compress` says whether bodies are gzipped (by
    default to Amplitude's own hosts). `fast` leaves out what only compatibility asks for: the event object is
    not given its `time`, `insert_id` and `library`, and callbacks and destination plugins get that object
    instead of a copy. `strict_plugins` keeps an event back whose BEFORE or ENRICHMENT plugin
    has raised. `antinode_options` is any other option of `antinode.init`, and wins over what is above.

    `flush_max_retries` at its default of 12 means no limit: an outage loses nothing. Raises
    `antinode.ConfigurationError` for a `storage_provider` of one's own.
    """

    def __init__(
        self,
        api_key: str | None = None,
        flush_queue_size: int = constants.FLUSH_QUEUE_SIZE,
        flush_interval_millis: int = constants.FLUSH_INTERVAL_MILLIS,
        flush_max_retries: int = constants.FLUSH_MAX_RETRIES,
        logger: Any = logging.getLogger(constants.LOGGER_NAME),  # noqa: B008 - one for all, as logging has it
        min_id_length: int | None = None,
        callback: Callable[[BaseEvent, int, str | None], object] | None = None,
        server_zone: str = constants.DEFAULT_ZONE,
        use_batch: bool = False,
        server_url: str | None = None,
        storage_provider: StorageProvider | None = None,
        plan: Plan | None = None,
        ingestion_metadata: IngestionMetadata | None = None,
        event_log_level: constants.EventLogLevel = constants.EventLogLevel.INFO,
        *,
        storage: str | os.PathLike[str] | None = None,
        dead_letters: str | os.PathLike[str] | None = None,
        compress: bool | None = None,
        fast: bool = False,
        strict_plugins: bool = False,
        antinode_options: OptionsDict | None = None,
    ) -> None:
        self._version = 0
        self.api_key = api_key
        self._flush_queue_size = flush_queue_size
        self._flush_size_divider = 1
        self.flush_interval_millis = flush_interval_millis
        self.flush_max_retries = flush_max_retries
        self.logger = logger
        self.min_id_length = min_id_length
        self.callback = callback
        self.server_zone = server_zone
        self.use_batch = use_batch
        self._url = server_url
        self.storage_provider = checked_provider(storage_provider)
        self.opt_out = False
        self.plan = plan
        self.ingestion_metadata = ingestion_metadata
        self.event_log_level = event_log_level
        self.storage = storage
        self.dead_letters = dead_letters
        self.compress = compress
        self.fast = fast
        self.strict_plugins = strict_plugins
        self.antinode_options: Mapping[str, Any] = antinode_options or {}

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "storage_provider":
            value = checked_provider(value)
        object.__setattr__(self, name, value)
        if name in _DELIVERY:
            self._version += 1

    def __repr__(self) -> str:
        return (
            f"<Config {'valid' if self.is_valid() else 'not valid'}>"  # holds a key, and may hold a password
        )

    def get_storage(self) -> Storage:
        """What the storage provider makes: it stands for antinode's queue."""
        return self.storage_provider.get_storage()

    def is_valid(self) -> bool:
        """Whether there is a key, and the sizes and intervals are above 0."""
        return (
            bool(self.api_key)
            and self.flush_queue_size > 0
            and self.flush_interval_millis > 0
            and self.is_min_id_length_valid()
        )

    def is_min_id_length_valid(self) -> bool:
        """Whether `min_id_length` is None, or a whole number above 0."""
        length: object = self.min_id_length
        return length is None or (isinstance(length, int) and length > 0)

    def _increase_flush_divider(self) -> None:
        self._flush_size_divider += 1

    def _reset_flush_divider(self) -> None:
        self._flush_size_divider = 1

    @property
    def flush_queue_size(self) -> int:
        """So many events are sent at once, without waiting for `flush_interval_millis`."""
        return max(1, self._flush_queue_size // self._flush_size_divider)

    @flush_queue_size.setter
    def flush_queue_size(self, size: int) -> None:
        self._flush_queue_size = size
        self._flush_size_divider = 1

    @property
    def server_url(self) -> str:
        """Where events are sent: as set, or by `server_zone` and `use_batch`."""
        if self._url:
            return self._url
        return constants.SERVER_URL[self.server_zone][
            constants.BATCH if self.use_batch else constants.HTTP_V2
        ]

    @server_url.setter
    def server_url(self, url: str | None) -> None:
        self._url = url

    @property
    def options(self) -> dict[str, int] | None:
        """What is sent along with the events of a request; None for nothing."""
        if self.min_id_length and self.is_min_id_length_valid():
            return {"min_id_length": self.min_id_length}
        return None

    def delivery_options(self) -> dict[str, Any]:
        """The options of `antinode.init` that stand for this configuration, but for the key."""
        options: dict[str, Any] = {
            "max_cached_events": self.flush_queue_size,
            "upload_interval_in_sec": max(0, self.flush_interval_millis) / 1000,
            "min_id_length": self.min_id_length if self.is_min_id_length_valid() else None,
            "storage": self.storage,
            "dead_letters": self.dead_letters,
            "compress": self.compress,
        }
        if self.flush_max_retries != constants.FLUSH_MAX_RETRIES:
            options["retry_timeouts"] = _waits(self.flush_max_retries)
        if self._url:
            options["server_url"] = self._url
        else:
            options |= {"server_zone": self.server_zone, "use_batch": bool(self.use_batch)}
        return {**options, **self.antinode_options}


def _waits(attempts: int) -> list[int]:
    """Milliseconds before each repetition of the other SDK, which counts the first attempt as one, too."""
    return [100 * 2 ** min(repetition // 2, 5) for repetition in range(max(0, attempts - 1))]


__all__ = ["Config", "InMemoryStorageProvider", "Storage", "StorageProvider"]
