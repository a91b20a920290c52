"""Runs accidents: a server process and a driver process each, several at a time."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from antinode import Client
from antinode.testing import EndpointProcess
from tests.accidents.catalogue import DEAD, Accident
from tests.accidents.drivers.scribe import KEY
from tests.accidents.evidence import Evidence, read_ledgers
from tests.accidents.judgement import Finding, judge

ROOT = Path(__file__).parents[2]
PATIENCE = 240.0
"""Seconds after which a driver counts as hung. On a machine with a load of 50, some take 100."""
_AT_A_TIME = 2
"""Of the rows that keep a processor busy; those that mostly wait are in addition to them."""
# Taken once: pytest changes it before each test, while threads here start processes.
_ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}


def start(accidents: Sequence[Accident], pool: ThreadPoolExecutor) -> dict[str, Future[Finding]]:
    """Begin all of them, the long ones first; the findings by name."""
    order = sorted(accidents, key=lambda accident: -accident.seconds)
    return {accident.name: pool.submit(_run_named, accident) for accident in order}


def make_pool(accidents: Sequence[Accident]) -> ThreadPoolExecutor:
    """Room for everything that waits and for a few that work."""
    waiting = sum(accident.seconds > 0 for accident in accidents)
    return ThreadPoolExecutor(waiting + _AT_A_TIME, thread_name_prefix="accident")


def _run_named(accident: Accident) -> Finding:
    try:
        return run(accident)
    except Exception as error:
        raise RuntimeError(f"the accident {accident.name} could not be staged: {error}") from error


def run(accident: Accident) -> Finding:
    """Have one accident happen, and judge it."""
    with tempfile.TemporaryDirectory(prefix=f"accident-{accident.name}-") as name:
        directory = Path(name)
        if accident.server == DEAD:
            with _dead_port() as url:
                observed = _drive(accident, url, directory)
            return judge(accident, Evidence(**observed, stored=[], received=0, by_status={}))
        script = [] if accident.server is None else ["--script", json.dumps(accident.server)]
        with EndpointProcess(*script) as endpoint:
            observed = _drive(accident, endpoint.url, directory)
            books = endpoint.ledger()
            evidence = Evidence(
                **observed,
                stored=endpoint.events(),
                received=books["received"],
                by_status={int(status): count for status, count in books["by_status"].items()},
            )
        return judge(accident, evidence)


@contextmanager
def _dead_port() -> Iterator[str]:
    with socket.socket() as reserved:
        # Bound and not listening: connections are refused, and nobody else is given the port.
        reserved.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{reserved.getsockname()[1]}/2/httpapi"


def _drive(accident: Accident, url: str, directory: Path) -> dict[str, Any]:
    """Run the driver to its end. The part of the evidence that does not come from the server."""
    options = dict(accident.options)
    if "storage" in options:
        options["storage"] = str(directory / options["storage"])
    given: Mapping[str, Any] = {
        "url": url,
        "directory": str(directory),
        "options": options,
        "sdk": accident.sdk,
        "args": dict(accident.args),
    }
    module = f"tests.accidents.drivers.{accident.driver}"
    said = directory / "stderr"
    with said.open("wb") as stderr:
        driver = subprocess.Popen(
            [sys.executable, "-m", module, json.dumps(given)],
            cwd=ROOT,
            env=_ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=stderr,
        )
        killed_at = None
        if accident.kill is not None:
            assert driver.stdout is not None
            driver.stdout.readline()  # it is ready, or it has failed, which shows in how it ends
            killed_at = time.monotonic_ns()
            driver.send_signal(accident.kill)
        ended = _wait(driver)
        ended_at = time.monotonic_ns()
    if "storage" in options:
        _succeed(url, options["storage"])
    return {
        "processes": read_ledgers(directory),
        "main": driver.pid,
        "ended": ended,
        "ended_at": ended_at,
        "killed_at": killed_at,
        "said": said.read_text(errors="replace"),
    }


def _succeed(url: str, storage: str) -> None:
    """What the next process does with what this one has left."""
    with Client().init(KEY, server_url=url, storage=storage) as successor:
        successor.flush(PATIENCE)


def _wait(driver: subprocess.Popen[bytes]) -> int | None:
    with driver:
        try:
            return driver.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            driver.kill()
            return None
