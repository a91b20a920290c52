"""`settings.ANTINODE`: what of it is the client's, and what the middleware's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from antinode import ConfigurationError

_OF_THE_MIDDLEWARE = ("capture", "exclude", "browser_identity", "context", "user_id")


def options() -> dict[str, Any]:
    """The options of `antinode.init`."""
    return {name: value for name, value in _given().items() if name not in _OF_THE_MIDDLEWARE}


def capture() -> dict[str, Any]:
    """The arguments of the middleware; `context` may be the dotted path of a function."""
    found = {name: value for name, value in _given().items() if name in _OF_THE_MIDDLEWARE}
    if isinstance(found.get("context"), str):
        found["context"] = import_string(found["context"])
    return found


def _given() -> Mapping[str, Any]:
    given = getattr(settings, "ANTINODE", {})
    if not isinstance(given, Mapping):
        raise ConfigurationError(f"settings.ANTINODE must be a dict, not {type(given).__name__}")
    return given
