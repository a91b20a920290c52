"""`client.forget` with the secret key: what Amplitude is asked, and what is told of its answers."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3

import antinode
from antinode import Client, ConfigurationError, DeletionError, DeletionJob
from antinode._forgetting.people import people_of
from antinode._forgetting.user_privacy import UserPrivacyApi
from antinode._options import read_options
from antinode._project_api import origin_of
from antinode.server import Running, running
from tests.memory import KEY, Memory
from tests.scripted import Answer, Scripted
from tests.test_consent import event

SECRET = "fedcba9876543210fedcba9876543210"


@pytest.fixture
def amplitude() -> Iterator[Running]:
    with running() as server:
        server.api.set_rules(api_keys=[{"key": KEY, "secret": SECRET}])
        yield server


def api_of(url: str, pauses: list[float] | None = None) -> UserPrivacyApi:
    pause = [].append if pauses is None else pauses.append  # type: ignore[var-annotated]
    return UserPrivacyApi(read_options({"server_url": url}), KEY, SECRET, pause=pause)


JOB = b'{"day":"2026-12-04","status":"staging","amplitude_ids":[{"amplitude_id":1}],"invalid_ids":["x"]}'


def test_who_is_forgotten_here_is_forgotten_there(amplitude: Running) -> None:
    """With a user_id, and with a device alone; others stay, in the queue and at Amplitude."""
    with Client().init(KEY, server_url=amplitude.server_url, upload_interval_in_sec=600) as client:
        for user in ("user-a", "user-b"):
            client.log_event(event(user, device_id=f"of-{user}"))
        client.log_event({"event_type": "A", "device_id": "device-1"})
        client.flush(120)
        client.log_event(event("user-a"))
        found = client.forget("user-a", device_id=["device-1", "nowhere"], secret_key=SECRET, requester="me")
        assert found.queued == 1
        assert [(job.status, job.users, job.unknown) for job in found.jobs] == [
            ("staging", 1, 0),
            ("staging", 1, 0),
        ]
    assert [each.user_id for each in amplitude.api.events()] == ["user-b"]
    assert [each.user_id for each in amplitude.api.users()] == ["user-b"]


def test_a_hundred_users_go_in_each_request_and_one_request_in_a_second() -> None:
    """With the credentials by Basic auth, and who asks for it."""
    pauses: list[float] = []
    with Scripted([Answer(200, JOB)]) as server:
        api = api_of(server.url, pauses)
        jobs = api.delete(people_of([f"user-{n:03}" for n in range(250)], None), "me@example.com")
        api.close()
    assert jobs == [DeletionJob(day="2026-12-04", status="staging", users=1, unknown=1)] * 3
    assert [len(each.document["user_ids"]) for each in server.asked] == [100, 100, 50]
    assert {each[:2] for each in server.asked} == {("POST", "/api/2/deletions/users")}
    assert {each.document["requester"] for each in server.asked} == {"me@example.com"}
    assert pauses == [1.0, 1.0]
    assert server.authorizations == {urllib3.make_headers(basic_auth=f"{KEY}:{SECRET}")["authorization"]}


@pytest.mark.parametrize(
    ("answers", "requests"),
    [
        ([(429, b""), (503, b""), (200, JOB)], 3),
        ([(500, b"")], 3),
        ([(401, b"")], 1),
        ([(200, b"<html>")], 1),
    ],
    ids=["recovers", "is-down", "wrong-secret", "page"],
)
def test_what_amplitude_refuses_is_raised_with_what_was_removed(
    answers: list[tuple[int, bytes]],
    requests: int,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A 429 and a 5xx are tried again; no message, log line or repr holds key, secret or user."""
    monkeypatch.setattr("antinode._forgetting.user_privacy.SECONDS_PER_REQUEST", 0.0)
    is_well = answers[-1] == (200, JOB)
    with Scripted([Answer(*each) for each in answers]) as server, caplog.at_level(logging.DEBUG):
        client = Client().init(
            KEY,
            server_url=server.url,
            transport=Memory(is_open=False),
            upload_interval_in_sec=600,
            shutdown_timeout=0,
        )
        client.log_event(event("user-a"))
        told = ""
        try:
            found = client.forget("user-a", secret_key=SECRET)
        except DeletionError as error:
            found, told = error.forgotten or antinode.Forgotten(), f"{error!r} {error}"
        finally:
            client.shutdown(0)
    assert (found.queued, bool(told), len(server.asked)) == (1, not is_well, requests)
    seen = f"{told} {client!r} {api_of(server.url)!r} {caplog.text}"
    assert not any(secret in seen for secret in (SECRET, KEY, "user-a"))


def test_where_it_is_asked() -> None:
    """By the project's zone; a server of one's own is asked itself, without the user and path of its URL."""
    for options, origin in (
        ({}, "https://amplitude.com"),
        ({"server_zone": "EU"}, "https://analytics.eu.amplitude.com"),
        ({"server_url": "https://api2.amplitude.com/2/httpapi"}, "https://amplitude.com"),
        ({"server_url": "https://api.eu.amplitude.com/batch"}, "https://analytics.eu.amplitude.com"),
        ({"server_url": "https://a:b@relay.example.com:8443/2/httpapi"}, "https://relay.example.com:8443"),
    ):
        assert origin_of(read_options(options)) == origin


@pytest.mark.parametrize(
    ("options", "secret", "match"),
    [
        ({"server_url": "http://relay.example.com"}, SECRET, "encrypted"),
        ({}, "", "secret_key"),
        ({}, "a\nb", "secret_key"),
    ],
)
def test_a_secret_that_must_not_be_sent_is_not(options: dict[str, Any], secret: str, match: str) -> None:
    """In the clear, or none at all: refused before anything is removed."""
    client = Client().init(KEY, transport=Memory(), upload_interval_in_sec=600, **options)
    try:
        client.log_event(event("user-a"))
        with pytest.raises(ConfigurationError, match=match) as raised:
            client.forget("user-a", secret_key=secret)
        assert SECRET not in str(raised.value)
        assert client.stats().queued == 1
    finally:
        client.shutdown(0)
    with pytest.raises(ConfigurationError, match="init"):
        antinode.Client().forget("user-a", secret_key=SECRET)
