"""What antinode depends on is declared with the least version that it works with."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests import conftest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PYPROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))
EXTRAS = {
    name: needs for name, needs in PYPROJECT["project"]["optional-dependencies"].items() if name != "dev"
}


@pytest.mark.parametrize("extra", [None, *EXTRAS])
def test_each_dependency_has_a_minimum(extra: str | None) -> None:
    """Only the time zones, of which any release does, and antinode's own extras have none."""
    needs = PYPROJECT["project"]["dependencies"] if extra is None else EXTRAS[extra]
    open_ended = [need for need in needs if ">=" not in need and not re.match(r"(antinode\[|tzdata\b)", need)]
    assert open_ended == []


def test_setuptools_is_the_same_for_builds_and_tests() -> None:
    """The compiled parts are built with the setuptools that the tests run with, or a later one."""
    (declared,) = (need for need in PYPROJECT["build-system"]["requires"] if need.startswith("setuptools"))
    assert declared in PYPROJECT["project"]["optional-dependencies"]["dev"]


def test_marked_rooms_exist() -> None:
    """A room or module that was renamed does not silently lose its marker."""
    gone = [
        name for names in conftest.MARKED.values() for name in names if not (conftest.TESTS / name).exists()
    ]
    assert gone == []
