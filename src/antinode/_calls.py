"""Calls as people write them: arguments in either order, and methods that other SDKs call otherwise."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn


def arguments(
    method: str, names: Sequence[str], given: Sequence[Any], named: Mapping[str, Any]
) -> tuple[Any, ...]:
    """The device_id and the values of `names`, of a call whose first argument was a user_id.

    The device_id is optional by its keyword; as a second argument, as in the Node SDK, it comes before the
    others. Raises `TypeError` for too many or too few.
    """
    if not named and len(given) - len(names) in (0, 1):
        return tuple(given) if len(given) > len(names) else (None, *given)
    known = dict(named)
    missing = [name for name in names if name not in known]
    values = list(given)
    if "device_id" not in known:
        known["device_id"] = values.pop(0) if len(values) > len(missing) else None
    if len(values) != len(missing) or not known.keys() <= {"device_id", *names}:
        shown = ", ".join(names)
        raise TypeError(f"{method}() takes a user_id, then {shown}, and device_id by keyword")
    known.update(zip(missing, values, strict=True))
    return known["device_id"], *(known[name] for name in names)


def checked_timeout(timeout: object) -> float | None:
    """A timeout in seconds. Raises `ValueError` for what is neither a number nor None."""
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or math.isnan(timeout):
        raise ValueError(f"timeout must be a number of seconds or None, not {timeout!r:.60}")
    return float(timeout)


class Elsewhere:
    """Stands where other SDKs have a method, and says how it is called here. There is no such attribute."""

    def __init__(self, name: str, meant: str) -> None:
        self._name = name
        self._meant = meant

    def __get__(self, instance: object, owner: type | None = None) -> NoReturn:
        kind = owner.__name__ if owner is not None else type(instance).__name__
        raise AttributeError(f"{kind!r} object has no attribute {self._name!r}: call {self._meant}")


# A type checker does not see them, and names them as missing.
ELSEWHERE: Final = {
    name: Elsewhere(name, meant)
    for name, meant in {
        "track": "log_event({'event_type': …, 'user_id': …})",
        "capture": "log_event({'event_type': …, 'user_id': …})",
        "logEvent": "log_event({'event_type': …, 'user_id': …})",
        "group": "set_group(user_id, group_type, group_name)",
        "setGroup": "set_group(user_id, group_type, group_name)",
        "groupIdentify": "group_identify(group_type, group_name, identify)",
        "addEventMiddleware": "add_event_middleware(fn)",
        "close": "shutdown()",
    }.items()
}
"""What other SDKs call a client's methods."""
