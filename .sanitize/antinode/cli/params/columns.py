"""What is said about columns on the command line, made into the importer's terms."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from antinode._importing.columns import NOW, Columns, read_mapping
from antinode._importing.errors import BadMapping
from antinode._protocol.fields import FIELDS, FieldKind
from antinode.cli.params.pairs import split


def pairs(option: str, given: Sequence[str], form: str) -> dict[str, str]:
    """`NAME=VALUE` arguments as a dict. Raises `BadParameter`."""
    return {name.strip(): value for name, value in (split(each, option, form) for each in given)}


def constant(key: str, text: str) -> Any:
    """The value of a constant: text where the API wants text, otherwise JSON if it is some."""
    if FIELDS.get(key) is FieldKind.STRING:
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
    where: Sequence[str],
) -> Columns:
    """The mapping of a file with that of the options over it. Raises `BadMapping` and `BadParameter`."""
    given: dict[str, Any] = {} if file is None else read_mapping(file)
    named = {key: column for key, column in fields.items() if column is not None}
    if named.get("time") == NOW:
        del named["time"]
        given["undated"] = NOW
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
        ("where", where),
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
