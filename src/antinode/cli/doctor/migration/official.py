"""`amplitude-analytics`, whose code stays but for its imports."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final

from antinode.cli.doctor.migration.rules import Change

NAME: Final = "amplitude-analytics"
PAGE: Final = "docs/migrating.md"

_MODULES: Final = frozenset(
    {
        *("client", "config", "constants", "event", "exception", "http_client", "plugin", "storage"),
        *("timeline", "utils", "worker"),
    }
)
_GONE: Final = "the part of it that sends is antinode's own, and has no counterpart to import"
_LIBRARIES: Final = ("amplitude_experiment", "amplitude_ai", "amplitude_mcp_analytics")
_NAMED: Final = re.compile(r"amplitude\.(" + "|".join(sorted(_MODULES | {"processor"})) + r")\b[\w.]*")


def changes(tree: ast.Module) -> Iterator[tuple[ast.AST, Change]]:
    """What to change in a file, place by place."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not node.level:
            yield from ((node, change) for change in _from(node))
        elif isinstance(node, ast.Import):
            yield from ((node, change) for change in _plain(node))
        elif isinstance(node, ast.Call):
            yield from ((each, change) for each, change in _in_call(node))


def _from(node: ast.ImportFrom) -> Iterator[Change]:
    module = node.module or ""
    if module.partition(".")[0] in _LIBRARIES:
        yield _install(module)
    if module != "amplitude" and not module.startswith("amplitude."):
        return
    part = module.partition(".")[2]
    names = {alias.name for alias in node.names}
    if part == "processor" or (part == "worker" and "Workers" in names):
        yield Change(note=_GONE)
    elif not part or part in _MODULES:
        ours = ast.ImportFrom(f"antinode.{module}", node.names, 0)
        yield Change(ast.unparse(ours))


def _plain(node: ast.Import) -> Iterator[Change]:
    for alias in node.names:
        if alias.name.partition(".")[0] in _LIBRARIES:
            yield _install(alias.name)
        elif alias.name == "amplitude":
            yield Change(f"import antinode.amplitude as {alias.asname or 'amplitude'}")
        elif alias.name.startswith("amplitude."):
            renamed = f"import antinode.{alias.name}" + (f" as {alias.asname}" if alias.asname else "")
            yield Change(renamed, "" if alias.asname else "and its uses")


def _install(module: str) -> Change:
    return Change(
        "import antinode.amplitude; antinode.amplitude.install()",
        f"before anything imports {module.partition('.')[0]}, which imports amplitude itself",
    )


def _in_call(node: ast.Call) -> Iterator[tuple[ast.AST, Change]]:
    for keyword in node.keywords:
        is_none = isinstance(keyword.value, ast.Constant) and keyword.value.value is None
        if keyword.arg == "storage_provider" and not is_none:
            note = "events that must outlive the process: storage=DIRECTORY; refused ones: dead_letters=FILE"
            yield keyword.value, Change(note=f"storage_provider is refused. {note}")
    for argument in node.args:
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            match = _NAMED.fullmatch(argument.value)
            if match and match[1] == "processor":
                yield argument, Change(note=_GONE)
            elif match:
                yield argument, Change(repr(f"antinode.{argument.value}"))
