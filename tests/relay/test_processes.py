"""The relay as a process: whatever it is killed in, what was answered 200 is delivered once, and in order."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from antinode import Client
from antinode.server import Rules, Running, running
from tests.relay.kept import WEB
from tests.relay.processes import relay_process
from tests.storage.spooling import until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kill -9 and SIGTERM")


@pytest.fixture(scope="module")
def shared() -> Iterator[Running]:
    with running() as server:
        yield server


@pytest.fixture
def amplitude(shared: Running) -> Running:
    shared.api.reset()
    return shared


def played(number: int, user: str, **more: Any) -> dict[str, Any]:
    return {
        "event_type": "Played",
        "user_id": user,
        "time": 1_793_817_970_000 + number,
        "insert_id": f"{user}-{number}",
        "event_properties": {"n": number},
        **more,
    }


def post(pool: urllib3.PoolManager, url: str, *events: dict[str, Any]) -> int:
    body = json.dumps({"api_key": WEB.api_key, "events": events}).encode()
    return pool.request("POST", url, body=body, headers={"Content-Type": "application/json"}).status


def stored(amplitude: Running) -> list[dict[str, Any]]:
    """Accepted events, oldest first."""
    events: list[dict[str, Any]] = []
    before = None
    while True:
        page = amplitude.api.events(limit=10_000, outcome="accepted", before=before)
        events += [each.event for each in page]
        if len(page) < 10_000:
            return events[::-1]
        before = page[-1].seq


def numbers(events: list[dict[str, Any]]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for each in events:
        found.setdefault(each["user_id"], []).append(each["event_properties"]["n"])
    return found


class Traffic:
    """Users who each send one request after the other, and repeat it until it is answered 200."""

    def __init__(self, where: Callable[[], str], users: int) -> None:
        """`where` gives the URL of the moment."""
        self.acknowledged: Counter[str] = Counter()
        """Events that were answered 200, by user."""
        self._where = where
        self._ends = threading.Event()
        self._threads = [
            threading.Thread(target=self._send, args=(f"user-{number:02}",)) for number in range(users)
        ]
        for thread in self._threads:
            thread.start()

    def _send(self, user: str) -> None:
        number = 0
        with urllib3.PoolManager(retries=False, timeout=120) as pool:
            while not self._ends.is_set():
                events = [played(each, user) for each in range(number, number + 5)]
                try:
                    is_kept = post(pool, self._where(), *events) == 200
                except urllib3.exceptions.HTTPError:
                    is_kept = False
                if is_kept:
                    number += 5
                    self.acknowledged[user] = number
                else:
                    time.sleep(0.02)

    def end(self) -> None:
        self._ends.set()
        for thread in self._threads:
            thread.join(120)


def test_killed_in_the_midst_of_traffic(amplitude: Running, tmp_path: Path) -> None:
    """Killed three times, with an outage of Amplitude in between and a user whom it throttles: everything
    that was answered 200 arrives, each event under one insert_id, and every user's in order."""
    directory = tmp_path / "spool"
    url = [""]
    traffic = None
    amplitude.api.add_faults("429:user=user-00@next=2", "500@10%")
    try:
        for round_number in range(3):
            with relay_process(directory, amplitude.url) as relay:
                url[0] = relay.server_url
                traffic = traffic or Traffic(lambda: url[0], users=6)
                before = sum(traffic.acknowledged.values())
                if round_number == 1:
                    amplitude.api.add_faults("down:2s")
                until(lambda: sum(traffic.acknowledged.values()) >= before + 300, "traffic")  # noqa: B023
                relay.kill()
    finally:
        if traffic is not None:
            traffic.end()
    amplitude.api.clear_faults()
    with relay_process(directory, amplitude.url) as relay:
        until(lambda: relay.has_delivered_all, "delivery")
        events = stored(amplitude)
        assert relay.terminate() == 0
    found = numbers(events)
    assert max(Counter(each["insert_id"] for each in events).values()) == 1
    for user, acknowledged in traffic.acknowledged.items():
        # What was not answered may have been kept all the same.
        assert found[user][:acknowledged] == list(range(acknowledged)), user
        assert found[user] == sorted(found[user])


def test_sigterm_answers_and_drains(amplitude: Running, tmp_path: Path) -> None:
    """After SIGTERM nothing is pending, the exit code is 0, and the directory is empty of events."""
    with relay_process(tmp_path / "spool", amplitude.url) as relay, urllib3.PoolManager() as pool:
        for number in range(20):
            assert post(pool, relay.server_url, played(number, "user-1")) == 200
        assert relay.terminate() == 0
    assert numbers(stored(amplitude)) == {"user-1": list(range(20))}


def test_two_processes_share_a_directory(amplitude: Running, tmp_path: Path) -> None:
    """Each keeps and delivers its own, and what one that was killed has left is delivered by the next."""
    directory = tmp_path / "spool"
    amplitude.api.add_faults("503")
    with (
        relay_process(directory, amplitude.url) as one,
        relay_process(directory, amplitude.url) as other,
        urllib3.PoolManager() as pool,
    ):
        for number in range(10):
            assert post(pool, one.server_url, played(number, "user-1")) == 200
            assert post(pool, other.server_url, played(number, "user-2")) == 200
        one.kill()
        amplitude.api.clear_faults()
        # It looks at once for what others have left; one that runs does so every ten seconds.
        with relay_process(directory, amplitude.url) as third:
            until(lambda: len(stored(amplitude)) == 20, "delivery")
            assert third.terminate() == 0
        assert other.terminate() == 0
    assert numbers(stored(amplitude)) == {"user-1": list(range(10)), "user-2": list(range(10))}


def test_one_throttled_user_waits_alone(tmp_path: Path) -> None:
    """While Amplitude throttles a user everybody else's events arrive, and the relay says how many wait."""
    rules = Rules(known_rates={"user-1": 1_000.0}, eps_threshold=10)
    with (
        running(rules=rules) as amplitude,
        relay_process(tmp_path / "spool", amplitude.url, "--drain", "0") as relay,
        urllib3.PoolManager() as pool,
    ):
        for number in range(20):
            for user in ("user-1", "user-2"):
                assert post(pool, relay.server_url, played(number, user)) == 200
        until(lambda: len(stored(amplitude)) == 20, "delivery of the other user's events")
        until(lambda: relay.status()["delivery"]["web"]["throttled"] == 1, "the throttled user")
        assert numbers(stored(amplitude)) == {"user-2": list(range(20))}
        assert relay.pending == 20


def test_nothing_says_a_key(amplitude: Running, tmp_path: Path) -> None:
    """No command line, log or figure has an API key or anything of an event."""
    with relay_process(tmp_path / "spool", amplitude.url, "--log-level", "DEBUG") as relay:
        with urllib3.PoolManager() as pool:
            assert post(pool, relay.server_url, played(1, "secret-user")) == 200
            assert post(pool, relay.server_url, {"event_type": "secret-type"}) == 400
            shown = "".join(
                pool.request("GET", relay.url + path).data.decode()
                for path in ("/metrics", "/status", "/readyz")
            )
        if sys.platform.startswith("linux"):
            shown += Path(f"/proc/{relay.pid}/cmdline").read_text()
        assert relay.terminate() == 0
    shown += (tmp_path / "relay.log").read_text()
    assert "the relay has ended" in shown
    assert not [word for word in (WEB.api_key, "secret-user", "secret-type") if word in shown]
    for line in (tmp_path / "relay.log").read_text().splitlines():
        assert {"time", "level", "logger", "message"} <= json.loads(line).keys()


def test_our_own_client_needs_the_address_alone(amplitude: Running, tmp_path: Path) -> None:
    """A client whose server URL is the relay's has its events delivered; one that the relay refused for a
    while repeats, and loses nothing."""
    with relay_process(tmp_path / "spool", amplitude.url) as relay:
        client = Client("relayed").init(WEB.api_key, server_url=relay.server_url)
        for number in range(500):
            client.log_event({"event_type": "Played", "user_id": "user-1", "event_properties": {"n": number}})
        assert client.flush(120).delivered == 500
        client.shutdown()
        until(lambda: len(stored(amplitude)) == 500, "delivery")
        assert relay.terminate() == 0
    assert numbers(stored(amplitude)) == {"user-1": list(range(500))}
    assert os.listdir(tmp_path / "spool")
