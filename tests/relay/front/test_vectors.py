"""The server vectors of the reference against the relay, with a local Amplitude behind it.

The relay answers as Amplitude does, and what is stored in the end is what Amplitude would have stored.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from antinode.relay.intake import Intake
from antinode.relay.projects import Project, Projects
from antinode.relay.spool.intake import SpoolIntake
from antinode.server import Rules, Running, running
from tests import vectors
from tests.relay.running import RunningRelay, running_relay
from tests.server import test_vectors_http as over_http
from tests.storage.spooling import until

FOR_EVENTS = ("/2/httpapi", "/batch", "/identify", "/groupidentify", "/")


def is_about_events(vector: vectors.Vector) -> bool:
    """Whether nothing of it is about what only Amplitude itself can know: rates, quotas, silenced devices,
    other rules than the usual ones, a request to another API."""
    steps = [vector, *vector.get("setup", [])]
    paths = [step["endpoint"].partition(" ")[2].partition("?")[0] for step in steps]
    return not vector.get("config") and all(
        path in FOR_EVENTS or path.startswith(("/config", "/v1/")) or "OPTIONS" in step["endpoint"]
        for path, step in zip(paths, steps, strict=True)
    )


COUNTS_ONCE = {"dedup-no-insert-id"}
"""Where the relay is not Amplitude: a repeated request counts once, even without insert_ids."""

CLIENTS_CLOCK = {"client_event_time", "client_upload_time"}
"""What nobody learns who hears of an event by way of the relay: what its client's wrong clock said."""

VECTORS = [
    vector
    for vector in vectors.load("server")
    if is_about_events(vector) and vector["name"] not in COUNTS_ONCE
]
NOW_MS = [over_http.NOW_MS]
"""What time it is for the relay."""


@pytest.fixture(scope="module")
def amplitude() -> Iterator[Running]:
    with running(rules=Rules(api_keys=over_http.KEYS)) as server:
        yield server


@pytest.fixture(scope="module")
def relay(amplitude: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRelay]:
    directory: Path = tmp_path_factory.mktemp("relay")
    projects = Projects(
        Project(name=f"project-{number}", api_key=each.key, server_url=amplitude.url)
        for number, each in enumerate(over_http.KEYS)
    )

    def make() -> Intake:
        return SpoolIntake(directory, projects)

    def delivering(intake: Intake) -> Any:
        return intake

    with running_relay(projects, make, delivering=delivering, now_ms=lambda: NOW_MS[0]) as found:
        yield found


@pytest.fixture(scope="module")
def http() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(retries=False, timeout=120) as pool:
        yield pool


class Relayed:
    """What the functions of the other test ask for: requests go to the relay, all else is asked behind it."""

    def __init__(self, amplitude: Running, relay: RunningRelay) -> None:
        self.url = relay.url
        self.api = amplitude.api


def is_delivered(relay: RunningRelay) -> bool:
    delivery = relay.front.status().delivery
    assert delivery is not None
    return all(each.pending == 0 for each in delivery.values())


@pytest.mark.parametrize("vector", [pytest.param(each, id=each["name"]) for each in VECTORS])
def test_vector(
    vector: vectors.Vector, amplitude: Running, relay: RunningRelay, http: urllib3.PoolManager
) -> None:
    """The relay's answer is Amplitude's, and so is what is stored once everything is delivered."""
    amplitude.api.reset()
    server = Relayed(amplitude, relay)
    for step in [*vector.get("setup", []), vector]:
        NOW_MS[0] = step.get("at_ms", over_http.NOW_MS)
        answer = over_http.send(server, http, step)
        expected = step["expected_status"] if step is vector else step.get("expected_status", 200)
        assert answer.status == expected, answer.data[:500]
        until(lambda: is_delivered(relay), "delivery")
    if "expected_response" in vector:
        assert over_http.contains(answer.json(), vector["expected_response"]), answer.data[:500]
    if "expected_text" in vector:
        assert answer.data.decode() == vector["expected_text"]
    for name, value in vector.get("expected_headers", {}).items():
        assert over_http.contains(answer.headers.get(name), value), name
    state = dict(vector.get("expected_state", {}))
    if "last_event" in state:
        state["last_event"] = {
            key: value for key, value in state["last_event"].items() if key not in CLIENTS_CLOCK
        }
    over_http.check_state(server, state, vector.get("at_ms", over_http.NOW_MS))


def test_most_vectors_are_played() -> None:
    """What is left out is about rates, quotas, faults and Amplitude's other APIs."""
    assert len(VECTORS) > 120
