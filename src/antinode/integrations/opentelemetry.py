"""OpenTelemetry: the books as metrics, the trace of an event, and log events that become events."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import trace
from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation, get_meter_provider
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult

import antinode
from antinode import Client, __version__
from antinode.integrations._measures import MEASURES, Measure, books

if TYPE_CHECKING:
    from antinode import Middleware, MiddlewareNext, MiddlewarePayload

__all__ = ["AmplitudeLogExporter", "observe", "trace_ids"]

_log = logging.getLogger("antinode")
_USER_ID: Final = "user.id"
_DEVICE_ID: Final = "device.id"
_SESSION_ID: Final = "session.id"


def observe(meter_provider: MeterProvider | None = None, clients: Iterable[Client] | None = None) -> None:
    """Have the books of clients observed as metrics, whenever the provider's reader collects them.

    `meter_provider` is the global one unless given, `clients` every instance that is initialised. Names begin
    with `antinode.`; the attribute `antinode.client` has the instance's name, "default" for the default one.
    """
    meter = (meter_provider or get_meter_provider()).get_meter("antinode", __version__)
    chosen = None if clients is None else tuple(clients)
    for measure in MEASURES:
        make = meter.create_observable_counter if measure.is_counter else meter.create_observable_gauge
        make(
            f"antinode.{measure.name}",
            callbacks=[_observer(measure, chosen)],
            unit=measure.unit,
            description=measure.description,
        )


def _observer(
    measure: Measure, clients: tuple[Client, ...] | None
) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def observed(_: CallbackOptions) -> Iterable[Observation]:
        for name, stats in books(clients):
            for value, labels in measure.points(stats):
                attributes = {f"antinode.{key}": each for key, each in labels.items() if each}
                yield Observation(value, {"antinode.client": name, **attributes})

    return observed


def trace_ids(trace_property: str = "trace_id", span_property: str | None = None) -> Middleware:
    """A middleware that writes the ids of the current trace, and if asked of its span, into an event.

    They are lower-case hexadecimal, as every tracing back end shows them. What the event says itself wins; an
    event logged outside of any span is left as it is.
    """

    def add_trace_ids(payload: MiddlewarePayload, next: MiddlewareNext) -> None:
        span = trace.get_current_span().get_span_context()
        if span.is_valid:
            ids = {trace_property: trace.format_trace_id(span.trace_id)}
            if span_property is not None:
                ids[span_property] = trace.format_span_id(span.span_id)
            payload.event["event_properties"] = {**ids, **(payload.event.get("event_properties") or {})}
        next(payload)

    return add_trace_ids


class AmplitudeLogExporter(LogRecordExporter):
    """Logs named log events (`event.name`) to a client; other log records are not its concern.

    `events` lists the names that are exported, or maps each to an event type; `attributes` lists the log
    event's attributes that become event properties, under their own names. Neither has a default: what leaves
    for Amplitude is named. `user.id` and `device.id` become the ids; a `session.id` that is a number, in
    milliseconds, becomes the session, and another one the property `session.id`. `client` is the instance to
    log to, the default one unless given, which is not shut down with the exporter.
    """

    def __init__(
        self,
        events: Mapping[str, str] | Iterable[str],
        *,
        attributes: Iterable[str] = (),
        client: Client | None = None,
    ) -> None:
        if isinstance(events, str) or isinstance(attributes, str):
            raise antinode.ConfigurationError(
                'events and attributes are lists of names: write ["order.placed"], not "order.placed"'
            )
        self._types = dict(events) if isinstance(events, Mapping) else {name: name for name in events}
        self._attributes = frozenset(attributes)
        self._client = client

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """Log the events of a batch. What is wrong with one is told in antinode's log, and fails nothing."""
        client = antinode.get_instance() if self._client is None else self._client
        for record in batch:
            event_type = self._types.get(record.log_record.event_name or "")
            if event_type is not None:
                try:
                    client.log_event(self._event(event_type, record))
                except antinode.AntinodeError as error:
                    # What `strict=True` raises: the other events of the batch are none the worse.
                    _log.error("antinode: a log event could not be logged: %s", error)
        return LogRecordExportResult.SUCCESS

    def _event(self, event_type: str, record: ReadableLogRecord) -> Any:
        found: Mapping[str, Any] = record.log_record.attributes or {}
        properties = {key: value for key, value in found.items() if key in self._attributes}
        event: dict[str, Any] = {"event_type": event_type, "event_properties": properties}
        for key, name in ((_USER_ID, "user_id"), (_DEVICE_ID, "device_id")):
            if found.get(key) is not None:
                event[name] = str(found[key])
        session = found.get(_SESSION_ID)
        if session is not None:
            is_number = str(session).isascii() and str(session).isdecimal()
            (event if is_number else properties)["session_id" if is_number else _SESSION_ID] = (
                int(session) if is_number else session
            )
        moment = record.log_record.timestamp or record.log_record.observed_timestamp
        if moment:
            event["time"] = moment // 1_000_000
        return event

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what was logged. Returns whether all of it has settled in time."""
        client = antinode.get_instance() if self._client is None else self._client
        return client.flush(timeout_millis / 1000).pending == 0

    def shutdown(self) -> None:
        """Send what was logged, within 10 seconds; the client goes on."""
        self.force_flush(10_000)
