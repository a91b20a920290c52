"""The server's own API is what its OpenAPI description says, whatever it is asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.checks import (
    ignored_auth,
    negative_data_rejection,
    positive_data_acceptance,
)

from antinode.server import Running, running
from tests.examples import examples
from tests.server.clients.players import API_KEY
from tests.server.clients.story import shop_events


def described() -> dict[str, Any]:
    """The description as a server gives it: pytest asks for it to name one test per operation."""
    with running() as server:
        description: dict[str, Any] = requests.get(f"{server.url}/api/openapi.json", timeout=120).json()
    return description


# The live stream does not end, so that no answer could be compared; test_live.py reads it.
# Of the Taxonomy API's operations, which are alike, those of one kind stand for all.
API = (
    schemathesis.openapi.from_dict(described())
    .exclude(path="/api/live")
    .exclude(path_regex="^/api/2/taxonomy/(category|event/|event$|user-|group-)")
)
TAXONOMY = "/api/2/taxonomy/"
WAIT = "/api/wait"
EXPORT = "/api/2/export"
DELETIONS = "/api/2/deletions/users"

asked = settings(
    max_examples=examples(12),
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


def fill(server: Running) -> None:
    """Events, users, a group, duplicates and a refused request."""
    events = [{**event, "insert_id": f"shop-{number}"} for number, event in enumerate(shop_events(120))]
    group = {
        "event_type": "$groupidentify",
        "groups": {"company": "Aurora Audio"},
        "group_properties": {"$set": {"tier": "gold"}},
    }
    identify = {
        "event_type": "$identify",
        "user_id": events[0]["user_id"],
        "user_properties": {"$set": {"plan": "pro"}},
    }
    refused = {**events[0], "time": "yesterday"}
    for batch in ([*events, group, identify], events[:20], [events[1], refused], [{"user_id": "user-1"}]):
        requests.post(server.server_url, json={"api_key": API_KEY, "events": batch}, timeout=120)


@pytest.fixture(scope="module")
def filled() -> Iterator[Running]:
    with running() as server:
        fill(server)
        yield server


@pytest.fixture
def changed() -> Iterator[Running]:
    """A server of the test's own: what one operation changes is not there for the next."""
    with running() as server:
        fill(server)
        yield server


@API.include(method="GET").exclude(path=WAIT).parametrize()
@asked
def test_what_is_asked_is_answered_as_described(
    case: schemathesis.Case[Any], filled: Running, session: requests.Session
) -> None:
    """No 5xx; every status, content type and body is one that the description has for the operation."""
    # Which texts are hours and days, and that both are needed, is told in words, as by Amplitude itself.
    is_told_in_words = case.path in (EXPORT, DELETIONS) or case.path.startswith(TAXONOMY)
    told_in_words = [positive_data_acceptance] if is_told_in_words else []
    # Without rules that name keys, any key opens.
    excluded = [ignored_auth, *told_in_words]
    case.call_and_validate(base_url=filled.url, session=session, excluded_checks=excluded)


@API.include(path=WAIT).parametrize()
@asked
def test_waiting_is_answered_as_described(
    case: schemathesis.Case[Any], filled: Running, session: requests.Session
) -> None:
    """The same of the operation that takes its time, cut short: random waits would take hours."""
    case.query = {**(case.query or {}), "timeout": 0}
    # What was meant to be wrong may be right now; and that either count has to be given, a schema cannot say.
    case.call_and_validate(
        base_url=filled.url,
        session=session,
        excluded_checks=[negative_data_rejection, positive_data_acceptance],
    )


@API.exclude(method="GET").parametrize()
@asked
def test_what_is_changed_is_answered_as_described(
    case: schemathesis.Case[Any], changed: Running, session: requests.Session
) -> None:
    """The same of the operations that change rules, clock, faults or everything."""
    # Faults such as being down strike the ingestion endpoints alone: the API answers all the same. Which
    # fields go together is told in words, not in the schema, so what fits it may be refused.
    excluded = [ignored_auth, positive_data_acceptance]
    case.call_and_validate(base_url=changed.url, session=session, excluded_checks=excluded)


@pytest.mark.parametrize(
    ("path", "given"),
    [
        ("/api/events/{insert_id}", {"insert_id": "shop-1"}),
        ("/api/users/{id}", {"id": "KNOWN"}),
        ("/api/groups/{type}/{name}", {"type": "company", "name": "Aurora Audio"}),
        ("/api/uploads/{id}", {"id": 1}),
        ("/api/uploads/{id}", {"id": 4}),
    ],
)
def test_what_is_there_is_answered_as_described(path: str, given: dict[str, Any], filled: Running) -> None:
    """What random ids never find: the views of an event, a user, a group and an upload."""
    known = {
        name: shop_events(1)[0]["user_id"] if value == "KNOWN" else value for name, value in given.items()
    }

    answer = API[path]["GET"].Case(path_parameters=known).call_and_validate(base_url=filled.url)

    assert answer.status_code == 200
