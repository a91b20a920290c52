"""Middleware that replaces ids by keyed hashes of them."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from typing import Any

from antinode import ConfigurationError, Middleware, MiddlewareNext, MiddlewarePayload
from antinode.middleware._events import named, property_dicts, texts

_LEAST_KEY_BYTES = 16


def hash_ids(
    key: bytes | str,
    *,
    fields: Iterable[str] = ("user_id", "device_id"),
    properties: Iterable[str] = (),
) -> Middleware:
    """Replaces ids by HMAC-SHA256 hashes of them, 64 hexadecimal digits, the same for the same id and key.

    `key` is a secret of at least 16 bytes. Whoever has it can test whether a hash is that of an id they know;
    and another key makes other users, so keep it. `fields` are top-level fields of events; `properties` are
    event and user properties whose values are hashed as well. The number 7 and the text "7" are one id, as
    they are to Amplitude. None and "" stay. Raises `ConfigurationError` for a key that is too short.
    """
    secret = key.encode() if isinstance(key, str) else key
    if not isinstance(secret, bytes):
        raise ConfigurationError(f"the key of hash_ids() must be bytes or str, not {type(key).__name__}")
    if len(secret) < _LEAST_KEY_BYTES:
        raise ConfigurationError(
            f"the key of hash_ids() has {len(secret)} bytes; write a secret of {_LEAST_KEY_BYTES} or more, "
            "such as secrets.token_bytes(32), made once and kept"
        )
    of_events = texts(fields, "fields to hash")
    named_properties = frozenset(texts(properties, "properties to hash"))

    def hashed(value: Any) -> Any:
        if isinstance(value, list):
            return [hashed(each) for each in value]
        if value is None or value == "":
            return value
        if not isinstance(value, (str, int)):
            raise TypeError(f"an id must be text or a whole number to be hashed, not {type(value).__name__}")
        return hmac.digest(secret, str(value).encode("utf-8", "surrogatepass"), "sha256").hex()

    def middleware(payload: MiddlewarePayload, next: MiddlewareNext) -> None:
        event = payload.event
        for field in of_events:
            if field in event:
                event[field] = hashed(event[field])
        if named_properties:
            for field in ("event_properties", "user_properties"):
                for held in property_dicts(event.get(field)):
                    for name in named_properties & held.keys():
                        held[name] = hashed(held[name])
        next(payload)

    return named(middleware, "hash_ids")
