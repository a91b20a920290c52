"""Middleware that takes personal data and secrets out of events."""

from __future__ import annotations

import enum
import logging
import re
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

from antinode import ConfigurationError, Middleware, MiddlewareNext, MiddlewarePayload
from antinode._protocol.fields import FIELDS, PROPERTY_FIELDS
from antinode._protocol.limits import MAX_DEPTH
from antinode._protocol.remarks import Remark
from antinode._protocol.values import Unencodable, make_safe
from antinode.middleware import _patterns
from antinode.middleware._events import named, texts

PATTERNS: Final = tuple(_patterns.PATTERNS)
"""The names of the patterns that `redact` knows."""

SENSITIVE_KEYS: Final = (
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "password_confirmation",
    "password_hash",
    "secret",
    "client_secret",
    "token",
    "access_token",
    "refresh_token",
    "id_token",
    "csrf",
    "jwt",
    "api_key",
    "private_key",
    "access_key",
    "secret_key",
    "encryption_key",
    "signing_key",
    "ssh_key",
    "connection_string",
    "database_url",
    "otp",
    "mfa_code",
    "security_answer",
    "authorization",
    "cookie",
    "set_cookie",
    "session_cookie",
    "credit_card",
    "card_number",
    "cc_number",
    "cvv",
    "cvc",
    "iban",
    "bank_account",
    "account_number",
    "routing_number",
    "sort_code",
    "ssn",
    "social_security_number",
    "tax_id",
    "national_id",
    "passport",
    "passport_no",
    "passport_number",
    "driver_license",
    "drivers_license",
    "driving_license",
    "date_of_birth",
    "birth_date",
    "birthday",
    "dob",
    "first_name",
    "last_name",
    "full_name",
    "given_name",
    "family_name",
    "maiden_name",
    "surname",
    "street_address",
    "home_address",
    "phone",
    "phone_number",
    "mobile_number",
    "telephone",
    "fax_number",
)
"""Names of properties that `redact` hides whatever they hold, unless it is told others."""

_DEFAULT_PATTERNS: Final = ("email", "card", "iban", "phone", "token")
_NOT_TO_HIDE: Final = frozenset({"event_type", "user_id", "device_id", "insert_id", "time", "session_id"})
_log = logging.getLogger("antinode")


def redact(
    *,
    keys: Iterable[str] = SENSITIVE_KEYS,
    patterns: Iterable[str | re.Pattern[str]] = _DEFAULT_PATTERNS,
    replacement: str = "[redacted]",
) -> Middleware:
    """Takes out of the properties and groups of an event what its key or its text gives away.

    `keys` are names of properties, at any depth, whose values are replaced whole. They stand for all names
    that end with their words, however those are joined, and a number behind them: "api_key" for "apiKey",
    "X-Api-Key" and "api_key_2". A key that is a field of events, such as "ip", has that field removed.

    `patterns` are found in texts, in keys, and in whole numbers (a card's): names of `PATTERNS` ("email",
    "card", "iban", "phone", "token", "ip") or compiled regular expressions; all but "ip" unless you say
    otherwise. A card number has to have a network's first digits, its length and the right check digit, an
    IBAN its check digits.

    The ids and the type of an event stay, as replacing them would make many users one: `hash_ids` is for
    those. Objects that become dicts when they are sent (dataclasses, pydantic's models, …) are looked into.
    Raises `ConfigurationError` for a pattern that it does not know.
    """
    names = texts(keys, "keys to redact")
    if fixed := sorted(_NOT_TO_HIDE & set(names)):
        raise ConfigurationError(f"`{fixed[0]}` cannot be redacted: hash_ids() makes ids unreadable")
    if not isinstance(replacement, str):
        raise ConfigurationError(f"replacement must be a string, not {type(replacement).__name__}")
    hiding = _Hiding(names, [_pattern(each) for each in _given(patterns)], replacement)
    removed = [name for name in names if name in FIELDS and name not in _HELD_FIELDS]

    def middleware(payload: MiddlewarePayload, next: MiddlewareNext) -> None:
        event = payload.event
        for name in removed:
            event.pop(name, None)
        for field in _HELD_FIELDS:
            if field in event:
                hiding.in_field(event, field)
        next(payload)

    return named(middleware, "redact")


_HELD_FIELDS: Final = (*PROPERTY_FIELDS, "groups")


def _given(patterns: Iterable[str | re.Pattern[str]]) -> Iterable[str | re.Pattern[str]]:
    return (patterns,) if isinstance(patterns, (str, re.Pattern)) else patterns


def _pattern(given: object) -> _patterns.Pattern:
    if isinstance(given, re.Pattern):
        if not isinstance(given.pattern, str):
            raise ConfigurationError("a pattern of redact() must be of str, not of bytes")
        return _patterns.Pattern(given)
    known = _patterns.PATTERNS.get(given) if isinstance(given, str) else None
    if known is None:
        raise ConfigurationError(
            f"redact() knows no pattern {given!r:.60}: write one of {', '.join(PATTERNS)}, or re.compile(…)"
        )
    return known


def _words(name: str) -> list[str]:
    return re.split(r"[\W_]+", _WITHIN_CAMEL_CASE.sub(" ", name).casefold())


_NUMBER_BEHIND = re.compile(r"[\W_]*\d+$")
_WITHIN_CAMEL_CASE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class _Hiding:
    """What is hidden, and how."""

    def __init__(self, names: tuple[str, ...], patterns: list[_patterns.Pattern], replacement: str) -> None:
        self._names = frozenset("".join(_words(name)) for name in names)
        self._patterns = patterns
        self._replacement = replacement
        self._least = min((each.least for each in patterns), default=0)
        self._is_sensitive = _remembered(self._has_sensitive_end)
        self._in_key = _remembered(self._in_text)

    def _has_sensitive_end(self, name: str) -> bool:
        end = ""
        name = _NUMBER_BEHIND.sub("", name) or name
        for word in reversed(_words(name)):
            end = word + end
            if end in self._names:
                return True
        return False

    def in_field(self, event: dict[str, Any], field: str) -> None:
        """Hide it in a field of an event."""
        event[field] = self._in_value(event[field], field, {}, 0)

    def _in_value(self, value: Any, path: str, known: dict[int, Any], layer: int) -> Any:
        if isinstance(value, str):
            return self._in_text(value)
        if isinstance(value, (bool, float, type(None))):
            return value
        if isinstance(value, enum.Enum):
            return self._in_value(value.value, path, known, layer)
        if isinstance(value, int):
            return value if self._in_text(text := str(value)) == text else self._replacement
        # Nothing is sent of what lies deeper. `known` ends cycles, and keeps what is shared from multiplying.
        if layer > MAX_DEPTH:
            return None
        if id(value) in known:
            return known[id(value)][0]
        if type(value) is dict:
            made: dict[Any, Any] = {}
            known[id(value)] = (made, value)
            self._fill(made, value, path, known, layer + 1)
            return made
        if type(value) in (list, tuple):
            items: list[Any] = []
            known[id(value)] = (items, value)
            items.extend([self._in_value(each, path, known, layer + 1) for each in value])
            return items
        return self._in_object(value, path, known, layer)

    def _fill(
        self, made: dict[Any, Any], held: dict[Any, Any], path: str, known: dict[int, Any], layer: int
    ) -> None:
        for key, value in held.items():
            if not isinstance(key, str):
                made[key] = self._in_value(value, path, known, layer)
            elif self._is_sensitive(key):
                made[key] = self._replacement
            else:
                made[self._in_key(key)] = self._in_value(value, path, known, layer)

    def _in_object(self, value: Any, path: str, known: dict[int, Any], layer: int) -> Any:
        notes: list[Remark] = []
        try:
            made = make_safe(value, path=path, notes=notes)
        except Unencodable:
            # The encoder leaves it out, and says so.
            return value
        for note in notes:
            _log.warning("antinode: redact(): %s", note)
        return self._in_value(made, path, known, layer)

    def _in_text(self, text: str) -> str:
        if len(text) < self._least:
            return text
        for pattern in self._patterns:
            text = pattern.hide(text, self._replacement)
        return text


_T = TypeVar("_T")


def _remembered(judge: Callable[[str], _T]) -> Callable[[str], _T]:
    """`judge`, which does not judge again the names that it has seen, as long as they are few."""
    known: dict[str, _T] = {}

    def judged(name: str) -> _T:
        verdict = known.get(name)
        if verdict is None:
            verdict = judge(name)
            if len(known) < 4096 and len(name) <= 64:
                known[name] = verdict
        return verdict

    return judged
