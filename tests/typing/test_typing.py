"""What type checkers say of a misspelt key; `make check` has mypy read the usages beside this file."""

import ast
import itertools
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


USAGE = """import antinode
antinode.log_event({"event_type": "Song Played", "evnt_properties": {}})
antinode.get_instance().log_event({"event_type": "Song Played", "userid": "user-20391"})
antinode.log_event({"event_type": "Song Played", "user_id": 20391})
antinode.log_event({"event_type": "Song Played", "groups": {"label": ["Columbia"]}})
antinode.log_event(antinode.Event("Song Played"))
event: antinode.EventDict = {"event_type": "Song Played"}
event["user_id"] = "user-20391"
antinode.log_event(event)
made = {"event_type": "Song Played", "user_id": "user-20391"}
antinode.log_event(made)
"""


def checked(tmp_path, *command):
    """What a checker prints of `USAGE`."""
    usage = tmp_path / "usage.py"
    usage.write_text(USAGE)
    command = [sys.executable, "-m", *command, str(usage)]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout


def wrong_lines(printed):
    return sorted({int(number) for number in re.findall(r"usage\.py:(\d+):", printed)})


def test_pyright_names_a_misspelt_key(tmp_path):
    """In an editor, a key of a literal that is none of an event's is named; what is right passes."""
    printed = checked(tmp_path, "pyright", "--pythonpath", sys.executable)
    assert '"evnt_properties" is an undefined item in type "EventDict"' in printed, printed
    assert '"userid" is an undefined item in type "EventDict"' in printed
    assert wrong_lines(printed) == [2, 3, 4, 11]


def test_mypy_names_a_misspelt_key(tmp_path):
    """So does mypy, in the instance's method and in the module's function."""
    printed = checked(
        tmp_path, "mypy", "--strict", "--cache-dir", str(ROOT / ".mypy_cache"), "--python-version", "3.10"
    )
    assert 'usage.py:2: error: Extra key "evnt_properties" for TypedDict "EventDict"' in printed, printed
    assert 'usage.py:3: error: Extra key "userid" for TypedDict "EventDict"' in printed
    assert 'TypedDict item "user_id" has type "str"' in printed
    assert wrong_lines(printed) == [2, 3, 4, 11]


@pytest.mark.parametrize(("file", "name"), [("_options.py", "OptionsDict"), ("_events.py", "EventDict")])
def test_every_key_is_explained(file, name):
    """Each key of the dicts that users write carries a docstring, which an editor shows."""
    tree = ast.parse((ROOT / "src" / "antinode" / file).read_text(encoding="utf-8"))
    (body,) = [each.body for each in tree.body if isinstance(each, ast.ClassDef) and each.name == name]
    explained = {
        key.target.id
        for key, text in itertools.pairwise(body)
        if isinstance(key, ast.AnnAssign) and isinstance(text, ast.Expr)
    }
    assert explained == {each.target.id for each in body if isinstance(each, ast.AnnAssign)}
