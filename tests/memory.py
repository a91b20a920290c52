"""A transport that keeps in memory what it is given to send, and clients that use it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from antinode import Client, HttpResponse, Request

KEY = "0123456789abcdef0123456789abcdef"
SONG = {"event_type": "Song Played", "user_id": "user-20391"}


class Memory:
    """Accepts everything, at once or, while `gate` is closed, when it opens."""

    def __init__(self, *, is_open: bool = True) -> None:
        self.requests: list[Request] = []
        self.gate = threading.Event()
        self.answer = HttpResponse(200, {}, b'{"code":200}')
        if is_open:
            self.gate.set()

    def send(self, request: Request) -> HttpResponse:
        assert self.gate.wait(timeout=120), "the test did not open the gate"
        self.requests.append(request)
        return self.answer

    def close(self) -> None:
        pass

    @property
    def events(self) -> list[dict[str, Any]]:
        return [event for request in self.requests for event in json.loads(request.body)["events"]]


@contextmanager
def logging_client(memory: Memory | None = None, **options: Any) -> Iterator[Client]:
    """A client of its own that sends to `memory`, and is shut down at the end."""
    client = Client().init(KEY, transport=memory or Memory(), **options)
    try:
        yield client
    finally:
        if memory is not None:
            memory.gate.set()
        client.shutdown()


def sent(client: Client, memory: Memory) -> list[dict[str, Any]]:
    """The events that have arrived once everything logged so far has settled."""
    assert client.flush(timeout=120).complete
    return memory.events
