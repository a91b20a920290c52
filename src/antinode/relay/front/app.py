"""The front as a web application.

/2/httpapi, /batch, /identify, /groupidentify, POST /   events
/config, /config/<key>, /v1/capture                     what SDKs ask for besides
/healthz, /readyz, /metrics, /status                    what it says of itself
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import msgspec
from starlette.routing import Router
from starlette.types import Receive, Scope, Send

from antinode._delivery.shell.log_limiter import LogLimiter
from antinode.relay.delivery_metrics import delivery_metrics
from antinode.relay.figures import Delivering, DeliveryFigures
from antinode.relay.front.meter import Meter
from antinode.relay.front.metrics import front_metrics
from antinode.relay.front.reading import APIS, Reader, TakenEvents
from antinode.relay.intake import Intake, IntakeStats, NotKept
from antinode.relay.projects import Projects
from antinode.relay.reporting import report_routes
from antinode.server.http.answering import Answering, sdk_routes
from antinode.server.http.ingestion import Ingestion
from antinode.server.ingest import responses
from antinode.server.ingest.requests import IngestResponse, Received

_KNOWN: Final = frozenset(api.value for api in APIS)
_NOT_KEPT: Final = "The relay cannot keep events at present: send them again"


class RelayStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How a relay stands: the answer of `/status`."""

    is_ready: bool
    why: str
    """Why it is not ready."""
    intake: IntakeStats
    fingerprints: dict[str, str]
    """Of the projects' keys, by the projects' names."""
    delivery: dict[str, DeliveryFigures] | None
    """By the project's name; None: this process does not deliver."""


class Front:
    """Answers requests, and has their events kept by an intake, which somebody else opens and closes."""

    def __init__(
        self,
        projects: Projects,
        intake: Intake,
        *,
        delivering: Delivering | None = None,
        proxies: int = 0,
        on_error: Callable[[Exception], None],
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        """`delivering` tells how delivery stands, where it happens in this process; `proxies` as for
        `Ingestion`; `on_error` hears of every mistake of ours."""
        self.meter = Meter()
        self._projects = projects
        self._reader = Reader(projects)
        self._intake = intake
        self._delivering = delivering
        self._now_ms = now_ms
        self._is_ending = False
        self._log = LogLimiter(time.monotonic)
        self._ingestion = Ingestion(self.take, proxies=proxies)
        self._router = Router(
            [
                *report_routes(self),
                *sdk_routes(),
            ],
            redirect_slashes=False,
            default=self._ingestion,
        )
        self._answering = Answering(self._router, on_error, "The relay failed; see its log")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._answering(scope, receive, send)

    def end(self) -> None:
        """Be ready no more: others are to be sent to. Requests that come all the same are taken."""
        self._is_ending = True

    async def take(self, received: Received) -> IngestResponse:
        """The answer to a request of an ingestion API, once its events are durable."""
        answer = await self._take(received)
        path = received.path if received.path in _KNOWN else "other"
        self.meter.answers[path, answer.status] += 1
        return answer

    async def _take(self, received: Received) -> IngestResponse:
        now_ms = self._now_ms()
        taken = self._reader.read(received, now_ms)
        if not isinstance(taken, TakenEvents):
            return taken
        began = time.perf_counter()
        try:
            await self._intake.keep(taken.project, taken.events)
        except NotKept as refused:
            text = f"events of project {taken.project.name} are answered 503: {refused.why}"
            self._log.say("WARNING", f"relay not kept {taken.project.name}", text)
            return responses.unavailable(received.path, _NOT_KEPT, refused.retry_after)
        self.meter.kept(
            taken.project,
            len(taken.events),
            sum(len(event.body) for event in taken.events),
            time.perf_counter() - began,
        )
        return responses.accepted(taken.api, len(taken.events), received, now_ms)

    def why_unhealthy(self) -> str:
        """Nothing: whoever answers this runs."""
        return ""

    def why_not_ready(self) -> str:
        """Why it takes no events at present; "" while it does."""
        if self._is_ending:
            return "it is ending"
        health = self._intake.health()
        return "" if health.takes else health.why or "its intake takes no events"

    def status(self) -> RelayStatus:
        """How the relay stands."""
        why = self.why_not_ready()
        return RelayStatus(
            is_ready=not why,
            why=why,
            intake=self._intake.stats(),
            fingerprints={each.name: each.fingerprint for each in self._projects},
            delivery=None if self._delivering is None else dict(self._delivering.figures()),
        )

    def metrics(self) -> str:
        """Its figures, and those of delivery where that happens in this process."""
        is_ready = not self.why_not_ready()
        text = front_metrics(self.meter, is_ready=is_ready, waiting=self._intake.stats().waiting)
        return text if self._delivering is None else text + delivery_metrics(self._delivering.figures())
