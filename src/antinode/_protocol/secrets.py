"""What may be a secret in a text from outside: API keys, and what a URL holds beside its address."""

from __future__ import annotations

import re
from typing import Final

from antinode._patterns import pattern

_ENCODED: Final = "%(?:25)*"  # percent-encoded once, or more than once

# Whatever stands before and behind it: a key may be glued to a word, or percent-encoded.
HEX_KEY: Final = rf"(?<![0-9a-f])(?:[0-9a-f]|{_ENCODED}3[0-9]|{_ENCODED}[46][1-6]){{32,}}"
"""What looks like an API key. All of these patterns are for any case of letters."""
KEY_NAME: Final = rf"api(?:[\x20_+-]|{_ENCODED}(?:20|2d|5f))?key"
"""What an API key is called."""
QUOTE: Final = rf"""(?:\\?["'`]|(?:{_ENCODED}5c)?{_ENCODED}(?:22|27|60))"""
_SPACE: Final = rf"(?:\s|\+|{_ENCODED}20)"
EQUALS: Final = rf"{_SPACE}*(?:[:=]|{_ENCODED}(?:3a|3d)){_SPACE}*"
"""What stands between a name and its value."""

# The server repeats the key it was sent, and a wrong key is often another system's secret.
_NAMED_KEY: Final = pattern(
    rf"(invalid{_SPACE}api{_SPACE}key(?:\W|{_ENCODED}3a|{_ENCODED}20){{1,4}}|{KEY_NAME}{QUOTE}?{EQUALS}{QUOTE}?)(.+)",
    re.IGNORECASE | re.DOTALL,
)
_BARE_KEY: Final = pattern(rf"()({HEX_KEY})", re.IGNORECASE)
_USER: Final = pattern(r"(?<=//)[^\s/?#\"'<>]+@")
_QUERY: Final = pattern(r"(?<=[\w/]\?)[\w%][^\s\"'<>]*")


_CUT_KEY: Final = pattern(r"(?<![0-9a-f%])[0-9a-f%]+\Z", re.IGNORECASE)


def cut(text: str, length: int) -> str:
    """At most `length` characters of `text`, without what may be the beginning of a key at the end."""
    return text if len(text) <= length else _CUT_KEY().sub("", text[:length])


def without_keys(text: str) -> str:
    """`text` with what follows "API key", and what looks like a key, masked but for the last four."""
    return _BARE_KEY().sub(_mask, _NAMED_KEY().sub(_mask, text))


def without_secrets(text: str) -> str:
    """`text` without keys, as `without_keys`, and without the user names, passwords and queries of URLs."""
    return without_keys(_QUERY().sub("…", _USER().sub("…@", text)))


def public_url(url: str) -> str:
    """`url` as it may be shown: without user name, password, query and fragment."""
    scheme, colon, rest = url.partition("://")
    if not colon:
        scheme, rest = "", url
    rest = re.split(r"[?#]", rest, maxsplit=1)[0]
    host, slash, path = rest.partition("/")
    return f"{scheme}{colon}{host.rpartition('@')[2]}{slash}{path}"


def _mask(match: re.Match[str]) -> str:
    lead, key = match[1], match[2]
    return f"{lead}…{key[-4:] if len(key) > 8 else ''}"
