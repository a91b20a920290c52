"""The event that `antinode send` is asked to send: JSON, flags, or both."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import rich_click as click

from antinode._identify import Identify
from antinode._protocol import exact
from antinode._revenue import Revenue
from antinode.cli.params.pairs import pair, split
from antinode.cli.ui.console import printable


@dataclass(frozen=True, kw_only=True)
class Flags:
    """What the flags say of the event."""

    event_type: str | None
    user_id: str | None
    device_id: str | None
    time: str | None
    insert_id: str | None
    properties: Sequence[str]
    user_properties: Sequence[str]
    groups: Sequence[str]
    fields: Sequence[str]
    price: float | None
    quantity: int | None
    revenue: float | None
    product_id: str | None
    revenue_type: str | None
    currency: str | None


def build_event(source: str | None, flags: Flags) -> dict[str, Any]:
    """The event: `source` (JSON, a file's path, or `-`) with what the flags say laid over it.

    Without an event type, money makes it a purchase, and user properties alone an `$identify`. Raises
    click.UsageError for what cannot be understood; whether Amplitude would take it is not looked at.
    """
    event = {} if source is None else _read(source)
    event |= dict(pair(each, "--field") for each in flags.fields)
    money = _money(flags)
    event_type = flags.event_type or event.get("event_type")
    if event_type is None and money:
        event |= _purchase(flags)
        money = {}
    elif event_type is None and flags.user_properties and not flags.properties:
        identify = Identify()
        for each in flags.user_properties:
            identify.set(*pair(each, "--user-property"))
        event |= identify.to_event()
    elif event_type is None and source is None:
        raise click.UsageError(
            "there is no event: write what happened with --type, or give the event as JSON\n\n"
            "antinode send --type 'Song Played' --user-id user-20391 --property seconds=337"
        )
    else:
        _lay(event, "user_properties", flags.user_properties, "--user-property")
    _lay(event, "event_properties", flags.properties, "--property")
    if flags.groups:
        event["groups"] = {**_object(event, "groups"), **_groups(flags.groups)}
    given = {
        "event_type": flags.event_type,
        "user_id": flags.user_id,
        "device_id": flags.device_id,
        "insert_id": flags.insert_id,
        "time": None if flags.time is None else _milliseconds(flags.time),
        **money,
    }
    return {**event, **{key: value for key, value in given.items() if value is not None}}


def _read(source: str) -> dict[str, Any]:
    if source.lstrip()[:1] in {"{", "["}:
        text, name = source.encode("utf-8", "surrogateescape"), "the event"
    elif source == "-":
        text, name = sys.stdin.buffer.read(), "standard input"
    else:
        try:
            text, name = Path(source).read_bytes(), source
        except OSError as error:
            raise click.UsageError(
                f"{printable(source, 100)} cannot be read ({error.strerror}): "
                "write the event as JSON, the path of a file that holds it, or - for standard input"
            ) from None
    try:
        event = exact.loads(text)
    except ValueError as error:
        raise click.UsageError(f"{printable(name, 100)} is no JSON: {error}") from None
    if not isinstance(event, dict):
        more = "; antinode import sends files of many" if isinstance(event, list) else ""
        raise click.UsageError(f"{printable(name, 100)} must hold one event, a JSON object{more}")
    return event


def _groups(texts: Sequence[str]) -> dict[str, str | list[str]]:
    found: dict[str, list[str]] = {}
    for text in texts:
        kind, name = split(text, "--group", "type=name")
        found.setdefault(kind, []).append(name)
    return {kind: names if len(names) > 1 else names[0] for kind, names in found.items()}


def _lay(event: dict[str, Any], field: str, texts: Sequence[str], option: str) -> None:
    if texts:
        event[field] = {**_object(event, field), **dict(pair(each, option) for each in texts)}


def _object(event: dict[str, Any], field: str) -> dict[str, Any]:
    value = event.get(field) or {}
    if not isinstance(value, dict):
        raise click.UsageError(
            f"`{field}` of the event is no JSON object, so that nothing can be added to it"
        )
    return value


def _money(flags: Flags) -> dict[str, Any]:
    given = {
        "price": flags.price,
        "quantity": flags.quantity,
        "revenue": flags.revenue,
        "productId": flags.product_id,
        "revenueType": flags.revenue_type,
        "currency": flags.currency,
    }
    return {key: value for key, value in given.items() if value is not None}


def _purchase(flags: Flags) -> dict[str, Any]:
    revenue = Revenue(
        price=flags.price,
        quantity=1 if flags.quantity is None else flags.quantity,
        revenue=flags.revenue,
        product_id=flags.product_id,
        revenue_type=flags.revenue_type,
        currency=flags.currency,
    )
    try:
        return {**revenue.to_event()}
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _milliseconds(text: str) -> int:
    """Milliseconds since 1970, or a time as ISO 8601 has it: without a zone it is this machine's."""
    if text.lstrip("-").isdecimal():
        return int(text)
    try:
        # Before 3.11 Python does not know Z.
        moment = datetime.fromisoformat(text[:-1] + "+00:00" if text[-1:] in {"Z", "z"} else text)
        return round(moment.timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        raise click.BadParameter(
            f"{printable(text, 60)!r} is no time: write 2026-11-04T18:46:10Z, or milliseconds since 1970",
            param_hint="--time",
        ) from None
