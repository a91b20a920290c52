"""Reads a code base, and finds what to change, line by line. Nothing of it is imported or run."""

from __future__ import annotations

import ast
import os
import tokenize
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from antinode.cli.doctor.migration import official
from antinode.cli.doctor.migration.bindings import Bindings, bind, class_of, dotted
from antinode.cli.doctor.migration.mixpanel import MIXPANEL
from antinode.cli.doctor.migration.posthog import POSTHOG
from antinode.cli.doctor.migration.rules import Change, Given, Sdk
from antinode.cli.doctor.migration.segment import SEGMENT

SDKS: Final = (SEGMENT, POSTHOG, MIXPANEL)
_SKIPPED: Final = frozenset({"__pycache__", "node_modules", "site-packages", "venv", "build", "dist"})
_LARGEST_BYTES: Final = 5_000_000


@dataclass(frozen=True)
class Step:
    """One change to make."""

    path: str
    line: int
    column: int
    sdk: str
    found: str
    """The code as it is, in one line."""
    write: str
    """The code to write instead; empty where there is none."""
    note: str
    page: str


@dataclass(frozen=True)
class Unread:
    """A file that could not be read, and why."""

    path: str
    why: str


@dataclass(frozen=True)
class SourceScan:
    """What was found in a code base."""

    files: int
    steps: list[Step]
    unread: list[Unread]


def read(root: Path) -> SourceScan:
    """What to change below `root`, a directory or a file, in the order of files and lines."""
    trees: dict[Path, ast.Module] = {}
    unread: list[Unread] = []
    for path in _files(root):
        try:
            trees[path] = _parse(path)
        except (OSError, ValueError, SyntaxError, RecursionError, MemoryError) as error:
            unread.append(Unread(_shown(path, root), _reason(error)))
    sdks = _sdks(trees)
    shared = _shared(trees, root, sdks)
    steps: list[Step] = []
    for path, tree in trees.items():
        steps += _in_file(tree, _shown(path, root), bind(tree, sdks, shared), sdks)
    return SourceScan(len(trees), steps, unread)


def _files(root: Path) -> Iterator[Path]:
    if root.is_file():
        yield root
        return
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(
            each
            for each in folders
            if not each.startswith(".")
            and each not in _SKIPPED
            and not (Path(folder) / each / "pyvenv.cfg").exists()
        )
        yield from (Path(folder, name) for name in sorted(names) if name.endswith((".py", ".pyw")))


def _parse(path: Path) -> ast.Module:
    if path.stat().st_size > _LARGEST_BYTES:
        raise ValueError(f"larger than {_LARGEST_BYTES:,} bytes")
    with tokenize.open(path) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the code that is read
        return ast.parse(file.read(), str(path))


def _reason(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return f"not Python that this interpreter reads: {error.msg} (line {error.lineno})"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return str(error) or type(error).__name__


def _shown(path: Path, root: Path) -> str:
    return path.name if path == root else path.relative_to(root).as_posix()


def _sdks(trees: Iterable[Path]) -> tuple[Sdk, ...]:
    """The SDKs, without the old name of Segment's package where a module of the code base has it."""
    if any("analytics" in (path.stem, path.parent.name) for path in trees):
        return tuple(replace(sdk, packages=tuple(set(sdk.packages) - {"analytics"})) for sdk in SDKS)
    return SDKS


def _shared(trees: dict[Path, ast.Module], root: Path, sdks: Sequence[Sdk]) -> dict[str, Sdk]:
    """The clients that files have under names of their own, for those that import them."""
    shared: dict[str, Sdk] = {}
    for path, tree in trees.items():
        clients = bind(tree, sdks, {}).clients
        if clients:
            parts = list(path.with_suffix("").relative_to(root if path != root else root.parent).parts)
            module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            shared |= {f"{module}.{name}": sdk for name, sdk in clients.items() if "." not in name}
    return shared


def _in_file(tree: ast.Module, path: str, names: Bindings, sdks: Sequence[Sdk]) -> list[Step]:
    found: list[tuple[ast.AST, str, str, Change]] = []
    found += ((node, official.NAME, official.PAGE, change) for node, change in official.changes(tree))
    for node in ast.walk(tree):
        found += ((node, sdk.name, sdk.page, change) for sdk, change in _of_node(node, names, sdks))
    steps = [
        Step(path, *_place(node), sdk, _one_line(node), change.write, change.note, page)
        for node, sdk, page, change in found
    ]
    return sorted(steps, key=lambda step: (step.line, step.column))


def _place(node: ast.AST) -> tuple[int, int]:
    return getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + 1


def _one_line(node: ast.AST) -> str:
    return " ".join(ast.unparse(node).split())


def _of_node(node: ast.AST, names: Bindings, sdks: Sequence[Sdk]) -> Iterator[tuple[Sdk, Change]]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield from _of_import(node, sdks)
    elif isinstance(node, ast.Call):
        yield from _of_call(node, names)
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            yield from _of_setting(target, node.value, names)


def _of_import(node: ast.Import | ast.ImportFrom, sdks: Sequence[Sdk]) -> Iterator[tuple[Sdk, Change]]:
    modules: Sequence[str] = [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        if node.level:
            return
        modules = [f"{node.module}.{name}" for name in modules]
    for sdk in sdks:
        if any(
            module == each or module.startswith(f"{each}.") for module in modules for each in sdk.packages
        ):
            yield sdk, Change("import antinode")


def _of_call(node: ast.Call, names: Bindings) -> Iterator[tuple[Sdk, Change]]:
    made = class_of(names, node.func)
    if made is not None:
        sdk, kind = made
        call = sdk.clients[kind]
    else:
        name = dotted(node.func)
        if name is None:
            return
        owner, _, method = name.rpartition(".")
        found = names.functions.get(name)
        sdk_of = names.modules.get(owner) or names.clients.get(owner)
        if found is None and sdk_of is not None and method in sdk_of.calls:
            found = sdk_of, method
        if found is None:
            return
        sdk, method = found
        call = sdk.calls[method]
        if sdk.name == POSTHOG.name and method == "capture" and len(node.args) > 1:
            call = type(call)(("distinct_id", "event", *call.parameters[2:]), call.rule)  # as before 6.0
    given = Given(node, call.parameters)
    change = call.rule(given)
    if not given.is_whole and change.write:
        change = Change(
            change.write, "; ".join(filter(None, [change.note, "and what is spread into the call"]))
        )
    yield sdk, change


def _of_setting(target: ast.AST, value: ast.expr, names: Bindings) -> Iterator[tuple[Sdk, Change]]:
    name = dotted(target)
    if name is None:
        return
    owner, _, attribute = name.rpartition(".")
    sdk = names.modules.get(owner)
    setting = None if sdk is None else sdk.settings.get(attribute)
    if sdk is None or setting is None:
        return
    source = ast.unparse(value)
    if setting.option == "{}":
        yield sdk, Change(f"client = antinode.init({source})", setting.note)
    else:
        write = f"client = antinode.init(…, {setting.option.format(source)})" if setting.option else ""
        yield sdk, Change(write, setting.note)
