"""Runs small programs that use antinode, as processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import dataclass

KEY = "0123456789abcdef0123456789abcdef"

# Far above what any of these programs takes: reaching it means that the process hangs.
HANGS_AFTER = 120.0
DIES_WITHIN = 30.0

_PRELUDE = """
import sys, time
URL, KEY = sys.argv[1], sys.argv[2]

def idle():
    # Not signal.pause(): it would sleep through a signal that comes just before it.
    time.sleep(0.01)

def event(seq, user="user-1"):
    return {"event_type": "Tick", "user_id": user, "event_properties": {"seq": seq}}

def say(*words):
    sys.stdout.write(" ".join(map(str, words)) + "\\n")
    sys.stdout.flush()

"""


@dataclass(frozen=True)
class Ended:
    """How a program ended and what it wrote."""

    status: int
    output: str
    errors: str

    @property
    def lines(self) -> list[str]:
        return self.output.splitlines()


def start(
    program: str, url: str = "http://127.0.0.1:9/2/httpapi", *, bare: bool = False
) -> subprocess.Popen[str]:
    """Start a program. It finds `URL`, `KEY`, `event`, `say` and `idle` defined, unless `bare`."""
    text = ("import sys; URL, KEY = sys.argv[1:]\n" if bare else _PRELUDE) + textwrap.dedent(program)
    # A fork of a process with threads is warned about from Python 3.12 on; here it is the subject.
    options = ["-W", "error", "-W", "ignore:This process:DeprecationWarning"]
    return subprocess.Popen(
        [sys.executable, *options, "-c", text, url, KEY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONFAULTHANDLER": "1"},
    )


def finish(process: subprocess.Popen[str], timeout: float = HANGS_AFTER) -> Ended:
    """Wait for the end of a program; one that hangs is shown by its threads' stacks."""
    try:
        output, errors = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        # Its whole session: a child that hangs keeps the pipes open, and one may be deaf to the first signal.
        os.killpg(process.pid, signal.SIGABRT)
        try:
            output, errors = process.communicate(timeout=DIES_WITHIN)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, errors = process.communicate(timeout=DIES_WITHIN)
        raise AssertionError(f"the process hangs:\n{output[-2000:]}\n{errors[-6000:]}") from None
    return Ended(process.returncode, output, errors)


def run(
    program: str,
    url: str = "http://127.0.0.1:9/2/httpapi",
    *,
    bare: bool = False,
    timeout: float = HANGS_AFTER,
) -> Ended:
    """Start a program and wait for its end."""
    return finish(start(program, url, bare=bare), timeout)


def sequence(events: list[dict[str, object]], user: str = "user-1") -> list[int]:
    """The sequence numbers of a user's events, in order of acceptance."""
    return [each["event_properties"]["seq"] for each in events if each["user_id"] == user]  # type: ignore[index]
