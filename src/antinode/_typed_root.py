"""What typed events are below to type checkers.

A module of its own, as pyright takes the last declaration of what is imported, and both of what is not.
"""

from typing import Any

# True to mypy, to which an event has to be as good as an `EventDict`: a base of the type Any says so. Pyright
# has overloads, and would check no constructor below such a base.
MYPY = False
if MYPY:
    _Anything: Any = object

    class TypedRoot(_Anything):  # type: ignore[misc]
        """What is taken wherever an `EventDict` is."""
else:

    class TypedRoot:
        """A base with nothing in it."""

        __slots__ = ()
