"""A package's public names, each loaded from its module when it is first asked for (PEP 562).

`import antinode` then costs next to nothing where little of it is used: the command answers `--help` without
the client, and `antinode.server` gives what needs no web server without one.
"""

import sys
from importlib import import_module

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def exports(
    package: str, modules: "Mapping[str, str]"
) -> "tuple[Callable[[str], object], Callable[[], list[str]]]":
    """`__getattr__` and `__dir__` for `package`, whose public names are listed by the module they are from.

    A name that was asked for becomes an ordinary attribute: the next access costs what it always did.
    """
    where = {name: module for module, names in modules.items() for name in names.split()}

    def find(name: str) -> object:
        module = where.get(name)
        if module is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        try:
            value = getattr(import_module(module), name)
        except ImportError as error:
            if "loading in subinterpreters" not in str(error):
                raise
            raise ImportError(
                f"antinode cannot run in an interpreter that has a lock of its own ({error}): log from the "
                "main interpreter, or make this one with the lock shared"
            ) from error
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *where})

    return find, names
