"""The wheel holds everything that the installed package needs, the page's files too."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src"

SERVE_THE_PAGE = """
import sys, urllib.request
import antinode
from antinode.server import running

def get(url):
    with urllib.request.urlopen(url, timeout=120) as answer:
        return answer.read()

with running() as server:
    for path in ["/", *sys.argv[1:]]:
        assert get(server.url + path), path
print(antinode.__file__)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the wheel, just built, is unpacked: what an installer does with a pure wheel."""
    place = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(place)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = place.glob("antinode-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place / "site")
    return place / "site"


def is_for_another_python(path: Path) -> bool:
    """A compiled part of another interpreter, built in the same checkout."""
    return path.name.startswith("_native.") and not path.name.endswith(sysconfig.get_config_var("EXT_SUFFIX"))


def files_below(place: Path) -> set[str]:
    return {
        path.relative_to(place).as_posix()
        for path in place.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not is_for_another_python(path)
    }


def test_the_wheel_holds_every_file_of_the_package(installed: Path) -> None:
    """Modules, `py.typed`, the page and what it is made of: nothing is left out, and nothing else put in."""
    assert files_below(installed / "antinode") == files_below(SOURCE / "antinode")


def test_the_wheel_serves_the_page(installed: Path) -> None:
    """Away from the checkout, the server serves its page and all that the page names."""
    page = (installed / "antinode" / "server" / "page" / "index.html").read_text("utf-8")
    named = re.findall(r"""(?:src|href)="(/?[\w./-]+)\"""", page)
    done = subprocess.run(
        [sys.executable, "-c", SERVE_THE_PAGE, *(path if path[0] == "/" else f"/{path}" for path in named)],
        cwd=installed,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )

    assert named
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_relative_to(installed)
