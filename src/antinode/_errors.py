"""The exceptions, by what a caller would do about them.

AntinodeError
├── ConfigurationError (also ValueError)  the call of `init` is wrong: mend it
├── EventError (also ValueError)          `strict=True` only: an event is wrong
│   └── MiddlewareError                   `strict=True` only: a middleware broke
└── DeletionError                         `forget` only, and defined there: ask Amplitude again
"""

from __future__ import annotations

from antinode._public import public


@public
class AntinodeError(Exception):
    """Anything that antinode raises on purpose."""


@public
class ConfigurationError(AntinodeError, ValueError):
    """An option of `init` has a wrong name, type or value. The message says what to write instead."""


@public
class EventError(AntinodeError, ValueError):
    """Under `strict=True`: an event was refused for what it contains."""


@public
class MiddlewareError(EventError):
    """Under `strict=True`: a middleware raised, so its event was not sent. `__cause__` is what it raised."""
