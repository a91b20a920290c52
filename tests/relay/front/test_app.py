"""The front over HTTP: what it says of itself, what it answers while it cannot keep events, and its end."""

from __future__ import annotations

import gzip
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3
from prometheus_client.parser import text_string_to_metric_families

from antinode import Client
from antinode.relay.figures import DeliveryFigures
from antinode.relay.projects import Projects
from tests.relay.kept import APP, WEB
from tests.relay.memory import MemoryIntake, MemoryStore
from tests.relay.running import RunningRelay, running_relay
from tests.storage.spooling import until

PROJECTS = Projects([WEB, APP])
PLAYED = {"event_type": "Played", "user_id": "user-1", "insert_id": "i-1", "time": 1_793_817_970_000}


class Deliverer:
    """Delivery as it might stand."""

    def figures(self) -> dict[str, DeliveryFigures]:
        return {
            "web": DeliveryFigures(
                pending=3, unread_files=2, delivered=7, throttled=1, oldest_age_s=2.5, is_reachable=False
            )
        }


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def relay(store: MemoryStore) -> Iterator[RunningRelay]:
    with running_relay(PROJECTS, store.intake, delivering=lambda _: Deliverer(), proxies=1) as found:
        yield found


@pytest.fixture
def http() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(retries=False, timeout=120) as pool:
        yield pool


def post(http: urllib3.PoolManager, relay: RunningRelay, *events: Any, **headers: str) -> Any:
    body = gzip.compress(json.dumps({"api_key": WEB.api_key, "events": events}).encode())
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip", **headers}
    return http.request("POST", relay.server_url, body=body, headers=headers)


def samples(http: urllib3.PoolManager, relay: RunningRelay) -> dict[tuple[str, tuple[str, ...]], float]:
    """The metrics, by name and labels."""
    answer = http.request("GET", f"{relay.url}/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = text_string_to_metric_families(answer.data.decode())
    return {
        (each.name, tuple(each.labels.values())): each.value for family in families for each in family.samples
    }


def test_metrics_are_prometheus(http: urllib3.PoolManager, relay: RunningRelay) -> None:
    """A scraper finds what came, what became of it, and how delivery stands."""
    assert post(http, relay, PLAYED, PLAYED).status == 200
    assert post(http, relay, {"event_type": "Played"}).status == 400
    http.request("POST", f"{relay.url}/some/path", body=b"{}")
    found = samples(http, relay)
    assert found["antinode_relay_ready", ()] == 1
    assert found["antinode_relay_requests_total", ("/2/httpapi", "200")] == 1
    assert found["antinode_relay_requests_total", ("/2/httpapi", "400")] == 1
    assert found["antinode_relay_requests_total", ("other", "400")] == 1
    assert found["antinode_relay_kept_events_total", ("web",)] == 2
    assert found["antinode_relay_kept_bytes_total", ("web",)] == 2 * len(json.dumps(PLAYED))
    assert found["antinode_relay_keep_seconds_count", ()] == 1
    assert found["antinode_relay_keep_seconds_bucket", ("+Inf",)] == 1
    assert found["antinode_relay_pending_events", ("web",)] == 3
    assert found["antinode_relay_unread_files", ("web",)] == 2
    assert found["antinode_relay_delivered_events_total", ("web",)] == 7
    assert found["antinode_relay_throttled_streams", ("web",)] == 1
    assert found["antinode_relay_oldest_event_age_seconds", ("web",)] == 2.5
    assert found["antinode_relay_reachable", ("web",)] == 0


def test_a_relay_that_keeps_nothing_says_so(
    http: urllib3.PoolManager, relay: RunningRelay, store: MemoryStore
) -> None:
    """It runs, but is not ready; requests are answered 503 with a wait, in each API's own form."""
    store.is_broken = True
    assert http.request("GET", f"{relay.url}/healthz").status == 200
    ready = http.request("GET", f"{relay.url}/readyz")
    assert (ready.status, ready.json()) == (503, {"status": "not ready", "why": "it is broken"})
    answer = post(http, relay, PLAYED)
    assert (answer.status, answer.headers["retry-after"], answer.json()["code"]) == (503, "2", 503)
    form = {"api_key": WEB.api_key, "identification": json.dumps({"user_id": "user-1"})}
    answer = http.request("POST", f"{relay.url}/identify", fields=form, encode_multipart=False)
    assert (answer.status, answer.headers["content-type"]) == (503, "text/plain; charset=utf-8")
    assert samples(http, relay)["antinode_relay_ready", ()] == 0
    store.is_broken = False
    assert http.request("GET", f"{relay.url}/readyz").status == 200
    assert post(http, relay, PLAYED).status == 200


def test_our_client_outlasts_a_relay_that_keeps_nothing(relay: RunningRelay, store: MemoryStore) -> None:
    """It repeats what was answered 503 after the wait, in order, and loses nothing."""
    store.is_broken = True
    client = Client("patient").init(WEB.api_key, server_url=relay.server_url)
    for number in range(50):
        client.log_event({"event_type": "Played", "user_id": "user-1", "event_properties": {"n": number}})
    until(lambda: relay.front.meter.answers["/2/httpapi", 503], "a 503")
    store.is_broken = False
    assert client.flush(120).delivered == 50
    client.shutdown()
    kept = [json.loads(each.body) for each in store.kept["web"]]
    assert [each["event_properties"]["n"] for each in kept] == list(range(50))


def test_events_are_of_the_project_whose_key_they_have(
    http: urllib3.PoolManager, relay: RunningRelay, store: MemoryStore
) -> None:
    """The key says whose; a key that is not configured is answered as Amplitude answers a wrong one."""
    for project in PROJECTS:
        body = {"api_key": project.api_key, "events": [PLAYED]}
        assert http.request("POST", relay.server_url, json=body).status == 200
    assert {name: len(kept) for name, kept in store.kept.items()} == {"web": 1, "app": 1}
    answer = http.request("POST", relay.server_url, json={"api_key": "f" * 32, "events": [PLAYED]})
    assert (answer.status, answer.json()["error"]) == (400, f"Invalid API key: {'f' * 32}")


def test_remote_behind_a_proxy(http: urllib3.PoolManager, relay: RunningRelay, store: MemoryStore) -> None:
    """Of whom the proxies say that they serve, the last that a known one has added counts."""
    remote = {**PLAYED, "ip": "$remote"}
    post(http, relay, remote, **{"X-Forwarded-For": "10.0.0.1, 203.0.113.9"})
    post(http, relay, remote)
    ips = [json.loads(each.body).get("ip") for each in store.kept["web"]]
    assert ips == ["203.0.113.9", None]


def test_a_browser_may_send(http: urllib3.PoolManager, relay: RunningRelay) -> None:
    """A page's preflight is answered, and its remote configuration is empty."""
    answer = http.request("OPTIONS", relay.server_url, headers={"Origin": "https://shop.example"})
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (204, "*")
    assert http.request("GET", f"{relay.url}/config").json() == {"configs": {}}


def test_the_end_answers_what_is_under_way(store: MemoryStore) -> None:
    """Requests whose events are being kept are answered; no new connection is taken meanwhile."""
    statuses: list[int] = []
    entered = threading.Event()

    class Slow(MemoryIntake):
        async def keep(self, *arguments: Any) -> None:
            entered.set()
            await super().keep(*arguments)

    opened = threading.Event()

    def send(relay: RunningRelay) -> None:
        with urllib3.PoolManager(retries=False, timeout=120) as pool:
            statuses.append(post(pool, relay, PLAYED).status)

    with running_relay(PROJECTS, lambda: Slow(store)) as relay:
        loop = relay.loop
        loop.call_soon_threadsafe(store.gate.clear)
        sending = threading.Thread(target=send, args=(relay,))
        sending.start()
        assert entered.wait(120)

        def let_go() -> None:
            until(lambda: relay.front.status().why == "it is ending", "the end")
            address = (relay.url.split("/")[2].split(":")[0], int(relay.url.rsplit(":", 1)[1]))
            until(lambda: not listens(address), "the end of listening")
            opened.set()
            loop.call_soon_threadsafe(store.gate.set)

        threading.Thread(target=let_go).start()
    sending.join(120)
    assert opened.is_set()
    assert statuses == [200]
    assert len(store.kept["web"]) == 1


def listens(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, 1).close()
    except OSError:
        return False
    return True
