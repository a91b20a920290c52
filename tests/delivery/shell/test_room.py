"""Threads that wait for room in a full queue (`overflow="block"`)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from antinode import Client
from antinode._delivery.shell import sender
from antinode._delivery.shell.barriers import RoomQueue
from antinode._delivery.shell.coordinator import Coordinator
from tests.memory import Memory, logging_client


class Counted:
    """A method that does what it did, and counts."""

    def __init__(self, owner: type, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls = 0
        self._changed = threading.Condition()
        inner: Callable[..., Any] = getattr(owner, name)

        def counted(*args: Any, **options: Any) -> Any:
            try:
                return inner(*args, **options)
            finally:
                with self._changed:
                    self.calls += 1
                    self._changed.notify_all()

        monkeypatch.setattr(owner, name, counted)

    def wait_for(self, calls: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.calls >= calls, 30)


@pytest.mark.parametrize("is_stored", [False, True])
def test_whoever_waits_for_room_is_woken_by_room_alone(
    is_stored: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often the coordinator goes round meanwhile: who waits in an outage costs no time of the CPU."""
    monkeypatch.setattr(sender, "CHECK_EVERY_SECONDS", 60.0)
    looks, rounds = Counted(RoomQueue, "join", monkeypatch), Counted(Coordinator, "_step", monkeypatch)
    memory = Memory(is_open=False)
    options: dict[str, Any] = {"max_queue_events": 3}
    if is_stored:
        options = {"storage": tmp_path, "max_spool_bytes": 2**20}
    with logging_client(memory, overflow="block", **options) as client:
        thread = threading.Thread(target=log_much, args=(client, 1500 if is_stored else 4))
        thread.start()
        looks.wait_for(1)
        before = looks.calls
        for _ in range(20):
            done = rounds.calls
            assert client._sender is not None
            client._sender.say("DEBUG", "round", "once more")
            rounds.wait_for(done + 1)
        # The coordinator may not have known of the full queue, or spool, when the thread came.
        assert looks.calls <= before + 2
        memory.gate.set()
        thread.join(120)
        assert not thread.is_alive()
        assert client.flush(120).dropped == 0


def log_much(client: Client, count: int) -> None:
    for number in range(count):
        properties = {"n": number, "text": "x" * 1000}
        client.log_event({"event_type": "Tick", "user_id": "user-1", "event_properties": properties})
