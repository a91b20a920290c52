"""A command on a terminal of its own, as a person has it in front of them."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import threading
import time
from types import TracebackType

import pytest

from tests.cli.reading import COMMAND, environment

pty = pytest.importorskip("pty")
_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07")


class Screen:
    """Runs the command on a pseudo-terminal and reads what is written on it."""

    def __init__(self, *arguments: str, columns: int = 100, **more: str) -> None:
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment(TERM="xterm-256color", COLUMNS=str(columns), LINES="40", **more),
            start_new_session=True,
        )
        os.close(theirs)
        self._deadline = threading.Timer(60, self.process.kill)
        self._deadline.daemon = True
        self._deadline.start()
        self.raw = ""

    def __enter__(self) -> Screen:
        return self

    @property
    def text(self) -> str:
        """What was written, without colours and movements."""
        return _CODES.sub("", self.raw).replace("\r\n", "\n")

    def until(self, wanted: str, within_s: float = 30.0) -> str:
        """Reads on until the text holds what is wanted."""
        end = time.monotonic() + within_s
        while wanted not in self.text:
            readable, _, _ = select.select([self._ours], [], [], max(0.0, end - time.monotonic()))
            if not readable or not self._read():
                raise AssertionError(f"no {wanted!r} in {self.text!r}")
        return self.text

    def interrupt(self) -> None:
        """Ctrl-C."""
        os.killpg(self.process.pid, signal.SIGINT)

    def end(self) -> int:
        """Reads to the end; the exit code."""
        while self._read():
            pass
        return self.process.wait(120)

    def _read(self) -> bool:
        piece = b""
        with contextlib.suppress(OSError):  # the way a terminal says that the other side has closed it
            piece = os.read(self._ours, 65536)
        self.raw += piece.decode("utf-8", "replace")
        return bool(piece)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._deadline.cancel()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(120)
        os.close(self._ours)
