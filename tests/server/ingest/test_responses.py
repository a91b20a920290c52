from __future__ import annotations

import json

import pytest

from antinode._protocol.responses import Action, judge
from antinode.server.ingest import responses
from antinode.server.ingest.apis import IngestApi
from antinode.server.ingest.parsing import RequestReading, read
from antinode.server.ingest.requests import IngestResponse, Received
from antinode.server.ingest.responses import Refusal
from antinode.server.rules import Rules

BODY = b'{"api_key": "k", "events": [{}, {}]}'


def reading(path: str = "/2/httpapi") -> tuple[RequestReading, Received]:
    body, query = (
        (BODY, "")
        if path in ("/2/httpapi", "/batch")
        else (b"", "api_key=k&client=k&e=[{}]&identification={}")
    )
    received = Received(method="POST", path=path, query=query, body=body, wire_size=len(body))
    found = read(received, Rules())
    assert isinstance(found, RequestReading), found
    return found, received


def accepted(path: str, now_ms: int) -> IngestResponse:
    found, received = reading(path)
    return responses.accepted(found.api, len(found.events), received, now_ms)


@pytest.mark.parametrize("path", ["/2/httpapi", "/batch"])
def test_a_success_counts_events_and_bytes(path: str) -> None:
    """The bytes are those that came, before decompression; the time is the server's."""
    answer = accepted(path, 1793817970000)
    assert (answer.status, answer.content_type) == (200, "application/json")
    assert json.loads(answer.body) == {
        "code": 200,
        "events_ingested": 2,
        "payload_size_bytes": len(BODY),
        "server_upload_time": 1793817970000,
    }


@pytest.mark.parametrize("path", ["/identify", "/"])
def test_a_success_in_text_is_one_word(path: str) -> None:
    """Of the Identify API and of the legacy one."""
    answer = accepted(path, 0)
    assert (answer.status, answer.body, answer.content_type) == (200, b"success", "text/plain; charset=utf-8")


@pytest.mark.parametrize(
    ("refusal", "action"),
    [
        (responses.invalid_path(), Action.STOP),
        (responses.missing_body(), Action.STOP),
        (responses.invalid_json(5, "oops"), Action.BISECT),
        (responses.missing_field("api_key", None, 5, None), Action.STOP),
        (responses.invalid_api_key(IngestApi.BATCH, "wrong", None, 5), Action.STOP),
        (responses.too_large(IngestApi.HTTP_V2), Action.HALVE),
        (responses.bad_events(IngestApi.BATCH, "invalid", {"time": [1]}, {}), Action.SORT),
        (responses.silenced(IngestApi.BATCH, {"silenced_events": [0]}, {}), Action.SORT),
        (responses.throttled(IngestApi.BATCH, {"throttled_events": [0]}, {}), Action.SORT),
        (responses.project_throttled(IngestApi.BATCH), Action.WAIT),
    ],
)
def test_our_client_understands_each_refusal(refusal: Refusal, action: Action) -> None:
    """A body is an object with the status as its `code`, and the protocol's judge knows what to do."""
    answer = refusal.answer()
    assert answer.content_type == "application/json"
    assert json.loads(answer.body)["code"] == answer.status == refusal.status
    assert judge(answer.status, answer.headers, answer.body, 2, lambda _: (None, None)).action is action


def test_a_wait_goes_into_a_header() -> None:
    """In seconds; the Identify API asks for less, a project for more."""
    waits = [
        responses.throttled(IngestApi.HTTP_V2, {}, {}),
        responses.throttled(IngestApi.IDENTIFY, {}, {}),
        responses.project_throttled(IngestApi.BATCH),
    ]
    assert [refusal.answer().headers for refusal in waits] == [
        {"Retry-After": "30"},
        {"Retry-After": "15"},
        {"Retry-After": "60"},
    ]
    assert responses.too_large(IngestApi.BATCH).answer().headers == {}


@pytest.mark.parametrize(("api", "threshold"), [(IngestApi.HTTP_V2, 30), (IngestApi.BATCH, 1000)])
def test_each_429_names_a_threshold(api: IngestApi, threshold: int) -> None:
    """The one asked for, else the documented one: Amplitude's Java SDK reads it in every 429."""
    for refusal in (responses.throttled(api, {}, {}), responses.project_throttled(api)):
        assert json.loads(refusal.answer().body)["eps_threshold"] == threshold
    stated = responses.throttled(api, {"eps_threshold": 7}, {})
    assert json.loads(stated.answer().body)["eps_threshold"] == 7


def test_only_the_wire_sees_a_wrong_key() -> None:
    """It is repeated as it came, but not a megabyte of it; what is kept of the answer has none of it."""
    refusal = responses.invalid_api_key(IngestApi.HTTP_V2, "geheim-" * 100_000, None, 0)
    sent = json.loads(refusal.answer().body)
    assert sent["error"].startswith("Invalid API key: geheim-geheim-")
    assert len(sent["error"]) < 300
    assert "geheim" not in refusal.error + refusal.shown
    assert json.loads(refusal.shown) == {"code": 400, "error": "Invalid API key: …"}


@pytest.mark.parametrize("api", [IngestApi.LEGACY, IngestApi.IDENTIFY, IngestApi.GROUP_IDENTIFY])
def test_some_apis_answer_in_text(api: IngestApi) -> None:
    """Whatever the refusal."""
    refusals = [
        responses.missing_event(),
        responses.invalid_api_key(api, "wrong", None, 0),
        responses.too_large(api),
        responses.bad_events(api, "invalid", {"time": [0]}, {}),
        responses.silenced(api, {}, {}),
        responses.throttled(api, {}, {}),
        responses.project_throttled(api),
    ]
    for refusal in refusals:
        answer = refusal.answer()
        assert answer.content_type == "text/plain; charset=utf-8"
        assert refusal.shown == answer.body.decode()
        assert "wrong" not in refusal.shown
