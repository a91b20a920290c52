"""What the form APIs take, as events of the HTTP V2 API (reference, sections 16 and 17)."""

from __future__ import annotations

from typing import Any

from antinode._protocol.fields import GROUP_IDENTIFY, IDENTIFY
from antinode.server.ingest.apis import IngestApi
from antinode.server.models import Problem


def to_event(api: IngestApi, entry: Any) -> dict[str, Any] | Problem:
    """An entry of `identification` or of the legacy API's `e` as a new event, or what is wrong with it."""
    if not isinstance(entry, dict):
        return no_object(entry)
    if api is IngestApi.IDENTIFY:
        return {**entry, "event_type": IDENTIFY}
    if api is IngestApi.GROUP_IDENTIFY:
        return _from_group_identification(entry)
    return _from_legacy(entry)


def no_object(entry: Any) -> Problem:
    """The problem of an entry that is something else than an object."""
    message = f'an event must be an object, not {_name(entry)}: write {{"event_type": …}}'
    return Problem("invalid_event", "error", "event", message)


def mapping_problem(entry: Any) -> Problem | None:
    """What is wrong with an entry of the User Mapping API's `mapping`; None if nothing is."""
    if not isinstance(entry, dict):
        return no_object(entry)
    needed = ["user_id"] if entry.get("unmap") is True else ["user_id", "global_user_id"]
    for field in needed:
        value = entry.get(field)
        if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
            message = f"`{field}` must be a text, not {_name(value) if value != '' else 'an empty one'}"
            return Problem(f"invalid_{field}", "error", field, f"{message}: write whose it is")
    return None


def _name(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"the text {value[:60]!r}"
    return "a list" if isinstance(value, list) else f"the number {value}"


def _from_group_identification(entry: dict[str, Any]) -> dict[str, Any] | Problem:
    kind, name = entry.get("group_type"), entry.get("group_value")
    if isinstance(name, int | float) and not isinstance(name, bool):
        name = str(name)
    for field, value in (("group_type", kind), ("group_value", name)):
        if not isinstance(value, str) or not value:
            message = f"`{field}` must be a text, not {_name(value) if value != '' else 'an empty one'}"
            return Problem(f"invalid_{field}", "error", field, f"{message}: write which group it is")
    rest = {key: value for key, value in entry.items() if key not in ("group_type", "group_value")}
    return {**rest, "event_type": GROUP_IDENTIFY, "groups": {kind: name}}


def _from_legacy(entry: dict[str, Any]) -> dict[str, Any]:
    event = dict(entry)
    for old, new in (("timestamp", "time"), ("uuid", "insert_id")):
        value = event.pop(old, None)
        if value is not None and event.get(new) is None:
            event[new] = value
    library = event.get("library")
    if isinstance(library, dict):
        parts = [library.get(key) for key in ("name", "version")]
        event["library"] = "/".join(part for part in parts if isinstance(part, str) and part) or None
    return event
