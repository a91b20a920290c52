"""`key=value` on a command line."""

from __future__ import annotations

from typing import Any

import rich_click as click


def split(text: str, option: str, form: str = "key=value") -> tuple[str, str]:
    """The key and the value as text. Raises click.BadParameter, which names `option` and the right form."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise click.BadParameter(f"{text[:60]!r} is not {form}", param_hint=option)
    return key, value


def pair(text: str, option: str) -> tuple[str, Any]:
    """The key and the value, which is read as JSON if it is JSON. Raises as `split` does."""
    from antinode._protocol import exact  # noqa: PLC0415 - not for help and completion

    key, value = split(text, option)
    try:
        return key, exact.loads(value)
    except ValueError:
        return key, value
