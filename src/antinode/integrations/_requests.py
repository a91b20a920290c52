"""What of a request goes into the context of the events that are logged while it is served."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from fnmatch import translate
from typing import Any, Final, Generic, TypeVar

import antinode
from antinode import ConfigurationError
from antinode.integrations._browser import browser_of

_log = logging.getLogger("antinode")

Native = TypeVar("Native")
"""A request as the framework has it."""

CAPTURED: Final = ("path", "method", "user_agent", "ip", "language")
"""What can be captured of a request; nothing is by default."""

_LONGEST_HEADER: Final = 1024
_LANGUAGE: Final = re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8}){0,3}")


class ServedRequest:
    """A request as far as it is looked at."""

    __slots__ = ("header", "ip", "method", "path")

    def __init__(self, path: str, method: str, ip: str | None, header: Callable[[str], str | None]) -> None:
        self.path = path
        self.method = method
        self.ip = ip
        self.header = header


class Capture(Generic[Native]):
    """What the application wants of its requests; see docs/integrations.md."""

    def __init__(
        self,
        capture: Iterable[str] = (),
        *,
        exclude: Iterable[str] = (),
        browser_identity: bool | str = False,
        context: Callable[[Native], Mapping[str, Any] | None] | None = None,
    ) -> None:
        self._captured = frozenset((capture,) if isinstance(capture, str) else capture)
        if unknown := sorted(map(str, self._captured - set(CAPTURED))):
            raise ConfigurationError(
                f"capture has no {unknown[0]!r:.60}: it takes {', '.join(map(repr, CAPTURED))}"
            )
        paths = (exclude,) if isinstance(exclude, str) else tuple(exclude)
        self._is_excluded = re.compile("|".join(map(translate, paths))).fullmatch if paths else None
        self._browser_key = browser_identity if isinstance(browser_identity, str) else None
        self._has_browser = bool(browser_identity)
        if context is not None and not callable(context):
            raise ConfigurationError(
                f"context must be a function of the request, not {type(context).__name__}"
            )
        self._context = context
        self._has_warned = False

    def fields_of(self, request: ServedRequest, native: Native) -> dict[str, Any] | None:
        """The context's fields; None for a path that is excluded."""
        if self._is_excluded is not None and self._is_excluded(request.path):
            return None
        fields: dict[str, Any] = {}
        if self._has_browser:
            browser = browser_of(_cookies(request.header("cookie")), self._browser_key)
            fields = {} if browser is None else browser.fields()
        properties = {name: getattr(request, name) for name in ("path", "method") if name in self._captured}
        if properties:
            fields["event_properties"] = {**fields.get("event_properties", {}), **properties}
        if "user_agent" in self._captured:
            fields["user_agent"] = _short(request.header("user-agent"))
        if "ip" in self._captured:
            fields["ip"] = request.ip
        if "language" in self._captured:
            found = _LANGUAGE.match((request.header("accept-language") or "").strip())
            fields["language"] = found[0] if found else None
        own = self._own(native)
        for name in ("event_properties", "groups"):
            if name in own and name in fields:
                own[name] = {**fields[name], **own[name]}
        fields.update(own)
        return fields

    def _own(self, native: Native) -> dict[str, Any]:
        """What the application's function says; nothing if it raises, or says what no context has."""
        if self._context is None:
            return {}
        try:
            own = {name: value for name, value in (self._context(native) or {}).items() if value is not None}
            antinode.context(**own)
        except Exception as error:
            # The request is served all the same.
            if not self._has_warned:
                self._has_warned = True
                told = str(error) if isinstance(error, ConfigurationError) else type(error).__name__
                _log.warning(
                    "antinode: the context of a request cannot be made of what context= does: %s", told
                )
            return {}
        return own


def _short(text: str | None) -> str | None:
    return text[:_LONGEST_HEADER] if text else None


def _cookies(header: str | None) -> dict[str, str]:
    if not header:
        return {}
    pairs = (part.partition("=") for part in header.split(";"))
    found: dict[str, str] = {}
    for name, _, value in pairs:
        # Of several of one name, as of a domain and of its parent, browsers and their SDKs take the first.
        found.setdefault(name.strip(), value.strip().strip('"'))
    return found
