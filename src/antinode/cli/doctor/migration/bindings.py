"""Which names of a file stand for an SDK, its classes, its functions, or its clients."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from antinode.cli.doctor.migration.rules import Sdk


@dataclass
class Bindings:
    """What was found in one file. The keys are as the code spells them: `mp`, `self.mp`, `settings.mp`."""

    modules: dict[str, Sdk] = field(default_factory=dict)
    classes: dict[str, tuple[Sdk, str]] = field(default_factory=dict)
    functions: dict[str, tuple[Sdk, str]] = field(default_factory=dict)
    clients: dict[str, Sdk] = field(default_factory=dict)


def dotted(node: ast.AST) -> str | None:
    """The source of a name or an attribute; None for what is neither."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = dotted(node.value)
        return None if inner is None else f"{inner}.{node.attr}"
    return None


def bind(tree: ast.Module, sdks: Iterable[Sdk], shared: Mapping[str, Sdk]) -> Bindings:
    """The names of a file. `shared` are clients that other files have, by module and name."""
    found = Bindings()
    sdks = tuple(sdks)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                _bind_import(found, alias, sdks)
        elif isinstance(node, ast.ImportFrom):
            _bind_from(found, node, sdks, shared)
    for node in ast.walk(tree):
        for target, sdk in _made(found, node):
            if (name := dotted(target)) is not None:
                found.clients[name] = sdk
    return found


def _bind_import(found: Bindings, alias: ast.alias, sdks: Iterable[Sdk]) -> None:
    for sdk in sdks:
        if alias.name in sdk.packages:
            found.modules[alias.asname or alias.name] = sdk


def _bind_from(found: Bindings, node: ast.ImportFrom, sdks: Iterable[Sdk], shared: Mapping[str, Sdk]) -> None:
    module = node.module or ""
    for alias in node.names:
        name, bound = alias.name, alias.asname or alias.name
        for sdk in sdks:
            if f"{module}.{name}" in sdk.packages:
                found.modules[bound] = sdk
            elif any(module == each or module.startswith(f"{each}.") for each in sdk.packages):
                if name in sdk.clients:
                    found.classes[bound] = sdk, name
                elif name in sdk.calls:
                    found.functions[bound] = sdk, name
        # A relative import names the end of the module alone.
        for place, sdk in shared.items():
            where, _, client = place.rpartition(".")
            if client == name and module and f".{where}".endswith(f".{module}"):
                found.clients[bound] = sdk


def class_of(found: Bindings, node: ast.AST) -> tuple[Sdk, str] | None:
    """The class of an SDK that an expression names."""
    name = dotted(node)
    if name is None:
        return None
    if name in found.classes:
        return found.classes[name]
    module, _, attribute = name.rpartition(".")
    sdk = found.modules.get(module)
    return (sdk, attribute) if sdk is not None and attribute in sdk.clients else None


def _made(found: Bindings, node: ast.AST) -> Iterator[tuple[ast.AST, Sdk]]:
    """What a statement binds to a client: by making one, or by saying that it is one."""
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
        made = class_of(found, node.value.func)
        if made is not None:
            yield from ((target, made[0]) for target in node.targets)
    elif isinstance(node, ast.AnnAssign):
        made = class_of(found, node.annotation) or (
            class_of(found, node.value.func) if isinstance(node.value, ast.Call) else None
        )
        if made is not None:
            yield node.target, made[0]
    elif isinstance(node, ast.withitem) and isinstance(node.context_expr, ast.Call):
        made = class_of(found, node.context_expr.func)
        if made is not None and node.optional_vars is not None:
            yield node.optional_vars, made[0]
    elif isinstance(node, ast.arg) and node.annotation is not None:
        made = class_of(found, node.annotation)
        if made is not None:
            yield ast.Name(node.arg), made[0]
