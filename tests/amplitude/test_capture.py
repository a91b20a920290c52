"""Tests of code that tracks by the drop-in: the test kit takes its events."""

from __future__ import annotations

from antinode.amplitude import Amplitude, BaseEvent, Config
from antinode.testing import Endpoint, capture


def test_what_is_tracked_is_captured() -> None:
    """With its callback called, and a future for each destination; afterwards the client sends."""
    told: list[tuple[int, str | None]] = []
    with Endpoint() as endpoint:
        client = Amplitude("0123456789abcdef0123456789abcdef", Config(server_url=endpoint.url))
        client.configuration.callback = lambda _, code, message: told.append((code, message))
        with capture() as amplitude:
            client.track(BaseEvent("Song Played", user_id="user-20391"))
            (future,) = client.flush()
            assert future is not None
            assert future.result(0) is None
        amplitude.only("Song Played", user_id="user-20391")
        assert [code for code, _ in told] == [200]
        client.track(BaseEvent("Sent", user_id="user-20391"))
        client.shutdown()
        assert [event["event_type"] for event in endpoint.events] == ["Sent"]
