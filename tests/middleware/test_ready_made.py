"""Ready-made middleware: what each lets through, changes and stops."""

from __future__ import annotations

import hashlib
import hmac
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antinode import Client, ConfigurationError, Identify, Middleware, MiddlewarePayload
from antinode.middleware import add_properties, allow, drop, hash_ids, rate_limit, redact, rename, sample, tee
from tests.memory import Memory, logging_client, sent
from tests.middleware.conftest import Through, event

SECRET = b"0123456789abcdef"


def passed(middleware: Middleware, given: dict[str, Any]) -> dict[str, Any] | None:
    """The event as the middleware passes it on; None if it does not."""
    seen: list[dict[str, Any]] = []
    middleware(MiddlewarePayload(given), lambda payload: seen.append(payload.event))
    return seen[0] if seen else None


def types(events: list[dict[str, Any]]) -> list[str]:
    return [each["event_type"] for each in events]


def test_drop_stops_types_patterns_and_what_is_picked(through: Through) -> None:
    """With names and a function, both have to agree."""
    events = [
        event("Health Check"),
        event("debug.sql"),
        event("Order Placed"),
        event("Order Placed", platform="bot"),
    ]
    assert types(through(drop("Health Check", "debug.*"), *events)) == ["Order Placed"] * 2
    is_bot = lambda each: each.get("platform") == "bot"  # noqa: E731
    assert len(through(drop(where=is_bot), *events)) == 3
    assert len(through(drop("Health Check", where=is_bot), *events)) == 4


def test_allow_keeps_listed_types_with_listed_properties(through: Through) -> None:
    """Everything else is taken out, out of the operations of an identify as well."""
    middleware = allow(
        {"Order *": ["total"], "Order Placed": ["total", "items"], "*": []}, user_properties=["plan"]
    )
    properties = {"total": 1, "items": 2, "email": "x"}
    people = {"plan": "pro", "email": "x", "$set": {"plan": "pro", "email": "x"}, "$unset": {"email": "-"}}
    arrived = through(
        middleware,
        event("Order Placed", event_properties=dict(properties), user_properties=people),
        event("Order Cancelled", event_properties=dict(properties)),
        event("Other", event_properties=dict(properties)),
        {"event_type": "$identify", "user_id": "user-20391", "user_properties": {"$set": people["$set"]}},
    )
    assert [each.get("event_properties") for each in arrived] == [
        {"total": 1, "items": 2},
        {"total": 1},
        {},
        None,
    ]
    assert arrived[0]["user_properties"] == {"plan": "pro", "$set": {"plan": "pro"}, "$unset": {}}
    assert arrived[3]["user_properties"] == {"$set": {"plan": "pro"}}
    assert through(allow({"Order Placed": ["*"]}), event("Other")) == []


def test_hash_ids_gives_the_same_hash_for_the_same_id(through: Through) -> None:
    """HMAC-SHA256 of the id's text; a number and its text are one id."""
    expected = hmac.new(SECRET, b"user-20391", hashlib.sha256).hexdigest()
    arrived = through(
        hash_ids(SECRET, properties=["referrer_id"]),
        event(
            event_properties={"referrer_id": "user-20391"}, user_properties={"$set": {"referrer_id": 77123}}
        ),
        {"event_type": "Tick", "device_id": "77123"},
    )
    assert arrived[0]["user_id"] == arrived[0]["event_properties"]["referrer_id"] == expected
    assert arrived[1]["device_id"] == arrived[0]["user_properties"]["$set"]["referrer_id"]
    assert "user_id" not in arrived[1]


def test_an_id_that_cannot_be_hashed_is_not_sent(through: Through) -> None:
    """It fails closed, as every middleware."""
    assert through(hash_ids(SECRET, properties=["ids"]), event(event_properties={"ids": {"a": 1}})) == []


def test_sample_picks_the_same_users_in_every_process() -> None:
    """A share of them, near to what was asked for; another salt picks others."""
    users = [f"user-{number}" for number in range(2000)]

    def picked(middleware: Middleware) -> list[str]:
        return [user for user in users if passed(middleware, {"event_type": "Tick", "user_id": user})]

    kept = picked(sample(0.25))
    assert 0.2 < len(kept) / len(users) < 0.3
    assert picked(sample({"Tick": 0.25})) == kept
    assert picked(sample(0.25, salt="b")) != kept
    assert picked(sample(0)) == []
    assert picked(sample(1)) == users
    assert set(kept) <= set(picked(sample(0.5)))
    program = (
        "from antinode import MiddlewarePayload as P\nfrom antinode.middleware import sample\nimport sys\n"
        "for n in range(2000):\n"
        "    e = {'event_type': 'Tick', 'user_id': f'user-{n}'}\n"
        "    sample(0.25)(P(e), lambda p: print(e['user_id']))\n"
    )
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert other.stdout.split() == kept


def test_sample_leaves_identifies_alone_unless_they_are_named() -> None:
    """Later events rely on what they set."""
    identify = {"event_type": "$identify", "user_id": "user-1"}
    assert passed(sample(0), dict(identify)) == identify
    assert passed(sample({"$identify": 0}), dict(identify)) is None
    assert passed(sample({"Tick": 0}), {"event_type": "Tock", "user_id": "user-1"}) is not None


def test_rate_limit_refills_and_counts_each_user_alone() -> None:
    """`most` at once, and as many again in each period."""
    now = 0.0
    middleware = rate_limit(3, per_seconds=30, event_types="Tick", clock=lambda: now)

    def tick(user: str, event_type: str = "Tick") -> bool:
        return passed(middleware, {"event_type": event_type, "user_id": user}) is not None

    assert [tick("a") for _ in range(5)] == [True] * 3 + [False] * 2
    assert tick("b")
    assert tick("a", "Tock")
    now = 10.0
    assert [tick("a"), tick("a")] == [True, False]
    now = 1000.0
    assert [tick("a") for _ in range(4)] == [True] * 3 + [False]


@given(st.lists(st.tuples(st.floats(0, 20), st.sampled_from("abc")), max_size=60))
def test_rate_limit_never_lets_through_more_than_its_rate(steps: list[tuple[float, str]]) -> None:
    """In any period of 30 s, at most twice `most` of a user: what had gathered, and what came in."""
    now = 0.0
    middleware = rate_limit(3, per_seconds=30, clock=lambda: now)
    let: dict[str, list[float]] = {}
    for wait, user in steps:
        now += wait
        if passed(middleware, {"event_type": "Tick", "user_id": user}):
            let.setdefault(user, []).append(now)
    for times in let.values():
        for begin in times:
            assert len([each for each in times if begin <= each < begin + 30]) <= 6


def test_rate_limit_remembers_so_many_users_and_no_more() -> None:
    """The users seen longest ago are forgotten first."""
    middleware = rate_limit(1, users=2, clock=lambda: 0.0)
    let = [passed(middleware, {"event_type": "T", "user_id": user}) is not None for user in "abacab"]
    assert let == [True, True, False, True, False, True]


def test_rename_changes_types_and_properties(through: Through) -> None:
    """In operations too; a property of the new name wins."""
    middleware = rename(
        event_types={"signup": "Signed Up"},
        event_properties={"amt": "amount"},
        user_properties={"mail": "email"},
    )
    arrived = through(
        middleware,
        event("signup", event_properties={"amt": 1, "b": 2}, user_properties={"$set": {"mail": "x"}}),
        event("Other", event_properties={"amt": 1, "amount": 2}),
    )
    assert types(arrived) == ["Signed Up", "Other"]
    assert arrived[0]["event_properties"] == {"amount": 1, "b": 2}
    assert arrived[0]["user_properties"] == {"$set": {"email": "x"}}
    assert arrived[1]["event_properties"] == {"amount": 2}


def test_add_properties_fills_in(through: Through) -> None:
    """From a dict or a function; the event's own win unless they are overridden."""
    own = {"release": "own"}
    arrived = through(
        add_properties({"release": "1", "host": "a"}), event(event_properties=dict(own)), event()
    )
    assert [each["event_properties"] for each in arrived] == [
        {"release": "own", "host": "a"},
        {"release": "1", "host": "a"},
    ]
    (arrived_one,) = through(
        add_properties(lambda each: {"release": each["event_type"]}, override=True),
        event(event_properties=own),
    )
    assert arrived_one["event_properties"] == {"release": "Order Placed"}
    (of_user,) = through(add_properties({"plan": "pro"}, field="user_properties"), event())
    assert of_user["user_properties"] == {"plan": "pro"}


def test_tee_gives_each_event_to_a_second_client(through: Through) -> None:
    """As the middlewares before it left it; the first one goes on with its own."""
    memory = Memory()
    with logging_client(memory) as second:
        arrived = through(
            [add_properties({"a": 1}), tee(second), add_properties({"b": 2})], event(), event("Tick")
        )
        copies = sent(second, memory)
    assert [each["event_properties"] for each in copies] == [{"a": 1}] * 2
    assert [each["event_properties"] for each in arrived] == [{"a": 1, "b": 2}] * 2
    assert [each["insert_id"] for each in copies] == [each["insert_id"] for each in arrived]


def test_what_a_tees_function_raises_costs_nothing(
    through: Through, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, without the event."""

    def broken(_: dict[str, Any]) -> None:
        raise LookupError("user-20391")

    assert len(through(tee(broken), event())) == 1
    assert "LookupError" in caplog.text
    assert "user-20391" not in caplog.records[0].getMessage()


def test_a_tee_to_the_client_itself_ends() -> None:
    """An event that a tee logged is not given to it again."""
    memory = Memory()
    with logging_client(memory) as client:
        client.add_event_middleware(tee(client))
        client.log_event(event())  # type: ignore[call-overload]
        assert len(sent(client, memory)) == 2


def test_they_compose(through: Through) -> None:
    """In the order in which they are added: what is teed was redacted, and not yet renamed."""
    copies: list[dict[str, Any]] = []
    arrived = through(
        [hash_ids(SECRET), redact(), tee(copies.append), rename(event_properties={"mail": "contact"})],
        event(event_properties={"mail": "ana@example.com"}),
    )
    assert copies[0]["event_properties"] == {"mail": "[redacted]"}
    assert arrived[0]["event_properties"] == {"contact": "[redacted]"}
    assert copies[0]["user_id"] == arrived[0]["user_id"] != "user-20391"


def test_identify_calls_pass_through_them() -> None:
    """`identify` and its kin are events like any other."""
    memory = Memory()
    with logging_client(memory) as client:
        client.add_event_middleware(redact())
        client.identify("user-20391", Identify().set("mail", "ana@example.com"))
        (arrived,) = sent(client, memory)
    assert arrived["user_properties"] == {"$set": {"mail": "[redacted]"}}


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (drop, "event types or where="),
        (lambda: drop("", "a"), "non-empty"),
        (lambda: drop(where=7), "where must be a function"),  # type: ignore[arg-type]
        (lambda: allow(["a"]), "a dict of event types"),  # type: ignore[arg-type]
        (lambda: allow({"a": [7]}), "strings, not 7"),  # type: ignore[list-item]
        (lambda: hash_ids("short"), "16 or more"),
        (lambda: hash_ids(7), "bytes or str"),  # type: ignore[arg-type]
        (lambda: sample(1.5), "from 0 to 1, not 1.5"),
        (lambda: sample({"a": True}), "from 0 to 1"),
        (lambda: rate_limit(0), "whole number from 1"),
        (lambda: rate_limit(1, per_seconds=0), "above 0"),
        (lambda: rate_limit(1, users=1.5), "whole number"),  # type: ignore[arg-type]
        (lambda: rename(event_types={"a": ""}), "non-empty"),
        (lambda: add_properties(7), "a dict or a function"),  # type: ignore[arg-type]
        (lambda: add_properties({}, field="groups"), "event_properties"),
        (lambda: tee(7), "a client or a function"),  # type: ignore[arg-type]
    ],
)
def test_what_is_configured_wrongly_is_told_at_once(make: Callable[[], Middleware], words: str) -> None:
    """With the value and what to write."""
    with pytest.raises(ConfigurationError, match=words):
        make()


def test_a_client_takes_each_of_them() -> None:
    """They are plain functions, checked as such."""
    client = Client("middlewares")
    for each in (
        drop("x"),
        allow({}),
        hash_ids(SECRET),
        sample(1),
        rate_limit(1),
        rename(),
        redact(),
        tee(print),
    ):
        client.add_event_middleware(each)
