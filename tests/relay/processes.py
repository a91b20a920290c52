"""The relay as it is run: a process of its own, which may be killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import urllib3

from tests.relay.kept import WEB


class RelayProcess:
    """`antinode relay run` on a directory, with one project `web`."""

    def __init__(self, directory: Path, amplitude_url: str, *options: str, **environment: str) -> None:
        command = [sys.executable, "-m", "antinode", "relay", "run", "--spool", str(directory)]
        log = directory.parent / "relay.log"
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                [*command, "--port", "0", "--json", "--server-url", amplitude_url, *options],
                stdout=subprocess.PIPE,
                stderr=file,
                env={**os.environ, "ANTINODE_RELAY_API_KEYS": f"web={WEB.api_key}", **environment},
            )
        self.pid = self._process.pid
        self.directory = directory
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, log.read_text()
        self.url: str = json.loads(line)["url"]
        self.server_url = f"{self.url}/2/httpapi"

    def kill(self) -> None:
        """End it as the system does when memory is short."""
        self._process.kill()
        self._process.wait(120)

    def terminate(self) -> int:
        """End it as an orchestrator does; returns its exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(120)

    def status(self) -> dict[str, Any]:
        """What it says of itself."""
        with urllib3.PoolManager(retries=False, timeout=120) as pool:
            found: dict[str, Any] = pool.request("GET", f"{self.url}/status").json()
        return found

    @property
    def pending(self) -> int:
        pending: int = self.status()["delivery"]["web"]["pending"]
        return pending

    @property
    def has_delivered_all(self) -> bool:
        """Whether nothing is pending, nor left by earlier relays in files that are not read yet."""
        found = self.status()["delivery"]["web"]
        return bool(found["pending"] == found["unread_files"] == 0)

    def close(self) -> None:
        """Leave no process behind."""
        if self._process.poll() is None:
            self.kill()
        if self._process.stdout is not None:
            self._process.stdout.close()


@contextlib.contextmanager
def relay_process(
    directory: Path, amplitude_url: str, *options: str, **environment: str
) -> Iterator[RelayProcess]:
    """A relay that does not outlive the block."""
    relay = RelayProcess(directory, amplitude_url, *options, **environment)
    try:
        yield relay
    finally:
        relay.close()
