"""Public classes go by the name that users import them by, wherever their code lives."""

import typing

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import TypeVar

    Class = TypeVar("Class", bound=type)


def public(kind: "Class") -> "Class":
    """A class that says it is `antinode.X` in tracebacks and reprs, and is found there when it is unpickled.

    Its annotations that are texts are looked up here, since nobody could do so later: their names are those
    of the module that it is defined in. Those of a TypedDict are types already, and from Python 3.14 on its
    subclasses would lose what is written here.
    """
    if any(isinstance(each, str) for each in kind.__annotations__.values()) and not typing.is_typeddict(kind):
        hints = typing.get_type_hints(kind, include_extras=True)
        kind.__annotations__ = {name: hints[name] for name in kind.__annotations__}
    kind.__module__ = "antinode"
    return kind
