"""Requests as SDKs send them, made of the shop's events, and connections to send them over."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import orjson
from workload import KEY, event, rows

ROWS = 5_000
LIBRARY = "amplitude-python/1.3.0"


def bodies(events: int, *, size: int, users: int, mixed: bool) -> Iterator[bytes]:
    """`events` events in requests of `size`, by `users` users in turn.

    `mixed` puts in what a server meets besides: 1 identify in 50, 1 event in 100 sent twice, and 1 request in
    200 with an event that has to be refused.
    """
    shop = rows(ROWS)
    for number, start in enumerate(range(0, events, size)):
        batch = [one(shop, position, users) for position in range(start, min(start + size, events))]
        if mixed:
            disturb(batch, number)
        yield orjson.dumps({"api_key": KEY, "events": batch})


def one(shop: list[dict[str, str]], position: int, users: int) -> dict[str, Any]:
    made = event(shop[position % len(shop)], position)
    made["user_id"] = f"user-{position % users:07}"
    made["device_id"] = f"device-{position % users:07}"
    made["library"] = LIBRARY
    return made


def disturb(batch: list[dict[str, Any]], number: int) -> None:
    for position in range(0, len(batch), 50):
        identify = batch[position]
        del identify["event_properties"]
        identify["event_type"] = "$identify"
        identify["user_properties"] = {"$set": {"plan": "pro"}, "$add": {"visits": 1}}
    for position in range(1, len(batch), 100):
        batch[position]["insert_id"] = batch[position - 1]["insert_id"]
        batch[position]["device_id"] = batch[position - 1]["device_id"]
    if number % 200 == 7:
        batch[-1]["time"] = "yesterday"


class Connections:
    """Several keep-alive connections to one server, each used by a thread of its own."""

    def __init__(self, url: str, count: int, *, path: str = "/2/httpapi", is_gzip: bool = False) -> None:
        """`is_gzip`: what is sent is compressed."""
        self._path = path
        self._headers = {"Content-Type": "application/json"} | (
            {"Content-Encoding": "gzip"} if is_gzip else {}
        )
        self._all = [connect(url) for _ in range(count)]

    def send(self, requests: Iterable[bytes]) -> Counter[int]:
        """Send every request over whichever connection is free; how many got which status."""
        source, statuses = iter(requests), Counter[int]()
        taking = threading.Lock()

        def work(connection: http.client.HTTPConnection) -> None:
            while True:
                with taking:
                    body = next(source, None)
                if body is None:
                    return
                connection.request("POST", self._path, body, self._headers)
                response = connection.getresponse()
                response.read()
                with taking:
                    statuses[response.status] += 1

        with ThreadPoolExecutor(len(self._all)) as pool:
            list(pool.map(work, self._all))
        return statuses

    def close(self) -> None:
        for connection in self._all:
            connection.close()


def connect(url: str) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=120)


def get(url: str, path: str) -> Any:
    """The JSON at `path`."""
    connection = connect(url)
    try:
        connection.request("GET", path)
        return orjson.loads(connection.getresponse().read())
    finally:
        connection.close()
