"""Numbers in the texts that people read agree with their nouns: `1 event`, `2 events`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCES = Path(__file__).parent.parent / "src" / "antinode"
NOUNS = [
    *(
        "cell",
        "character",
        "column",
        "connection",
        "event",
        "file",
        "key",
        "kind",
        "line",
        "outcome",
        "owner",
    ),
    *("property", "record", "request", "row", "segment", "type", "upload", "user", "value"),
]
SEVERAL = "|".join(noun.removesuffix("y") + "ies" if noun.endswith("y") else f"{noun}s" for noun in NOUNS)
BEFORE = "more |other |further |spool |damaged "
# "5,001 files, more than 5,000" and "31 events a second" are no sentences about one.
COUNTED = re.compile(rf"\A (?:{BEFORE})?(?:{SEVERAL})\b(?!, more than| a second| in 24 hours, more than)")


def texts(tree: ast.AST) -> Iterator[tuple[ast.FormattedValue, str]]:
    """Each value in an f-string, with the text that follows it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            for value, text in zip(node.values, node.values[1:], strict=False):
                if isinstance(value, ast.FormattedValue) and isinstance(text, ast.Constant):
                    yield value, str(text.value)


def is_never_one(value: ast.FormattedValue) -> bool:
    """Constants are known to be more than one."""
    return isinstance(value.value, ast.Name) and value.value.id.lstrip("_").isupper()


def wrong_texts(source: str) -> list[str]:
    """What a source says of a number as if it were never one."""
    tree = ast.parse(source)
    told = {id(each) for each in several(tree)}
    return [
        f"{ast.unparse(value.value)}{text[:20]}"
        for value, text in texts(tree)
        if COUNTED.match(text) and not is_never_one(value) and id(value) not in told
    ]


def several(tree: ast.AST) -> Iterator[ast.AST]:
    """What stands where a condition has ruled out the number 1."""
    for node in ast.walk(tree):
        if isinstance(node, ast.IfExp) and re.search(r"(== 1|> 1)$", ast.unparse(node.test)):
            yield from ast.walk(node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
            yield from ast.walk(node)


@pytest.mark.parametrize("path", sorted(SOURCES.rglob("*.py")), ids=lambda path: path.stem)
def test_a_number_agrees_with_its_noun(path: Path) -> None:
    """No text puts a plural behind a number that may be one; `counted` and `agreeing` say it right."""
    assert not wrong_texts(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("text", ['f"{n} events"', 'f"{len(a):,} more values"', 'f"took {a.n} properties"'])
def test_a_wrong_text_is_found(text: str) -> None:
    """The search finds what it is for."""
    assert wrong_texts(text)
