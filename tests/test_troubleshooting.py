"""docs/troubleshooting.md: each message that it explains is one that antinode says."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
ANY = "…"


def rows() -> Iterator[tuple[str, str]]:
    """Each message in the first column of the tables of messages, with its section."""
    for section in PAGE.split("\n## ")[2:]:
        title = section.partition("\n")[0]
        for line in section.splitlines():
            if line.startswith("| `"):
                for message in re.findall(r"`([^`]+)`", line.split(" | ")[0]):
                    yield title, message


def texts(node: ast.AST) -> str:
    """What a literal says, with `…` for what differs."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(texts(value) if isinstance(value, ast.Constant) else ANY for value in node.values)
    return ANY


@cache
def said() -> str:
    """Every text in the package, one a line, without the marks around names."""
    found = [
        texts(node)
        for path in sorted((ROOT / "src" / "antinode").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))
    ]
    return "\n".join(found).replace("`", "")


@pytest.mark.parametrize(("section", "message"), list(rows()))
def test_each_message_is_one_of_ours(section: str, message: str) -> None:
    """Word for word, but for what differs; and there is enough of it to be found by."""
    parts = [part for part in re.split(rf"{ANY}|; |: |\(|\)", message) if len(part.strip()) > 3]
    assert max(map(len, parts)) >= 8
    for part in parts:
        assert part.strip(" ,") in said(), f"{section}: nobody says {part!r}"


def lines_of_delivery() -> Iterator[str]:
    """What the core and its shell tell at WARNING or ERROR in words of their own."""
    for path in sorted((ROOT / "src" / "antinode" / "_delivery").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and len(node.args) == 3:
                level, _, text = map(texts, node.args)
                if level in ("WARNING", "ERROR") and len(text) > 12:
                    yield text.replace("`", "")


@pytest.mark.parametrize("line", sorted(set(lines_of_delivery())))
def test_each_line_of_delivery_is_explained(line: str) -> None:
    """Whoever searches the page for the words of a line finds them."""
    part = max(re.split(rf"{ANY}|; |: ", line), key=len).strip(" ,")
    assert part in PAGE.replace("`", "")
