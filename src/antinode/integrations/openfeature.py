"""OpenFeature: exposures, each logged once per user, flag, variant and day."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final

from openfeature.flag_evaluation import FlagEvaluationDetails, FlagValueType
from openfeature.hook import Hook, HookContext, HookHints

import antinode

if TYPE_CHECKING:
    from antinode import Client

__all__ = ["ExposureHook"]

_REMEMBERED: Final = 100_000
"""Exposures that a hook remembers; of one that it has forgotten, Amplitude drops the repetition."""


class ExposureHook(Hook):
    """Logs which variant of a flag a user was given: `api.add_hooks([ExposureHook()])`.

    The event is Amplitude's `$exposure` with `flag_key` and `variant`, unless `event_type` says otherwise.
    The user is the evaluation context's targeting key, or its attribute `user_id`; `device_id` is taken from
    the attributes, too. Without either, `antinode.context` says whose it is. One exposure of a user, flag and
    variant counts once a day (UTC), however many processes log it. Evaluations that failed, and those of
    nobody, are not logged. `client` is the instance to log to, by default the default one.
    """

    def __init__(self, client: Client | None = None, *, event_type: str = "$exposure") -> None:
        self._client = client
        self._event_type = event_type
        self._known: OrderedDict[tuple[object, ...], None] = OrderedDict()
        self._looking = threading.Lock()

    def after(
        self,
        hook_context: HookContext,
        details: FlagEvaluationDetails[FlagValueType],
        hints: HookHints,  # noqa: ARG002 - a part of the interface
    ) -> None:
        """Log the exposure, unless it was logged today. Raises nothing."""
        if details.error_code is not None:
            return
        flag = hook_context.flag_key
        variant = details.variant if details.variant is not None else _spelled(details.value)
        given = hook_context.evaluation_context
        ids = _ids(given.targeting_key, given.attributes)
        around = antinode.get_context()
        users = [ids.get(name) or around.get(name) for name in ("user_id", "device_id")]
        day = datetime.now(timezone.utc).date().isoformat()
        if any(users) and self._is_new((*users, flag, variant, day)):
            properties = {"flag_key": flag, "variant": variant}
            event: Any = {"event_type": self._event_type, "event_properties": properties, **ids}
            client = antinode.get_instance() if self._client is None else self._client
            client.log_event(event, once=f"{flag} {variant} {day}")

    def _is_new(self, exposure: tuple[object, ...]) -> bool:
        with self._looking:
            if exposure in self._known:
                self._known.move_to_end(exposure)
                return False
            self._known[exposure] = None
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
            return True


def _ids(targeting_key: str | None, attributes: Mapping[str, Any]) -> dict[str, str]:
    found = {"user_id": attributes.get("user_id") or targeting_key, "device_id": attributes.get("device_id")}
    return {name: str(value) for name, value in found.items() if value}


def _spelled(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
