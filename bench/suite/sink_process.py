"""The sink in a process of its own, and a server that never answers."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any, cast

ROOT = Path(__file__).resolve().parents[2]


class SinkProcess:
    """Starts the sink on entry and ends it on exit."""

    def __init__(
        self, *, latency: float = 0.0, keep: bool = False, hold: bool = False, certificate: str = ""
    ) -> None:
        self._scheme = "https" if certificate else "http"
        self._command = [sys.executable, "-m", "bench.suite.sink", "--latency", str(latency)]
        self._command += ["--keep"] if keep else []
        self._command += ["--hold"] if hold else []
        self._command += ["--certificate", certificate] if certificate else []

    def __enter__(self) -> SinkProcess:
        self._process = subprocess.Popen(  # noqa: S603 - our own
            self._command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        host = "localhost" if self._scheme == "https" else "127.0.0.1"
        self.url = f"{self._scheme}://{host}:{self._read()['port']}"
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.communicate()

    def stats(self) -> dict[str, Any]:
        """Events, requests and bytes that have arrived, and the sink's CPU time."""
        answer: dict[str, Any] = self._ask("stats")
        return answer

    def arrivals(self) -> list[tuple[int, int]]:
        """(row, monotonic nanoseconds) of each event; needs `keep`."""
        return [(row, at) for row, at in self._ask("arrivals")]

    def _ask(self, question: str) -> Any:
        stdin = cast("IO[str]", self._process.stdin)
        stdin.write(question + "\n")
        stdin.flush()
        return self._read()

    def _read(self) -> Any:
        line = cast("IO[str]", self._process.stdout).readline()
        if not line:
            raise SystemExit("the sink ended early")
        return json.loads(line)


@contextmanager
def dead_server() -> Iterator[str]:
    """The URL of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=256) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
