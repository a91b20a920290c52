"""OpenTelemetry's own SDK reads the books, gives events their trace, and hands over log events."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider

import antinode
from antinode.integrations.opentelemetry import AmplitudeLogExporter, observe, trace_ids
from antinode.testing import Captured, Endpoint, capture

KEY = "0123456789abcdef0123456789abcdef"
EVENT = {"event_type": "Song Played", "user_id": "user-20391"}


@pytest.fixture
def amplitude() -> Iterator[Captured]:
    with capture() as held:
        yield held


def test_the_books_are_observed(endpoint: Endpoint) -> None:
    """Each count with the instance's name, its unit, and how events ended."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    with antinode.Client("billing").init(KEY, server_url=endpoint.url) as client:
        observe(provider, [client])
        client.log_event(EVENT)
        client.log_event({"event_type": "No User"})
        client.flush()
        data = reader.get_metrics_data()
    assert data is not None
    metrics = {each.name: each for each in data.resource_metrics[0].scope_metrics[0].metrics}
    provider.shutdown()
    settled = {
        (point.attributes["antinode.outcome"], point.attributes.get("antinode.reason")): point.value
        for point in metrics["antinode.events.settled"].data.data_points
    }
    happened = {how: count for how, count in settled.items() if count}
    assert happened == {("delivered", None): 1, ("rejected", "invalid_event"): 1}
    assert settled["dropped", "queue_full"] == 0
    accepted = metrics["antinode.events.accepted"]
    assert [(p.value, dict(p.attributes)) for p in accepted.data.data_points] == [
        (2, {"antinode.client": "billing"})
    ]
    assert (accepted.unit, accepted.data.is_monotonic) == ("{event}", True)
    assert metrics["antinode.requests.size"].unit == "By"
    assert {p.attributes["antinode.state"] for p in metrics["antinode.events.pending"].data.data_points} == {
        "queued",
        "waiting",
        "in_flight",
    }


def test_an_event_has_its_trace(amplitude: Captured) -> None:
    """Inside of a span the ids that tracing shows; outside of any, and where the event says it, as it was."""
    client = antinode.Client().add_event_middleware(trace_ids(span_property="span_id"))
    client.log_event(EVENT)
    with TracerProvider().get_tracer("shop").start_as_current_span("order") as span:
        client.log_event({**EVENT, "event_properties": {"title": "So What"}})
        client.log_event({**EVENT, "event_properties": {"trace_id": "mine"}})
    ids = span.get_span_context()
    outside, inside, own = amplitude
    assert outside.properties == {}
    assert inside.properties == {
        "title": "So What",
        "trace_id": f"{ids.trace_id:032x}",
        "span_id": f"{ids.span_id:016x}",
    }
    assert own.properties["trace_id"] == "mine"


def test_named_log_events_become_events(amplitude: Captured) -> None:
    """Those that are listed, with the attributes that are; user, device, session and time are theirs."""
    provider = LoggerProvider()
    provider.add_log_record_processor(
        SimpleLogRecordProcessor(
            AmplitudeLogExporter(
                {"order.placed": "Order Placed", "seat.taken": "Seat Taken"}, attributes=["total"]
            )
        )
    )
    logger = provider.get_logger("shop")
    attributes = {"user.id": "user-20391", "total": 12, "email": "somebody@example.com"}
    logger.emit(
        LogRecord(
            event_name="order.placed",
            timestamp=1_764_358_072_123_456_789,
            attributes={**attributes, "session.id": "1764358072000"},
        )
    )
    logger.emit(
        LogRecord(
            event_name="seat.taken",
            attributes={"device.id": "device-1", "session.id": "f3a1"},
        )
    )
    logger.emit(LogRecord(event_name="order.cancelled", attributes=attributes))
    logger.emit(LogRecord(body="no event", attributes=attributes))
    provider.shutdown()
    order, seat = amplitude
    assert (order.type, order["user_id"], order["time"]) == ("Order Placed", "user-20391", 1_764_358_072_123)
    assert (order["session_id"], order.properties) == (1_764_358_072_000, {"total": 12})
    assert (seat["device_id"], seat.properties) == ("device-1", {"session.id": "f3a1"})


@pytest.mark.parametrize("is_strict", [False, True])
def test_a_bad_log_event_costs_only_itself(endpoint: Endpoint, is_strict: bool) -> None:
    """It is told of in the log; the rest of its batch arrives when the provider shuts down."""
    with antinode.Client().init(KEY, server_url=endpoint.url, strict=is_strict) as client:
        provider = LoggerProvider()
        provider.add_log_record_processor(
            BatchLogRecordProcessor(AmplitudeLogExporter(["seat.taken"], client=client))
        )
        logger = provider.get_logger("shop")
        for user in ({}, {"user.id": "user-20391"}, {}):
            logger.emit(LogRecord(event_name="seat.taken", attributes=user))
        provider.shutdown()
        assert [event["user_id"] for event in endpoint.events] == ["user-20391"]
        assert client.stats().rejected == {"invalid_event": 2}


def test_a_name_alone_is_no_list() -> None:
    with pytest.raises(antinode.ConfigurationError, match="lists of names"):
        AmplitudeLogExporter("order.placed")
