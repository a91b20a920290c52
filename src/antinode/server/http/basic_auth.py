"""Who asks, by Basic auth: the `api_key:secret_key` of Amplitude's own APIs."""

from __future__ import annotations

import base64
import binascii
from typing import Final

CHALLENGE: Final = {"www-authenticate": 'Basic realm="api_key:secret_key"'}


def credentials_of(authorization: str) -> tuple[str, str]:
    """The key and the secret in a header; empty ones if it has none."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        key, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return key, secret
