"""The demo keeps its promise, told in plain lines where there is no terminal."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

DEMO = Path(__file__).parent.parent / "examples" / "demo.py"


def run(*options: str, encoding: str = "utf-8") -> subprocess.CompletedProcess[bytes]:
    """The demo's output and exit status, without a terminal."""
    return subprocess.run(
        [sys.executable, DEMO, *options],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONWARNINGS": "error"},
        timeout=170,
    )


def test_every_event_arrives_once_and_in_order_through_the_accidents() -> None:
    """With accidents on the way, every event arrives exactly once, in order per user; exit status 0."""
    done = run("--fast")
    lines = done.stdout.decode().splitlines()

    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    assert done.stderr == b""
    assert [line[0] for line in lines[-4:]] == ["✓"] * 4
    assert lines[-4] == "✓ 9,030 of 9,030 events arrived"
    assert lines[-3].startswith("✓ each exactly once per insert_id")
    assert lines[-2] == "✓ in order for 175 of 175 users"
    assert lines[-1] == (
        "✓ the books balance: 9,030 accepted = 9,030 delivered + 0 rejected + 0 dropped + 0 pending"
    )
    answers = next(line for line in lines if line.startswith("The server's answers"))
    assert all(kind in answers for kind in ("200: ", "413: ", "500: ", "503: ", "connection cut: "))


def test_lines_without_a_terminal_hold_no_control_codes() -> None:
    """Piped output is plain lines, and ASCII alone where the encoding has no more."""
    done = run("--fast", "--no-faults", "--events", "500", encoding="ascii")

    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    assert b"\x1b" not in done.stdout
    assert b"\r" not in done.stdout
    assert b"ok 500 of 500 events arrived" in done.stdout


def test_a_terminal_is_drawn_on() -> None:
    """In a terminal the progress is a picture that is drawn again, and the verdict stands below it."""
    pty = pytest.importorskip("pty")
    pytest.importorskip("rich")
    ours, theirs = pty.openpty()
    command = [sys.executable, str(DEMO), "--fast", "--no-faults", "--events", "500"]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8", "TERM": "xterm", "COLUMNS": "80"}
    with subprocess.Popen(command, stdout=theirs, env=environment) as process:
        os.close(theirs)
        drawn = b""
        with contextlib.suppress(OSError):  # the way a terminal says that the other side has closed it
            while chunk := os.read(ours, 65536):
                drawn += chunk
    os.close(ours)
    text = drawn.decode()

    assert process.returncode == 0, text
    assert "\x1b[" in text
    assert all(name in text for name in ("logged", "delivered", "answers"))
    assert "✓ 500 of 500 events arrived" in text
