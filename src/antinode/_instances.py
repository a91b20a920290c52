"""The instances of a process, and the functions that act on the default one."""

from __future__ import annotations

import copyreg
from typing import TYPE_CHECKING, Any, overload

from antinode._client import Client
from antinode._errors import ConfigurationError
from antinode._events import MYPY

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from typing_extensions import Unpack

    from antinode._delivery.ledger import Report
    from antinode._delivery.outcome import Delivery
    from antinode._events import Event, EventDict
    from antinode._identify import Identify
    from antinode._options import OptionsDict
    from antinode._revenue import Revenue
    from antinode._typed_events import Loggable, TypedEvent

_default = Client()
_instances: dict[str, Client] = {}


def init(
    api_key: str | None = None, *, instance_name: str | None = None, **options: Unpack[OptionsDict]
) -> Client:
    """Make the default instance, or a named one, ready to log, and return it.

    `api_key` is the project's; without it the environment variable AMPLITUDE_API_KEY is read. The options are
    those of the Node SDK and more; each is explained in `docs/options.md`. Raises `ConfigurationError` for a
    missing key, an unknown option, or a wrong type or value. Makes no request and, without `storage`, starts
    no thread.
    """
    return get_instance(instance_name).init(api_key, **options)


def get_instance(name: str | None = None) -> Client:
    """The default instance, or the one of that name; the same object each time.

    It need not be initialised yet: `get_instance("billing").init("KEY")` does that. Raises
    `ConfigurationError` for a blank name.
    """
    if name is None:
        return _default
    _check_name(name)
    instance = _instances.get(name)
    if instance is None:
        # Atomic, so that threads that ask at once get the same one without a lock, which a fork could freeze.
        instance = _instances.setdefault(name, Client(name))
    return instance


def get_instances() -> list[Client]:
    """The default instance, and those that were asked for by name, initialised or not.

    For what concerns all of them, such as an end of the process that runs no exit handlers.
    """
    return [_default, *_instances.values()]


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not name.strip():
        raise ConfigurationError(f"the name of an instance must be a string, not {name!r:.60}")


def _as_name(client: Client) -> tuple[Callable[[str | None], Client], tuple[str | None]]:
    """A client pickled: unpickled, it is the instance of that name in that process, as with loggers."""
    if get_instance(client._name) is not client:
        from pickle import PicklingError  # noqa: PLC0415 - loaded by whoever pickles

        raise PicklingError(
            f"{client!r} cannot be pickled, since no other process could find it: only what antinode.init() "
            "and antinode.get_instance(name) return can"
        )
    return get_instance, (client._name,)


copyreg.pickle(Client, _as_name)


if not MYPY:

    @overload
    def log_event(
        event: Event | TypedEvent, extra: object = None, *, once: str | None = None
    ) -> Delivery: ...
    @overload
    def log_event(event: EventDict, extra: object = None, *, once: str | None = None) -> Delivery: ...


def log_event(event: Loggable, extra: object = None, *, once: str | None = None) -> Delivery:
    """`Client.log_event` of the default instance."""
    return _default.log_event(event, extra, once=once)


@overload
def identify(user_id: str | None, identify: Identify, *, device_id: str | None = None) -> Delivery: ...
@overload
def identify(user_id: str | None, device_id: str | None, identify: Identify) -> Delivery: ...
@overload
def identify(user_id: str | None = None, *, device_id: str | None = None, identify: Identify) -> Delivery: ...
def identify(user_id: str | None = None, *given: Any, **named: Any) -> Delivery:
    """`Client.identify` of the default instance."""
    return _default.identify(user_id, *given, **named)


def group_identify(group_type: str, group_name: str | Sequence[str], identify: Identify) -> Delivery:
    """`Client.group_identify` of the default instance."""
    return _default.group_identify(group_type, group_name, identify)


@overload
def revenue(user_id: str | None, revenue: Revenue, *, device_id: str | None = None) -> Delivery: ...
@overload
def revenue(user_id: str | None, device_id: str | None, revenue: Revenue) -> Delivery: ...
@overload
def revenue(user_id: str | None = None, *, device_id: str | None = None, revenue: Revenue) -> Delivery: ...
def revenue(user_id: str | None = None, *given: Any, **named: Any) -> Delivery:
    """`Client.revenue` of the default instance."""
    return _default.revenue(user_id, *given, **named)


@overload
def set_group(
    user_id: str | None, group_type: str, group_name: str | Sequence[str], *, device_id: str | None = None
) -> Delivery: ...
@overload
def set_group(
    user_id: str | None, device_id: str | None, group_type: str, group_name: str | Sequence[str]
) -> Delivery: ...
@overload
def set_group(
    user_id: str | None = None,
    *,
    device_id: str | None = None,
    group_type: str,
    group_name: str | Sequence[str],
) -> Delivery: ...
def set_group(user_id: str | None = None, *given: Any, **named: Any) -> Delivery:
    """`Client.set_group` of the default instance."""
    return _default.set_group(user_id, *given, **named)


def flush(timeout: float | None = None) -> Report:
    """`Client.flush` of the default instance."""
    return _default.flush(timeout)


def shutdown(timeout: float | None = None) -> Report:
    """`Client.shutdown` of the default instance."""
    return _default.shutdown(timeout)
