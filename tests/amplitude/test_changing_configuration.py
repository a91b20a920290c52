"""A configuration that is wrong, or is changed after the client was made: true of ours alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from antinode.amplitude import (
    Amplitude,
    BaseEvent,
    Config,
)
from antinode.testing import Answer, Endpoint, faults
from tests.amplitude.ours import KEY, arrived, event, flush


def test_a_changed_configuration_holds_from_the_next_event_on(
    make: Callable[..., Amplitude], endpoint: Endpoint
) -> None:
    """What was tracked before is sent as it was configured then, and first."""
    with Endpoint() as other:
        client = make(flush_interval_millis=60_000)
        client.track(event(n=1))
        client.configuration.server_url = other.url
        client.track(event(n=2))
        flush(client)
        client.configuration.min_id_length = 1
        client.track(BaseEvent("Song Played", "u", event_properties={"n": 3}))
        flush(client)
        assert (arrived(endpoint), arrived(other)) == ([{"n": 1}], [{"n": 2}, {"n": 3}])


@pytest.mark.parametrize("answer", [Answer(500), faults.invalid_api_key()], ids=["outage", "wrong key"])
def test_what_could_not_be_sent_follows_the_configuration(
    make: Callable[..., Amplitude], endpoint: Endpoint, answer: Any
) -> None:
    """Events of before a change go, in order and first, where the later ones go; each is told once."""
    endpoint.answer = answer
    heard: list[int] = []
    with Endpoint() as other:
        client = make(antinode_options={"shutdown_timeout": 0.2})
        client.track(event(n=1))
        client.track(event(n=2))
        client.flush()
        client.configuration.server_url = other.url
        client.configuration.callback = lambda each, code, message: heard.append(code)
        client.track(event(n=3))
        flush(client)
        assert arrived(other) == [{"n": 1}, {"n": 2}, {"n": 3}]
        assert heard == [200]


def test_who_waits_for_an_event_hears_of_it_where_it_went(
    make: Callable[..., Amplitude], endpoint: Endpoint
) -> None:
    """A callback of before a change of the configuration is called once, when the event has arrived."""
    endpoint.answer = Answer(500)
    heard: list[tuple[Any, int]] = []
    with Endpoint() as other:
        client = make(
            antinode_options={"shutdown_timeout": 0.2},
            callback=lambda each, code, message: heard.append((each.event_properties["n"], code)),
        )
        client.track(event(n=1))
        client.flush()
        client.configuration.server_url = other.url
        client.track(event(n=2))
        flush(client)
        assert heard == [(1, 200), (2, 200)]


@pytest.mark.parametrize(
    ("key", "configuration"),
    [(None, {}), ("", {}), (KEY, {"server_url": "nonsense"}), (KEY, {"antinode_options": {"overflow": "x"}})],
)
def test_a_wrong_configuration_is_told_and_raises_nothing(
    key: Any, configuration: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """The log says what is wrong once, each event's callback hears of it, and mending it helps."""
    heard: list[int] = []
    with Endpoint() as endpoint:
        config = Config(callback=lambda each, code, message: heard.append(code), **configuration)
        client = Amplitude(key, config)
        client.track(event(n=1))
        client.track(event(n=2))
        assert heard == [-1, -1]
        assert [record.message[:22] for record in caplog.records] == ["Events cannot be sent:"]
        config.api_key, config.server_url, config.antinode_options = KEY, endpoint.url, {}
        client.track(event(n=3))
        flush(client)
        client.shutdown()
        assert arrived(endpoint) == [{"n": 3}]
