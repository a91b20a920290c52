"""What is written on the command line, made into settings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import rich_click as click

from antinode._errors import ConfigurationError
from antinode._options import Options, check_api_key, read_options
from antinode.importing.columns import Columns, read_mapping
from antinode.importing.troubles import BadMapping
from antinode.protocol.endpoints import endpoint_of
from antinode.protocol.fields import FIELDS, Kind

# A request of 20 MB takes its time on a slow line.
_REQUEST_TIMEOUT_MS = 60_000


def pairs(option: str, given: Sequence[str], what: str) -> dict[str, str]:
    """`NAME=VALUE` arguments as a dict. Raises `BadParameter`."""
    found: dict[str, str] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not (equals and name.strip()):
            raise click.BadParameter(f"{each!r:.80} is not {what}", param_hint=option)
        found[name.strip()] = value
    return found


def constant(key: str, text: str) -> Any:
    """The value of a constant: text where the API wants text, otherwise JSON if it is some."""
    if FIELDS.get(key) is Kind.STRING:
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def mapping(
    file: Path | None,
    *,
    fields: dict[str, str | None],
    more_fields: Sequence[str],
    properties: Sequence[str],
    user_properties: Sequence[str],
    groups: Sequence[str],
    constants: Sequence[str],
    time_format: str,
    time_zone: str,
    null: Sequence[str],
    text: Sequence[str],
) -> Columns:
    """The mapping of a file with that of the options over it. Raises `BadMapping` and `BadParameter`."""
    given: dict[str, Any] = {} if file is None else read_mapping(file)
    named = {key: column for key, column in fields.items() if column is not None}
    named |= pairs("--field", more_fields, "KEY=COLUMN, such as platform=device")
    held = pairs("--constant", constants, "KEY=VALUE, such as event_type=Flight")
    given["fields"] = {key: column for key, column in {**given.get("fields", {}), **named}.items() if column}
    given["groups"] = {
        **given.get("groups", {}),
        **pairs("--group", groups, "TYPE=COLUMN, such as airline=carrier"),
    }
    given["constants"] = {
        **given.get("constants", {}),
        **{key: constant(key, value) for key, value in held.items()},
    }
    for name, more in (
        ("properties", properties),
        ("user_properties", user_properties),
        ("null", null),
        ("text", text),
    ):
        given[name] = (*given.get(name, ()), *more)
    if time_format != "auto":
        given["time_format"] = time_format
    if time_zone != "UTC":
        given["time_zone"] = time_zone
    try:
        return Columns(**given)
    except BadMapping as error:
        if file is None:
            raise
        raise BadMapping(f"{error} (in {file}, with the options)") from None


def options(
    *,
    server_url: str | None,
    zone: str | None,
    endpoint: str | None,
    min_id_length: int | None,
    connections: int,
) -> Options:
    """Where to send, as `init` has it. Raises `UsageError`."""
    if endpoint is None and (server_url is None or endpoint_of(server_url) is None):
        endpoint = "batch"
    given = {
        "server_url": server_url,
        "server_zone": zone,
        "endpoint": endpoint,
        "min_id_length": min_id_length,
    }
    try:
        return read_options(
            {
                **{key: value for key, value in given.items() if value is not None},
                "connections": connections,
                "request_timeout_millis": _REQUEST_TIMEOUT_MS,
            }
        )
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from None


def key(given: str | None) -> str:
    """The API key. Raises `UsageError`, which does not show it."""
    try:
        return check_api_key(given)
    except ConfigurationError as error:
        text = str(error).replace('write init("YOUR_KEY")', "write --api-key KEY")
        raise click.UsageError(text) from None
