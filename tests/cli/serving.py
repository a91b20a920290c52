"""`antinode serve` in a process of its own, and a client beside it."""

from __future__ import annotations

import http.client
import json
import re
import signal
import subprocess
import threading
from types import TracebackType
from typing import Any, TextIO
from urllib.parse import urlsplit

from tests.cli.reading import COMMAND, environment

KEY = "0123456789abcdef0123456789abcdef"
URL = re.compile(r"https?://[\w.:\[\]]+:\d+")


class Serving:
    """The command, from its first line to its end. Its output is read line by line as it comes."""

    def __init__(self, *arguments: str, port: int = 0, **more: str) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "serve", "--port", str(port), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=environment(**more),
        )
        # Ends a test that waits for a line which never comes.
        self._deadline = threading.Timer(60, self.process.kill)
        self._deadline.daemon = True
        self._deadline.start()
        self.url = ""
        self.lines: list[str] = []

    def __enter__(self) -> Serving:
        self.url = URL.findall(self.line_with(URL))[0]
        return self

    def line_with(self, wanted: str | re.Pattern[str]) -> str:
        """Reads on until a line has what is wanted."""
        for line in self._stdout:
            self.lines.append(line)
            if re.search(wanted, line):
                return line
        assert self.process.stderr is not None
        raise AssertionError(f"no {wanted!r} in {self.lines}; {self.process.stderr.read()}")

    def error_with(self, wanted: str) -> str:
        """The same of standard error."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if wanted in line:
                return line
        raise AssertionError(f"no {wanted!r} on standard error")

    def post(self, events: list[dict[str, Any]] | None, path: str = "/2/httpapi", key: str = KEY) -> int:
        """Uploads the events; the status, or 0 if the connection was closed."""
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=120)
        body = {"api_key": key} if events is None else {"api_key": key, "events": events}
        try:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            response = connection.getresponse()
            response.read()
            return response.status
        except (ConnectionError, http.client.HTTPException):
            return 0
        finally:
            connection.close()

    def stop(self, how: signal.Signals = signal.SIGINT) -> tuple[int, str, str]:
        """Ends it: exit code, the rest of the output, everything on standard error."""
        self.process.send_signal(how)
        rest, errors = self.process.communicate(timeout=120)
        return self.process.returncode, rest, errors

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._deadline.cancel()
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    @property
    def _stdout(self) -> TextIO:
        assert self.process.stdout is not None
        return self.process.stdout  # type: ignore[return-value]  # opened as text


def song(number: int = 1, **more: Any) -> dict[str, Any]:
    """A good event."""
    return {"event_type": "Song Played", "user_id": "user-20391", "insert_id": f"song-{number}"} | more
