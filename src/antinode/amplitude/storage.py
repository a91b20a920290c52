"""The names of `amplitude.storage`. Events wait in antinode's own queue: see `Config(storage=…)`."""

from __future__ import annotations

import abc
from typing import Any, Final, NoReturn

_INSTEAD: Final = (
    "antinode keeps the events that wait itself: give Config(storage=DIRECTORY) to keep them on disk until "
    "each has ended, and Config(dead_letters=FILE) to keep those that were refused"
)


class Storage(abc.ABC):
    """Where events waited in the other SDK."""

    @abc.abstractmethod
    def push(self, event: Any, delay: int = 0) -> tuple[bool, str | None]:
        """Add an event."""

    @abc.abstractmethod
    def pull(self, batch_size: int) -> list[Any]:
        """Take so many events."""

    @abc.abstractmethod
    def pull_all(self) -> list[Any]:
        """Take all events."""


class StorageProvider(abc.ABC):
    """What made a storage in the other SDK. Only the default one is taken."""

    @abc.abstractmethod
    def get_storage(self) -> Storage:
        """A storage of its own."""


class InMemoryStorage(Storage):
    """Stands for antinode's queue, which nobody else fills or empties: its methods raise `RuntimeError`."""

    def push(self, event: Any, delay: int = 0) -> NoReturn:  # noqa: ARG002 - the storage's
        raise RuntimeError(f"track() adds events. {_INSTEAD}")

    def pull(self, batch_size: int) -> NoReturn:  # noqa: ARG002 - the storage's
        raise RuntimeError(_INSTEAD)

    def pull_all(self) -> NoReturn:
        raise RuntimeError(_INSTEAD)


class InMemoryStorageProvider(StorageProvider):
    """The default: events wait in memory, or on disk with `Config(storage=DIRECTORY)`."""

    def get_storage(self) -> InMemoryStorage:
        return InMemoryStorage()


def checked_provider(provider: object) -> StorageProvider:
    """The provider, if it is the default one. Raises `ConfigurationError` for any other."""
    if provider is None:
        return InMemoryStorageProvider()
    if type(provider) is InMemoryStorageProvider:
        return provider
    from antinode import ConfigurationError  # noqa: PLC0415 - only for the message

    raise ConfigurationError(f"storage_provider={type(provider).__name__}(…) cannot be used: {_INSTEAD}")
