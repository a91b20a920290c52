"""`antinode` in processes forked from one that has imported it: real ones, without waiting for imports."""

from __future__ import annotations

import atexit
import functools
import importlib
import json
import os
import pkgutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import antinode._delivery
import antinode._importing
import antinode._spool
import antinode.cli
from tests.cli.reading import COMMAND, environment


class Ended(NamedTuple):
    """How a command ended and what it wrote."""

    returncode: int
    stdout: str
    stderr: str


def run(*arguments: str, stdin: str = "", cwd: Path | None = None, **more: str) -> Ended:
    """As `reading.run`, to its end."""
    if not hasattr(os, "fork"):
        done = subprocess.run(
            [*COMMAND, *arguments],
            input=stdin,
            cwd=cwd,
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
            encoding="utf-8",
            env=environment(**{"PYTHONPATH": os.pathsep.join(each for each in sys.path if each)} | more),
        )
        return Ended(done.returncode, done.stdout, done.stderr)
    nursery = _nursery()
    assert nursery.stdin is not None
    assert nursery.stdout is not None
    with tempfile.TemporaryDirectory() as name:
        given, out, err = Path(name, "in"), Path(name, "out"), Path(name, "err")
        given.write_text(stdin, encoding="utf-8")
        asked = {
            "arguments": arguments,
            "streams": [str(given), str(out), str(err)],
            "cwd": str(cwd or Path.cwd()),
            "environment": environment(**more),
        }
        nursery.stdin.write(json.dumps(asked) + "\n")
        nursery.stdin.flush()
        answer = nursery.stdout.readline()
        assert answer, "the process from which commands are forked has died"
        # Bytes, so that a carriage return is told from the end of a line.
        return Ended(int(answer), out.read_bytes().decode("utf-8"), err.read_bytes().decode("utf-8"))


@functools.cache
def _nursery() -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.cli.nursery"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(PYTHONIOENCODING="utf-8"),
    )
    atexit.register(process.communicate)  # the end of its input is its end
    return process


def _serve() -> None:
    _load()
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _become(**json.loads(line))
            return
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _load() -> None:
    """Import what the commands import when they run."""
    for package in (antinode.cli, antinode._importing, antinode._delivery, antinode._spool):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)


def _become(arguments: list[str], streams: list[str], cwd: str, environment: dict[str, str]) -> None:
    from antinode.cli import main

    for number, path in enumerate(streams):
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(file, number)
        os.close(file)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[1:] = arguments
    main()


if __name__ == "__main__":
    _serve()
