"""Which code runs: the compiled parts, where there are any, or what they are twins of, in Python.

`ANTINODE_PURE_PYTHON=1` does without them.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import Any, Final, TypeVar

_T = TypeVar("_T", bound=Callable[..., Any])

REVISION: Final = 11
"""Of what the two sides have agreed on; `native/module.c` has the same."""

IN_PYTHON: Final[dict[str, Any]] = {}
"""The functions and classes that have twins, by name: as they are in Python, which is the reference."""


def _load() -> tuple[Any, str]:
    """The module of the compiled parts, or None and why not."""
    if os.environ.get("ANTINODE_PURE_PYTHON"):
        return None, f"ANTINODE_PURE_PYTHON={os.environ['ANTINODE_PURE_PYTHON']}"
    try:
        module: Any = importlib.import_module("antinode._native")
    except ModuleNotFoundError:
        return None, "this installation has no compiled parts for this platform"
    except ImportError as error:
        return None, f"the compiled parts cannot be loaded ({error})"
    if getattr(module, "REVISION", None) != REVISION:
        return None, "the compiled parts are of another version; install antinode again"
    return module, ""


native, why_python = _load()


def give_up(why: object) -> None:
    """Go on in Python from here on, since the compiled parts do not fit what they found."""
    global native, why_python
    native, why_python = None, str(why)


def describe() -> str:
    """What runs, for a reader: `compiled`, or `Python` and why."""
    return "compiled" if native is not None else f"Python: {why_python}"


def compiled(python: _T) -> _T:
    """The compiled twin of the function or class that is decorated, if there is one at all."""
    return twin(python.__name__, python)


def slot(owner: type, name: str) -> Any:
    """A slot's descriptor, by which compiled code finds it where it lies. AttributeError if there is none."""
    return getattr(owner, name)


def twin(name: str, python: _T) -> _T:
    """The same, of a name."""
    IN_PYTHON[name] = python
    if native is None:
        return python
    chosen: _T = getattr(native, name)
    return chosen
