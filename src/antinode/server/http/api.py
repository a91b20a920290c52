"""The server's own API under `/api`: everything it holds, how it behaves, and the Export API.

`JsonApi.operations` is the table of it; `openapi` describes it for others.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from antinode.server.control import (
    LATEST_MS,
    ClockChange,
    ClockView,
    ExportParameters,
    FaultList,
    GivenFault,
    ProjectParameters,
    Reached,
    Reset,
    SearchParameters,
    StatsParameters,
    WaitParameters,
)
from antinode.server.engine import Amplitude
from antinode.server.http.basic_auth import CHALLENGE, credentials_of
from antinode.server.http.engine_thread import Worker
from antinode.server.http.openapi import document
from antinode.server.http.operations import Operation, OperationRefused
from antinode.server.http.privacy import ANALYTICS_HOSTS, PrivacyApi
from antinode.server.http.streams import ExportFile, LiveStream
from antinode.server.http.taxonomy import TaxonomyApi
from antinode.server.ingest.requests import IngestResponse
from antinode.server.models import (
    EventHistory,
    EventPage,
    EventQuery,
    GroupPage,
    GroupView,
    SchemaPage,
    Stats,
    Totals,
    UploadDetail,
    UploadPage,
    UploadQuery,
    UserPage,
    UserView,
)
from antinode.server.quoting import quoted
from antinode.server.rules import Rules

_T = TypeVar("_T")


class JsonApi:
    """The operations, on the engine of `worker`."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self.operations = self._table()
        self._described: dict[str, Any] | None = None

    async def events(self, query: EventQuery) -> EventPage:
        return await self._worker.ask(lambda engine: engine.events(query))

    async def event(self, insert_id: str) -> EventHistory:
        history = await self._worker.ask(lambda engine: engine.event(insert_id))
        return _found(history, f"no event with insert_id {quoted(insert_id)} came, or it is forgotten")

    async def uploads(self, query: UploadQuery) -> UploadPage:
        return await self._worker.ask(lambda engine: engine.uploads(query))

    async def upload(self, id: int) -> UploadDetail:
        detail = await self._worker.ask(lambda engine: engine.upload(id))
        return _found(detail, f"there is no upload {id}, or it is forgotten")

    async def users(self, query: SearchParameters) -> UserPage:
        return await self._worker.ask(lambda engine: engine.users(query.search, query.limit))

    async def user(self, id: str, query: ProjectParameters) -> UserView:
        view = await self._worker.ask(lambda engine: engine.user(id, query.project_id))
        return _found(view, f"no user has the user_id or device_id {quoted(id)}")

    async def groups(self, query: SearchParameters) -> GroupPage:
        return await self._worker.ask(lambda engine: engine.groups(query.search, query.limit))

    async def group(self, type: str, name: str, query: ProjectParameters) -> GroupView:
        view = await self._worker.ask(lambda engine: engine.group(type, name, query.project_id))
        return _found(view, f"there is no group {quoted(name)} of type {quoted(type)}")

    async def schema(self) -> SchemaPage:
        return await self._worker.ask(lambda engine: engine.schema())

    async def plan_in_yaml(self) -> Response:
        return await self._plan("tracking-plan.yaml", is_json=False)

    async def plan_in_json(self) -> Response:
        return await self._plan("tracking-plan.json", is_json=True)

    async def _plan(self, name: str, *, is_json: bool) -> Response:
        # In pieces, between which the engine does what else is asked of it.
        while await self._worker.ask(lambda engine: engine.read_on()):
            pass
        text = await self._worker.ask(lambda engine: engine.tracking_plan(is_json=is_json))
        headers = {
            "content-type": "application/json" if is_json else "application/yaml",
            "content-disposition": f'attachment; filename="{name}"',
        }
        return Response(text, headers=headers)

    async def stats(self, query: StatsParameters) -> Stats:
        return await self._worker.ask(lambda engine: engine.stats(query.span_s))

    async def wait(self, query: WaitParameters) -> Reached | Response:
        if query.events is None and query.uploads is None:
            raise OperationRefused(400, "say what to wait for: events=N, uploads=N, or both")
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._arrival(query), query.timeout)
        reached = self._reached(query)
        if reached.reached:
            return reached
        return Response(msgspec.json.encode(reached), 408, media_type="application/json")

    async def rules(self) -> Rules:
        return await self._worker.ask(lambda engine: engine.rules)

    async def set_rules(self, body: Rules) -> Rules:
        def put(engine: Amplitude) -> None:
            engine.rules = body

        await self._worker.ask(put)
        return body

    async def clock(self) -> ClockView:
        return await self._worker.ask(_clock)

    async def set_clock(self, body: ClockChange) -> ClockView:
        def put(engine: Amplitude) -> ClockView:
            clock = engine.clock
            before = clock.now_ms() if body.at_ms is msgspec.UNSET or body.at_ms is None else body.at_ms
            if not 0 <= before + body.advance_ms <= LATEST_MS:
                raise OperationRefused(
                    422, f"advance_ms is {body.advance_ms}, which leaves the years 1970 to 9999"
                )
            if body.at_ms is None:
                clock.run()
            elif body.at_ms is not msgspec.UNSET:
                clock.fix(body.at_ms)
            clock.advance(body.advance_ms)
            return _clock(engine)

        return await self._worker.ask(put)

    async def faults(self) -> FaultList:
        return await self._worker.ask(_faults)

    async def add_faults(self, body: GivenFault | list[GivenFault]) -> FaultList:
        def add(engine: Amplitude) -> FaultList:
            now_ms = engine.clock.now_ms()
            try:
                # All are read before any is added, so that a mistake adds none.
                faults = [given.fault() for given in (body if isinstance(body, list) else [body])]
                return FaultList(faults=[engine.faults.add(fault, now_ms) for fault in faults])
            except ValueError as error:
                raise OperationRefused(422, str(error)) from None

        return await self._worker.ask(add)

    async def remove_fault(self, id: int) -> FaultList:
        def remove(engine: Amplitude) -> FaultList:
            if not engine.faults.remove(id):
                raise OperationRefused(404, f"there is no fault {id}; GET /api/faults lists them")
            return _faults(engine)

        return await self._worker.ask(remove)

    async def clear_faults(self) -> FaultList:
        def clear(engine: Amplitude) -> FaultList:
            engine.faults.clear()
            return _faults(engine)

        return await self._worker.ask(clear)

    async def reset(self, body: Reset | None) -> Totals:
        keep = frozenset(body.keep if body is not None else ())
        await self._worker.reset(lambda engine: engine.reset(keep))
        return self._worker.totals

    async def live(self) -> Response:
        if self._worker.live.is_full:
            raise OperationRefused(503, "too many watch the live stream already; close some")
        return LiveStream(self._worker)

    async def export(self, query: ExportParameters, request: Request) -> Response:
        key, secret = credentials_of(request.headers.get("authorization", ""))
        found = await self._worker.ask(lambda engine: engine.export(key, secret, query.start, query.end))
        if isinstance(found, IngestResponse):
            headers = CHALLENGE if found.status == 401 else {}
            return Response(
                found.body,
                found.status,
                headers=found.headers | headers | {"content-type": found.content_type},
            )
        return ExportFile(found)

    async def openapi(self) -> dict[str, Any]:
        if self._described is None:
            self._described = document(self.operations)
        return self._described

    async def _arrival(self, query: WaitParameters) -> None:
        while not self._reached(query).reached and not self._worker.is_closing:
            await self._worker.change()

    def _reached(self, query: WaitParameters) -> Reached:
        totals = self._worker.totals
        reached = totals.events >= (query.events or 0) and totals.uploads >= (query.uploads or 0)
        return Reached(events=totals.events, uploads=totals.uploads, reached=reached)

    def _table(self) -> tuple[Operation, ...]:
        return (
            Operation(
                method="GET",
                path="/api/events",
                name="listEvents",
                summary="Events as they came, newest first.",
                query=EventQuery,
                answer=EventPage,
                call=self.events,
            ),
            Operation(
                method="GET",
                path="/api/events/{insert_id}",
                name="getEvent",
                summary="Everything known of one event: when it came, in which requests, what was answered.",
                answer=EventHistory,
                statuses={404: "No event with this insert_id is known."},
                call=self.event,
            ),
            Operation(
                method="GET",
                path="/api/uploads",
                name="listUploads",
                summary="Requests to the ingestion APIs, newest first.",
                query=UploadQuery,
                answer=UploadPage,
                call=self.uploads,
            ),
            Operation(
                method="GET",
                path="/api/uploads/{id:int}",
                name="getUpload",
                summary="One request, with its events.",
                answer=UploadDetail,
                statuses={404: "There is no such upload."},
                call=self.upload,
            ),
            Operation(
                method="GET",
                path="/api/users",
                name="listUsers",
                summary="Users, those seen last first.",
                query=SearchParameters,
                answer=UserPage,
                call=self.users,
            ),
            Operation(
                method="GET",
                path="/api/users/{id}",
                name="getUser",
                summary="A user by user_id or else by device_id, with its properties as they stand.",
                query=ProjectParameters,
                answer=UserView,
                statuses={404: "Nobody has this id."},
                call=self.user,
            ),
            Operation(
                method="GET",
                path="/api/groups",
                name="listGroups",
                summary="Groups, those seen last first.",
                query=SearchParameters,
                answer=GroupPage,
                call=self.groups,
            ),
            Operation(
                method="GET",
                path="/api/groups/{type}/{name}",
                name="getGroup",
                summary="A group with its properties as they stand.",
                query=ProjectParameters,
                answer=GroupView,
                statuses={404: "There is no such group."},
                call=self.group,
            ),
            Operation(
                method="GET",
                path="/api/schema",
                name="getSchema",
                summary="Event types and properties as they have been seen, beside the plan if there is one.",
                answer=SchemaPage,
                call=self.schema,
            ),
            Operation(
                method="GET",
                path="/api/schema/tracking-plan.yaml",
                name="getPlan",
                summary="What has been seen as a tracking plan, merged with the one that was given.",
                media_type="application/yaml",
                call=self.plan_in_yaml,
            ),
            Operation(
                method="GET",
                path="/api/schema/tracking-plan.json",
                name="getPlanAsJson",
                summary="The same in JSON.",
                media_type="application/json",
                call=self.plan_in_json,
            ),
            Operation(
                method="GET",
                path="/api/stats",
                name="getStats",
                summary="Counts of everything, with a series over time.",
                query=StatsParameters,
                answer=Stats,
                call=self.stats,
            ),
            Operation(
                method="GET",
                path="/api/wait",
                name="wait",
                summary="Answers once so many events or uploads are there.",
                query=WaitParameters,
                answer=Reached,
                statuses={408: ("They were not there in time.", Reached)},
                call=self.wait,
            ),
            Operation(
                method="GET",
                path="/api/rules",
                name="getRules",
                summary="The rules in force.",
                answer=Rules,
                call=self.rules,
            ),
            Operation(
                method="PUT",
                path="/api/rules",
                name="putRules",
                summary="Puts other rules in force; what was stored stays.",
                body=Rules,
                answer=Rules,
                call=self.set_rules,
            ),
            Operation(
                method="GET",
                path="/api/clock",
                name="getClock",
                summary="What time it is for the server.",
                answer=ClockView,
                call=self.clock,
            ),
            Operation(
                method="PUT",
                path="/api/clock",
                name="putClock",
                summary="Stops the clock, moves it, or lets it go by real time again.",
                body=ClockChange,
                answer=ClockView,
                call=self.set_clock,
            ),
            Operation(
                method="GET",
                path="/api/faults",
                name="listFaults",
                summary="The faults, with what each has done; those that are over stay for a while.",
                answer=FaultList,
                call=self.faults,
            ),
            Operation(
                method="POST",
                path="/api/faults",
                name="addFaults",
                summary="Puts faults in force, and answers with those added.",
                body=GivenFault | list[GivenFault],
                answer=FaultList,
                call=self.add_faults,
            ),
            Operation(
                method="DELETE",
                path="/api/faults",
                name="clearFaults",
                summary="Takes all faults back.",
                answer=FaultList,
                call=self.clear_faults,
            ),
            Operation(
                method="DELETE",
                path="/api/faults/{id:int}",
                name="removeFault",
                summary="Takes one fault back, and answers with those left.",
                answer=FaultList,
                statuses={404: "There is no such fault."},
                call=self.remove_fault,
            ),
            Operation(
                method="POST",
                path="/api/reset",
                name="reset",
                summary="Forgets everything, as if the server had just been started.",
                body=Reset,
                is_body_optional=True,
                answer=Totals,
                call=self.reset,
            ),
            Operation(
                method="GET",
                path="/api/live",
                name="watch",
                summary="What arrives, as server-sent events: `tick`, at most eight a second, and `reset`.",
                media_type="text/event-stream",
                statuses={503: "Too many watch already."},
                call=self.live,
            ),
            Operation(
                method="GET",
                path="/api/2/export",
                name="export",
                summary="The Export API: a ZIP archive of gzipped JSON lines, by api_key:secret_key.",
                query=ExportParameters,
                media_type="application/zip",
                is_authorized=True,
                hosts=ANALYTICS_HOSTS,
                wants_request=True,
                statuses={
                    401: "The key or its secret is wrong.",
                    404: "Nothing was received in these hours.",
                },
                call=self.export,
            ),
            *PrivacyApi(self._worker).operations(),
            *TaxonomyApi(self._worker).operations(),
            Operation(
                method="GET",
                path="/api/openapi.json",
                name="describe",
                summary="This description.",
                answer=dict[str, Any],
                call=self.openapi,
            ),
        )


def _clock(engine: Amplitude) -> ClockView:
    clock = engine.clock
    return ClockView(now_ms=clock.now_ms(), is_fixed=clock.is_fixed, ahead_ms=clock.ahead_ms)


def _faults(engine: Amplitude) -> FaultList:
    return FaultList(faults=list(engine.faults.list(engine.clock.now_ms())))


def _found(value: _T | None, otherwise: str) -> _T:
    if value is None:
        raise OperationRefused(404, otherwise)
    return value
