"""`key=value` on a command line."""

from __future__ import annotations

from typing import Any

import rich_click as click


def pair(text: str, option: str) -> tuple[str, Any]:
    """The key and the value, which counts as JSON if it is that, and else as text.

    Raises click.BadParameter, which names `option`.
    """
    import orjson  # noqa: PLC0415 - not for help and completion

    key, equals, value = text.partition("=")
    if not equals or not key:
        raise click.BadParameter(f"{text[:60]!r} is no key=value", param_hint=option)
    try:
        return key, orjson.loads(value)
    except orjson.JSONDecodeError:
        return key, value
