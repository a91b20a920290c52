"""The middleware that holds events to a plan."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import antinode
from antinode.plan import PlanError, PlanViolation, conform, parse_plan
from antinode.testing import Endpoint
from tests.plan.test_reading import SHOP

PLAN = parse_plan(SHOP.replace("coupon: {type: string}", "coupon: {type: string}\n      at: {type: string}"))
ORDER: antinode.EventDict = {"event_type": "Order Placed", "user_id": "user-20391"}
GOOD = {"order_id": "88231", "total": 12.5, "currency": "EUR"}


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as endpoint:
        yield endpoint


def logged(endpoint: Endpoint, middleware: antinode.Middleware, *properties: dict[str, Any]) -> list[str]:
    """How events with these properties ended."""
    client = antinode.Client().init("0" * 32, server_url=endpoint.url)
    with client:
        client.add_event_middleware(middleware)
        deliveries = [
            client.log_event(
                {"event_type": "Order Placed", "user_id": "user-20391", "event_properties": each}
            )
            for each in properties
        ]
        return [str(each.result(120).kind) for each in deliveries]


@pytest.mark.parametrize(
    ("choice", "fate", "sent"),
    [("observe", "delivered", 3), ("warn", "delivered", 3), ("drop", "skipped", 1)],
)
def test_what_becomes_of_an_event(
    endpoint: Endpoint, caplog: pytest.LogCaptureFixture, choice: Any, fate: str, sent: int
) -> None:
    """It is counted, and sent or not; each kind of violation is told once, without what it holds."""
    caplog.set_level(logging.WARNING, "antinode")
    middleware = conform(PLAN, choice)
    wrong = GOOD | {"total": "confidential"}
    assert logged(endpoint, middleware, GOOD, wrong, wrong) == ["delivered", fate, fate]
    assert len(endpoint.events) == sent
    assert middleware.violations == {("Order Placed", "wrong_type", "total"): 2}
    told = [each for each in caplog.messages if "does not conform" in each]
    assert len(told) == (0 if choice == "observe" else 1)
    assert "confidential" not in caplog.text


def test_raising(endpoint: Endpoint) -> None:
    """With strict, the call raises, and the cause is the violation; nothing is sent."""
    client = antinode.Client().init("0" * 32, server_url=endpoint.url, strict=True)
    with client:
        client.add_event_middleware(conform(PLAN, "raise"))
        with pytest.raises(antinode.MiddlewareError) as caught:
            client.log_event({"event_type": "Order Placd", "user_id": "user-20391"})
    assert isinstance(caught.value.__cause__, PlanViolation)
    assert "did you mean `Order Placed`?" in str(caught.value.__cause__)
    assert endpoint.events == []


def test_events_are_judged_as_they_are_sent(endpoint: Endpoint) -> None:
    """A datetime is a string then, and a tuple an array."""
    middleware = conform(PLAN, "drop")
    at = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    sent = GOOD | {"at": at, "items": ({"sku": "a"},)}
    assert logged(endpoint, middleware, sent, GOOD | {"at": 5}) == ["delivered", "skipped"]


def test_what_it_is_given(tmp_path: Path) -> None:
    """A plan, or the name of its file; what is wrong is told at once."""
    (tmp_path / "plan.yaml").write_text(SHOP, encoding="utf-8")
    assert conform(tmp_path / "plan.yaml").violations == {}
    (tmp_path / "plan.yaml").write_text("version: 3", encoding="utf-8")
    with pytest.raises(PlanError, match="it must be 1"):
        conform(tmp_path / "plan.yaml")
    with pytest.raises(antinode.ConfigurationError, match="'observe', 'warn', 'drop', 'raise'"):
        conform(PLAN, "stop")  # type: ignore[arg-type]
