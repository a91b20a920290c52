"""The endpoint in a process of its own, for whoever must not share an interpreter with it."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, cast

from antinode import _json

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType


class EndpointProcess:
    """`python -m antinode.testing.endpoint` as a context manager, and its controls as methods.

    It listens when `__enter__` returns, and ends with the `with` block or with this process, whichever
    is first. `options` are command line arguments. Faults are given as `faults.from_spec` takes them.
    RuntimeError if it does not start, or says on leaving that something failed inside it.
    """

    def __init__(self, *options: str) -> None:
        self.url = self.batch_url = ""
        self.port = 0
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> EndpointProcess:
        command = [sys.executable, "-m", "antinode.testing.endpoint", "--follow-stdin", *self._options]
        # A session of its own: Ctrl-C in a terminal is for the program under test, not for its server. A copy
        # of the environment: without one the child begins while other threads may change what it reads.
        self._process = subprocess.Popen(  # noqa: S603 - our own module, by the running interpreter
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True, env=_environment()
        )
        line = self._process.stdout.readline() if self._process.stdout else b""
        if not line:
            self._end()
            raise RuntimeError("the endpoint's process ended before it was ready; its message is on stderr")
        ready = _json.loads(line)
        self.url, self.batch_url, self.port = ready["url"], ready["batch_url"], ready["port"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        status = self._end()
        if status and error is None:
            raise RuntimeError(f"the endpoint's process ended with status {status}; its message is on stderr")

    def ledger(
        self, *, events: int | None = None, requests: int | None = None, timeout: float = 10.0
    ) -> dict[str, Any]:
        """The ledger in numbers; if asked, once so many events or requests are in it or the time is over."""
        wanted = [f"{k}={v}" for k, v in (("events", events), ("requests", requests)) if v is not None]
        query = "&".join([*wanted, f"timeout={timeout}"])
        return cast("dict[str, Any]", _json.loads(self._control("GET", f"ledger?{query}", wait=timeout)))

    def events(self) -> list[dict[str, Any]]:
        """Accepted events without duplicates, in order of acceptance."""
        return [_json.loads(line) for line in self._control("GET", "events").splitlines()]

    def requests(self) -> list[dict[str, Any]]:
        """Number, connection, time, path, status, event count and sizes of every request."""
        return [_json.loads(line) for line in self._control("GET", "requests").splitlines()]

    def answer(self, fault: object) -> None:
        """Make this the standing fault; None for none."""
        self._control("POST", "answer", fault)

    def script(self, faults: Sequence[object]) -> None:
        """Queue a fault for each of the next requests; None is no fault."""
        self._control("POST", "script", list(faults))

    def down(self, seconds: float) -> None:
        """Cut every connection, and refuse new ones for so long, this object's too."""
        self._control("POST", "down", {"seconds": seconds})

    def clear(self) -> None:
        """Empty the ledger."""
        self._control("POST", "clear")

    def _control(self, method: str, path: str, body: object = None, wait: float = 0.0) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30 + wait)
        try:
            connection.request(method, f"/_/{path}", _json.dumps(body) if method == "POST" else None)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        if response.status != 200:
            raise ValueError(_json.loads(content)["error"])
        return content

    def _end(self) -> int:
        """End the process by closing its standard input; its exit status."""
        if (process := self._process) is None:
            return 0
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            return process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()


def _environment() -> dict[str, str]:
    names = list(os.environ)
    return {name: value for name in names if (value := os.environ.get(name)) is not None}
