"""The events that Amplitude has types of its own for, made of what a client's methods are given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from antinode._calls import arguments
from antinode._encoding.refusal import Refused
from antinode._identify import Identify
from antinode._interruptions import is_interruption
from antinode._protocol.fields import GROUP_IDENTIFY, IDENTIFY, REVENUE
from antinode._protocol.status import Status
from antinode._revenue import Revenue

if TYPE_CHECKING:
    from antinode._events import EventDict

_FORMS: Final = {
    Identify: "antinode.Identify().set('plan', 'pro')",
    Revenue: "antinode.Revenue(price=19.99)",
}


class BadArguments(Refused):
    """No event can be made of what was given; `kept` is what is known of it."""

    def __init__(self, message: str, kept: Mapping[str, object]) -> None:
        super().__init__(Status.INVALID, "invalid_event", message)
        self.kept = kept


def identify(user_id: str | None, given: Sequence[Any], named: Mapping[str, Any]) -> EventDict:
    """The event of `Client.identify`. Raises `BadArguments`; `TypeError` for too many or too few."""
    device_id, operations = arguments("identify", ("identify",), given, named)
    return _identify(user_id, device_id, operations)


def _identify(user_id: str | None, device_id: str | None, operations: Identify) -> EventDict:
    kept = {"event_type": IDENTIFY, "user_id": user_id, "device_id": device_id}
    return _made("identify", Identify, operations, lambda: operations.to_event(user_id, device_id), kept)


def group_identify(group_type: str, group_name: str | Sequence[str], operations: Identify) -> EventDict:
    """The event of `Client.group_identify`. Raises `BadArguments`."""
    groups = {group_type: group_name} if type(group_type) in (str, int) else None
    kept = {"event_type": GROUP_IDENTIFY, "groups": groups}
    return _made(
        "group_identify",
        Identify,
        operations,
        lambda: operations.to_group_event(group_type, group_name),
        kept,
    )


def revenue(user_id: str | None, given: Sequence[Any], named: Mapping[str, Any]) -> EventDict:
    """The event of `Client.revenue`. Raises `BadArguments`; `TypeError` for too many or too few."""
    device_id, purchase = arguments("revenue", ("revenue",), given, named)
    kept = {"event_type": REVENUE, "user_id": user_id, "device_id": device_id}
    return _made("revenue", Revenue, purchase, lambda: purchase.to_event(user_id, device_id), kept)


def set_group(user_id: str | None, given: Sequence[Any], named: Mapping[str, Any]) -> EventDict:
    """The event of `Client.set_group`. Raises `BadArguments`; `TypeError` for too many or too few."""
    device_id, group_type, group_name = arguments("set_group", ("group_type", "group_name"), given, named)
    operations = Identify().set_group(group_type, group_name)
    if operations.problems:
        kept = {"event_type": IDENTIFY, "user_id": user_id, "device_id": device_id}
        raise BadArguments("; ".join(operations.problems), kept)
    return _identify(user_id, device_id, operations)


def _made(
    method: str,
    kind: type,
    given: object,
    make: Callable[[], EventDict],
    kept: Mapping[str, object],
) -> EventDict:
    """What `make` makes of `given`, an argument of `method`."""
    if not isinstance(given, kind):
        raise BadArguments(
            f"{method}() takes an antinode.{kind.__name__}, not {type(given).__name__}: "
            f"write {method}(…, {_FORMS[kind]})",
            kept,
        )
    try:
        return make()
    except ValueError as error:
        raise BadArguments(str(error), kept) from None
    except Exception as error:
        if is_interruption(error):
            raise
        raise BadArguments(f"{method}() raised {type(error).__name__}: check its arguments", kept) from None
