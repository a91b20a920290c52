"""The package and its users' code under a strict type checker, for the oldest and the newest Python."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("version", ["3.10", "3.14"])
def test_package_and_usage_type_check(version):
    """The package is strictly typed, right usage passes, and each marked misuse is an error."""
    usage = ["tests/typing/usage_ok.py", "tests/typing/usage_bad.py"]
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", ".mypy_cache"]
    checked = subprocess.run(
        [*command, "--python-version", version, "src/antinode", *usage],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_pyright_names_a_misspelt_key(tmp_path):
    """In an editor, a key of a literal that is none of an event's is named; what is right passes."""
    usage = tmp_path / "usage.py"
    usage.write_text(
        "import antinode\n"
        'antinode.log_event({"event_type": "Song Played", "evnt_properties": {}})\n'
        'antinode.get_instance().log_event({"event_type": "Song Played", "userid": "user-20391"})\n'
        'antinode.log_event({"event_type": "Song Played", "groups": {"label": ["Columbia"]}})\n'
        'antinode.log_event(antinode.Event("Song Played"))\n'
    )
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, str(usage)]
    checked = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert '"evnt_properties" is an undefined item in type "EventDict"' in checked.stdout, checked.stdout
    assert '"userid" is an undefined item in type "EventDict"' in checked.stdout
    assert ":4:" not in checked.stdout
    assert ":5:" not in checked.stdout
