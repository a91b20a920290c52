"""A local Amplitude in a process of its own, which tells what it has used when it is asked."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple, cast


class Usage(NamedTuple):
    """What the server's process has used so far."""

    cpu_s: float
    resident_mb: float | None
    """Of memory, now; None where the system does not say."""


class ServerProcess:
    """Starts the server on entry and ends it on exit."""

    def __init__(self, *, max_events: int, data: Path | None = None, core: int | None = None) -> None:
        self._options = ["--max-events", str(max_events)]
        if data is not None:
            self._options += ["--data", str(data)]
        if core is not None:
            self._options += ["--core", str(core)]

    def __enter__(self) -> ServerProcess:
        command = [sys.executable, __file__, *self._options]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own
        self._questions, self._answers = (
            cast("IO[str]", self._process.stdin),
            cast("IO[str]", self._process.stdout),
        )
        self.url: str = self._read()["url"]
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.communicate()

    def usage(self) -> Usage:
        self._questions.write("usage\n")
        self._questions.flush()
        return Usage(**self._read())

    def _read(self) -> dict[str, Any]:
        line = self._answers.readline()
        if not line:
            raise SystemExit("the server ended early")
        answer: dict[str, Any] = json.loads(line)
        return answer


def resident_mb() -> float | None:
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    (line,) = (line for line in status.read_text("ascii").splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def main() -> None:
    from antinode.server import running  # noqa: PLC0415 - the process that starts this one does without
    from antinode.server.http.run import collect_rarely  # noqa: PLC0415

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--max-events", type=int, required=True)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--core", type=int, help="run on this processor core alone, where the system can")
    arguments = parser.parse_args()
    if arguments.core is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {arguments.core})
    with running(max_events=arguments.max_events, data=arguments.data) as server:
        collect_rarely()  # as `antinode serve` does
        answer: dict[str, object] = {"url": server.url}
        while True:
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()
            if not sys.stdin.readline():
                return
            answer = Usage(time.process_time(), resident_mb())._asdict()


if __name__ == "__main__":
    main()
