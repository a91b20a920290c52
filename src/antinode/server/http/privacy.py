"""The operations of Amplitude's User Privacy API, and the search that finds a user who has a device alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from antinode.server.deletions import MOST_USERS, DeletionAnswer, DeletionRequest, UnknownUsers
from antinode.server.engine import Amplitude
from antinode.server.http.basic_auth import CHALLENGE, credentials_of
from antinode.server.http.engine_thread import Worker
from antinode.server.http.operations import Failure, Operation, OperationRefused
from antinode.server.queries.users import FoundUsers

ANALYTICS_HOSTS: Final = frozenset({"amplitude.com", "analytics.eu.amplitude.com"})
"""Where Amplitude's own APIs for reading and deleting are. A client of theirs that finds this server there is
answered, if it has the key of a project; nothing else is told under these names."""

_T = TypeVar("_T")


class DeletionDays(msgspec.Struct, frozen=True, kw_only=True):
    """Between which days, both inclusive."""

    start_day: str
    """The first, such as 2026-11-04."""
    end_day: str
    """The last, at most six months later."""


class UserSearch(msgspec.Struct, frozen=True, kw_only=True):
    """Who is looked for."""

    user: str
    """A user_id, a device_id or an Amplitude ID."""


class PrivacyApi:
    """The operations, on the engine of `worker`."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    async def delete(self, body: DeletionRequest, request: Request) -> DeletionAnswer | Response:
        def delete(engine: Amplitude, project_id: int) -> DeletionAnswer:
            count = len(body.user_ids) + len(body.amplitude_ids)
            if not 0 < count <= MOST_USERS:
                raise OperationRefused(400, f"name 1 to {MOST_USERS} users, not {count}")
            try:
                return engine.delete_users(project_id, body)
            except UnknownUsers as unknown:
                reason = (
                    f"{len(unknown.ids)} of the ids are nobody's here; ignore_invalid_id passes over them"
                )
                raise OperationRefused(400, reason) from None

        answer = await self._ask(request, delete)
        if isinstance(answer, DeletionAnswer):
            # The page shows what is left.
            await self._worker.reset(lambda _: None)
        return answer

    async def jobs(self, query: DeletionDays, request: Request) -> list[DeletionAnswer] | Response:
        def jobs(engine: Amplitude, project_id: int) -> list[DeletionAnswer]:
            try:
                return engine.deletions(project_id, query.start_day, query.end_day)
            except ValueError as error:
                raise OperationRefused(400, str(error)) from None

        return await self._ask(request, jobs)

    async def search(self, query: UserSearch, request: Request) -> FoundUsers | Response:
        return await self._ask(request, lambda engine, project_id: engine.find(project_id, query.user))

    async def _ask(self, request: Request, question: Callable[[Amplitude, int], _T]) -> _T | Response:
        key, secret = credentials_of(request.headers.get("authorization", ""))

        def ask(engine: Amplitude) -> Any:
            project_id = engine.project_of(key, secret)
            return None if project_id is None else question(engine, project_id)

        found: _T | None = await self._worker.ask(ask)
        if found is not None:
            return found
        error = Failure("the credentials are not those of a project: write api_key:secret_key")
        return Response(msgspec.json.encode(error), 401, headers=CHALLENGE, media_type="application/json")

    def operations(self) -> tuple[Operation, ...]:
        """The table of them."""
        of_amplitude: dict[str, Any] = {
            "is_authorized": True,
            "hosts": ANALYTICS_HOSTS,
            "wants_request": True,
        }
        wrong = {401: "The key or its secret is wrong."}
        return (
            Operation(
                method="POST",
                path="/api/2/deletions/users",
                name="deleteUsers",
                summary="The User Privacy API: erases users, at once, by api_key:secret_key.",
                body=DeletionRequest,
                answer=DeletionAnswer,
                statuses=wrong,
                call=self.delete,
                **of_amplitude,
            ),
            Operation(
                method="GET",
                path="/api/2/deletions/users",
                name="listDeletions",
                summary="The User Privacy API: the jobs that erased users, while this server runs.",
                query=DeletionDays,
                answer=list[DeletionAnswer],
                statuses=wrong,
                call=self.jobs,
                **of_amplitude,
            ),
            Operation(
                method="GET",
                path="/api/2/usersearch",
                name="searchUsers",
                summary="The Dashboard REST API's user search: by user_id, device_id or Amplitude ID.",
                query=UserSearch,
                answer=FoundUsers,
                statuses=wrong,
                call=self.search,
                **of_amplitude,
            ),
        )
