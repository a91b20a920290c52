"""YAML and JSON into values, with the line of each: bounded, whatever the text says.

Of YAML the core schema of version 1.2 is read: `no` and `on` are texts, as people mean them, and dates too.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from antinode.plan._errors import PlanError

if TYPE_CHECKING:
    from yaml import Node

Path: TypeAlias = "tuple[str | int, ...]"
Lines: TypeAlias = "dict[Path, int]"

MAX_BYTES: Final = 16 * 1024 * 1024
_MOST_VALUES: Final = 300_000
_MOST_LAYERS: Final = 60
_CORE: Final = (
    ("null", r"~|null|Null|NULL|", "~nN\0"),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+|0x[0-9a-fA-F]+|0o[0-7]+", "-+0123456789"),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", "-+.0123456789"),
)


def load_json(text: str) -> Any:
    """Raises PlanError."""
    try:
        return json.loads(text, object_pairs_hook=_without_twins, parse_constant=_no_number)
    except RecursionError:
        raise PlanError("it is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise PlanError(f"line {error.lineno}: this is no JSON: {error.msg}") from None


def _no_number(text: str) -> Any:
    raise PlanError(f"{text} is no number in JSON")


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in pairs:
        if key in made:
            raise PlanError(f"`{key:.60}` is there twice: keep one of them")
        made[key] = value
    return made


def load_yaml(text: str) -> tuple[Any, Lines]:
    """The one document of a text, and the line of each value by its path. Raises PlanError."""
    try:
        import yaml  # noqa: PLC0415 - an extra, needed for YAML only
    except ModuleNotFoundError:
        raise PlanError(
            'a plan in YAML needs its extra: pip install "antinode[plan]", or write it as JSON'
        ) from None

    class Loader(yaml.SafeLoader):
        yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - as yaml has it

    for tag, pattern, first in _CORE:
        Loader.add_implicit_resolver(
            f"tag:yaml.org,2002:{tag}",
            re.compile(f"^(?:{pattern})$"),
            [each if each != "\0" else "" for each in first],
        )
    try:
        loader = Loader(text)
        try:
            node = loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        at = f"line {error.problem_mark.line + 1}: " if error.problem_mark is not None else ""
        raise PlanError(f"{at}this is no YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise PlanError(f"this is no YAML: {error}") from None
    except RecursionError:
        raise PlanError("it is nested too deeply") from None
    reading = _Reading()
    return (None if node is None else reading.value(node, ())), reading.lines


class _Reading:
    """Nodes into values. Where aliases unfold to more than a plan can be, it stops."""

    def __init__(self) -> None:
        self.lines: Lines = {}
        self._values = 0

    def value(self, node: Node, path: Path) -> Any:
        line = node.start_mark.line + 1
        self.lines.setdefault(path, line)
        self._values += 1
        if self._values > _MOST_VALUES:
            raise PlanError(f"line {line}: its aliases (`*name`) unfold to more than a plan can be")
        if len(path) > _MOST_LAYERS:
            raise PlanError(f"line {line}: it is nested too deeply, or an alias stands within its own anchor")
        kind = node.tag.removeprefix("tag:yaml.org,2002:")
        if kind == "map" and isinstance(node.value, list):
            return self._mapping(node, path)
        if kind == "seq" and isinstance(node.value, list):
            return [self.value(each, (*path, at)) for at, each in enumerate(node.value)]
        if isinstance(node.value, str):
            return self._scalar(kind, node.value, line)
        raise PlanError(f"line {line}: the tag {node.tag:.60} is not taken: leave it out")

    def _mapping(self, node: Node, path: Path) -> dict[str, Any]:
        made: dict[str, Any] = {}
        shared: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node.value, str):
                raise PlanError(f"line {line}: a key must be text")
            key = key_node.value
            if key == "<<" and key_node.style is None:
                held = self.value(value_node, (*path, key))
                for each in held if isinstance(held, list) else [held]:
                    if not isinstance(each, dict):
                        raise PlanError(f"line {line}: `<<` takes the alias of a mapping")
                    shared = {**each, **shared}
                continue
            if key in made:
                raise PlanError(f"line {line}: `{key:.60}` is there twice: keep one of them")
            at = (*path, key)
            self.lines[at] = line
            made[key] = self.value(value_node, (*path, key))
        return {**shared, **made} if shared else made

    @staticmethod
    def _scalar(kind: str, text: str, line: int) -> Any:
        if kind == "str":
            return text
        if kind == "null":
            return None
        if kind == "bool":
            return text.lower() == "true"
        try:
            if kind == "int":
                return int(text, 0) if text[:2] in ("0x", "0o") else int(text)
            if kind == "float":
                return float(text)
        except ValueError:
            raise PlanError(f"line {line}: {text:.60} is no number") from None
        raise PlanError(f"line {line}: the tag !!{kind:.60} is not taken: leave it out")
