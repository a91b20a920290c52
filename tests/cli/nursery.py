"""`antinode` in processes forked from one that has imported it: real ones, without waiting for imports."""

from __future__ import annotations

import atexit
import functools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.cli.reading import environment


class Ended(NamedTuple):
    """How a command ended and what it wrote."""

    returncode: int
    stdout: str
    stderr: str


def run(*arguments: str, **more: str) -> Ended:
    """As `reading.run`, to its end; standard input is empty."""
    nursery = _nursery()
    assert nursery.stdin is not None
    assert nursery.stdout is not None
    with tempfile.TemporaryDirectory() as name:
        out, err = Path(name, "out"), Path(name, "err")
        asked = {"arguments": arguments, "out": str(out), "err": str(err), "environment": environment(**more)}
        nursery.stdin.write(json.dumps(asked) + "\n")
        nursery.stdin.flush()
        answer = nursery.stdout.readline()
        assert answer, "the process from which commands are forked has died"
        return Ended(int(answer), out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8"))


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
    import antinode.cli.replay.command
    import antinode.cli.spool.cat
    import antinode.cli.spool.drain
    import antinode.cli.spool.ls
    import antinode.cli.spool.verify
    import antinode.delivery.transport  # noqa: F401 - each of these is for the children

    for line in sys.stdin:
        child = os.fork()
        if not child:
            _become(**json.loads(line))
            return
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _become(arguments: list[str], out: str, err: str, environment: dict[str, str]) -> None:
    from antinode.cli import main

    for number, path in enumerate((os.devnull, out, err)):
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[1:] = arguments
    main()


if __name__ == "__main__":
    _serve()
