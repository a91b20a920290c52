"""What Amplitude's browser SDK keeps in a cookie: the device, the session and the user of the page.

A cookie comes from whoever sends the request, so everything in it is looked at before it is believed.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

_LONGEST_COOKIE: Final = 4096
_LONGEST_ID: Final = 256
_LATEST_SESSION: Final = 2**53
_SESSION_REPLAY: Final = "[Amplitude] Session Replay ID"

# `AMP_` and the key's first 10 characters; `amp_` and 6 in the SDKs before version 1 of analytics-browser.
_NEW_NAME: Final = re.compile(r"AMP_[0-9a-zA-Z]{10}")
_OLD_NAME: Final = re.compile(r"amp_[0-9a-zA-Z]{6}")


@dataclass(frozen=True)
class Browser:
    """Who the browser says that it is. Ids that could not be Amplitude's are None."""

    device_id: str
    user_id: str | None
    session_id: int | None

    def fields(self) -> dict[str, Any]:
        """What of it goes into a context."""
        found: dict[str, Any] = {"device_id": self.device_id}
        if self.user_id is not None:
            found["user_id"] = self.user_id
        if self.session_id is not None:
            found["session_id"] = self.session_id
            found["event_properties"] = {_SESSION_REPLAY: f"{self.device_id}/{self.session_id}"}
        return found


def browser_of(cookies: Mapping[str, str], api_key: str | None) -> Browser | None:
    """The browser that these cookies tell of; None if none does, several do, or its user has opted out.

    `api_key` is the key of the page's project; without one, the only cookie of that form is taken.
    """
    for pattern, read in ((_NEW_NAME, _read_new), (_OLD_NAME, _read_old)):
        names = list(_names(cookies, pattern, api_key))
        if len(names) == 1:
            value = cookies[names[0]]
            return read(value) if len(value) <= _LONGEST_COOKIE else None
    return None


def _names(cookies: Mapping[str, str], pattern: re.Pattern[str], api_key: str | None) -> Iterator[str]:
    for name in cookies:
        if pattern.fullmatch(name) and (api_key is None or api_key.startswith(name[4:])):
            yield name


def _read_new(value: str) -> Browser | None:
    """Base64 of URL-encoded JSON."""
    try:
        text = unquote(_unbase64(unquote(value)), errors="strict")
        held = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(held, dict) or held.get("optOut") is True:
        return None
    return _believed(held.get("deviceId"), held.get("userId"), held.get("sessionId"))


def _read_old(value: str) -> Browser | None:
    """Parts between dots: device, user in base64, opt-out, session in base 32, and counters."""
    parts = [*value.split("."), "", "", "", ""]
    device, user, opted_out, session = parts[:4]
    if opted_out:
        return None
    try:
        user_id = _unbase64(user) if user else None
        session_id = int(session, 32) if re.fullmatch("[0-9a-v]{1,11}", session) else None
    except ValueError:
        return None
    return _believed(device, user_id, session_id)


def _unbase64(text: str) -> str:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True).decode()
    except binascii.Error as error:
        raise ValueError(str(error)) from None


def _believed(device_id: object, user_id: object, session_id: object) -> Browser | None:
    if not _is_id(device_id):
        return None
    is_session = type(session_id) is int and 0 < session_id < _LATEST_SESSION
    return Browser(
        str(device_id),
        str(user_id) if _is_id(user_id) else None,
        session_id if is_session else None,  # type: ignore[arg-type]
    )


def _is_id(value: object) -> bool:
    return (
        isinstance(value, str)
        and 0 < len(value) <= _LONGEST_ID
        and value.isprintable()
        and bool(value.strip())
    )
