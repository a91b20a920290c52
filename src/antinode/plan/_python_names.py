"""Names and texts of a plan in Python's source: identifiers, literals and docstrings."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from typing import Final

_WIDTH: Final = 100


def identifiers(names: Iterable[str], make: Callable[[str], str], taken: frozenset[str]) -> dict[str, str]:
    """An identifier for each name, none twice, and none that is taken."""
    made: dict[str, str] = {}
    used: set[str] = set()
    # Those that are identifiers already keep their names.
    for name in sorted(names, key=lambda each: (make(each) != each, each)):
        wanted = identifier = f"{make(name)}_" if make(name) in taken else make(name)
        number = 2
        while identifier in used or identifier in taken:
            identifier = f"{wanted.rstrip('_')}_{number}"
            number += 1
        used.add(identifier)
        made[name] = identifier
    return made


def _words(name: str) -> list[str]:
    return re.findall(r"\w+", unicodedata.normalize("NFKC", name).replace("_", " "))


def class_name(name: str) -> str:
    """The name of a class: `Order Placed` is `OrderPlaced`."""
    made = "".join(word[:1].upper() + word[1:] for word in _words(name))
    return _safe(made, "Event")


def attribute(name: str) -> str:
    """The name of an attribute: its own where Python takes it."""
    if name.isidentifier() and unicodedata.normalize("NFKC", name) == name and not name.startswith("_"):
        return f"{name}_" if keyword.iskeyword(name) else name
    return _safe("_".join(_words(name)), "property").lstrip("_")


def is_attribute(name: str) -> bool:
    """Whether a class can have an attribute of exactly this name, which means the same everywhere."""
    is_plain = name.isidentifier() and unicodedata.normalize("NFKC", name) == name
    return is_plain and not keyword.iskeyword(name) and not name.startswith("__")


def _safe(made: str, prefix: str) -> str:
    """The name, if Python takes it; with a prefix or an underscore otherwise."""
    if keyword.iskeyword(made):
        return f"{made}_"
    if made.isidentifier():
        return made
    longer = f"{prefix}_{made}".rstrip("_")
    return longer if longer.isidentifier() else prefix


def docstring(text: str, margin: str, more: Iterable[str]) -> Iterator[str]:
    """A docstring that says this text, whatever it holds."""
    paragraphs = [_plain(text), *map(_plain, more)]
    if len(paragraphs) == 1 and len(paragraphs[0]) + len(margin) + 6 <= _WIDTH:
        yield f'{margin}"""{paragraphs[0]}"""'
        return
    yield f'{margin}"""{paragraphs[0]}'
    for paragraph in paragraphs[1:]:
        yield ""
        yield f"{margin}{paragraph}"
    yield f'{margin}"""'


def _plain(text: str) -> str:
    """Text for a docstring: on one line, what would end or change it escaped."""
    text = " ".join(text.split()).replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    text = _escaped(text)
    return text[:-1] + '\\"' if text.endswith('"') else text


def quoted(text: str) -> str:
    """A string literal, in double quotes."""
    return '"' + _escaped(text.replace("\\", "\\\\")).replace('"', '\\"') + '"'


def _escaped(text: str) -> str:
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
