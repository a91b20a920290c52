"""The API key: where it comes from, and what can be told of it without a request."""

from __future__ import annotations

import os

from antinode._errors import ConfigurationError
from antinode._protocol.words import with_article

# What placeholders are made of, longer words before those that are in them.
_WORDS_FOR_KEYS = (
    *("amplitude", "project", "insert", "enter", "paste", "replace", "your", "here", "goes", "with"),
    *("put", "the", "api", "key", "my"),
)
# What templates leave of a variable that is not set.
_NO_KEYS = frozenset({"none", "null", "undefined", "changeme", "todo"})


def check_api_key(api_key: object) -> str:
    """The key, or that of the environment variable AMPLITUDE_API_KEY, without white space around it.

    Raises `ConfigurationError` with the one cause. The key never appears in a message.
    """
    whose = "the API key"
    if api_key is None:
        api_key, whose = os.environ.get("AMPLITUDE_API_KEY"), "the API key in AMPLITUDE_API_KEY"
        if api_key is None:
            raise ConfigurationError(
                'there is no API key: write init("YOUR_KEY"), or set AMPLITUDE_API_KEY in the environment; '
                "where nothing is to be sent, write enabled=False"
            )
    if not isinstance(api_key, str):
        raise ConfigurationError(f"{whose} must be a string, not {with_article(type(api_key).__name__)}")
    key = api_key.strip().removeprefix("\ufeff")
    if not key:
        raise ConfigurationError(
            f"{whose} is {'blank' if api_key else 'empty'}: copy it from the project's settings, "
            "or write enabled=False where nothing is to be sent"
        )
    if placeholder_warning(key):
        return key  # told by whoever uses it
    for place, letter in enumerate(key, start=1):
        if letter.isspace() or not (letter.isascii() and letter.isprintable()):
            what = "white space" if letter.isspace() else f"the character U+{ord(letter):04X}"
            raise ConfigurationError(
                f"{whose} holds {what} at position {place}, which no key does: "
                "copy it from the project's settings once more"
            )
    return key


def placeholder_warning(api_key: str) -> str:
    """What to tell of a key that stands for one in examples and templates; "" for any other."""
    letters = "".join(letter for letter in api_key.lower() if letter.isalnum())
    rest = letters
    for word in _WORDS_FOR_KEYS:
        rest = rest.replace(word, "")
    is_name = not rest and letters != "key"
    if not (is_name or letters in _NO_KEYS or letters == "x" * len(letters)):
        return ""
    return (
        "the API key is a placeholder, and Amplitude refuses it: write the key from the project's settings "
        "in its place, or set AMPLITUDE_API_KEY and write init() without a key"
    )
