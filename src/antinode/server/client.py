"""A client of a local Amplitude's own API: what tests and scripts ask it, and how they steer it."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Final, TypedDict, TypeVar
from urllib.parse import quote, urlencode

import msgspec
import urllib3

from antinode._protocol.secrets import public_url
from antinode._protocol.words import counted
from antinode.server.control import ClockView, FaultList, Reached
from antinode.server.faults.faults import Fault, FaultView, parse
from antinode.server.models import (
    Arrival,
    EventHistory,
    EventOutcome,
    EventView,
    GroupBrief,
    GroupPage,
    GroupView,
    SchemaPage,
    SeenEventType,
    Stats,
    UploadDetail,
    UploadPage,
    UploadView,
    UserBrief,
    UserPage,
    UserView,
)
from antinode.server.rules import Rules

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from antinode.server.engine import Keep

_Answer = TypeVar("_Answer")

_PAGE: Final = 10_000


class ApiError(Exception):
    """The server refused a request of its API."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(status, reason)
        self.status, self.reason = status, reason

    def __str__(self) -> str:
        return f"answered {self.status}: {self.reason}"


class Event(EventView, frozen=True, kw_only=True):
    """One event that came, with `event` as a dict."""

    event: dict[str, Any]  # type: ignore[assignment]  # the same JSON, decoded


class EventArrival(Arrival, frozen=True, kw_only=True):
    """One time that an event came, with the event as a dict."""

    event: Event


class History(EventHistory, frozen=True, kw_only=True):
    """Everything known of one insert_id."""

    arrivals: list[EventArrival]  # type: ignore[assignment]  # the same JSON, decoded


class Upload(UploadDetail, frozen=True, kw_only=True):
    """One upload with its events, each as a dict."""

    events: list[Event]  # type: ignore[assignment]  # the same JSON, decoded


class EventFilters(TypedDict, total=False):
    """Which events. What is not given does not restrict; see `EventQuery` for each."""

    limit: int
    before: int
    after: int
    event_type: str
    user: str
    user_id: str
    device_id: str
    insert_id: str
    group: str
    library: str
    outcome: EventOutcome
    problem: str
    upload_id: int
    project_id: int
    text: str


class UploadFilters(TypedDict, total=False):
    """Which uploads; see `UploadQuery`."""

    limit: int
    before: int
    failed: bool
    path: str


class Api:
    """Asks a local Amplitude at `url`, and steers it. Every method blocks until the answer is there.

    May be used from several threads. Raises `ApiError` when the server refuses, and urllib3's errors when it
    cannot be reached.
    """

    def __init__(self, url: str, *, timeout: float = 30.0) -> None:
        self.url = url.rstrip("/")
        self._timeout = timeout
        self._pool = urllib3.PoolManager(retries=False, maxsize=4)

    def __repr__(self) -> str:
        return f"<Api {public_url(self.url)}>"

    def close(self) -> None:
        """Give its connections back; it may be used again."""
        self._pool.clear()

    def events(self, **filters: Unpack[EventFilters]) -> list[Event]:
        """The newest events, newest first; 100 unless `limit` says otherwise, which may exceed one page."""
        wanted = filters.get("limit", 100)
        found: list[Event] = []
        while len(found) < wanted:
            filters["limit"] = min(wanted - len(found), _PAGE)
            page = self._get("/api/events", _EventPage, filters)
            found += page.events
            if page.next_before is None:
                break
            filters["before"] = page.next_before
        return found

    def event(self, insert_id: str) -> History | None:
        """Everything known of this insert_id; None if it never came."""
        return self._find(f"/api/events/{_segment(insert_id)}", History)

    def uploads(self, **filters: Unpack[UploadFilters]) -> list[UploadView]:
        """The newest requests, newest first; 100 unless `limit` says otherwise."""
        return self._get("/api/uploads", UploadPage, filters).uploads

    def upload(self, upload_id: int) -> Upload | None:
        """One request with its events; None if there is none of this id."""
        return self._find(f"/api/uploads/{upload_id}", Upload)

    def users(self, search: str = "", *, limit: int = 100) -> list[UserBrief]:
        """Users with an id that holds `search`; those seen last first."""
        return self._get("/api/users", UserPage, {"search": search, "limit": limit}).users

    def user(self, user: str, *, project_id: int | None = None) -> UserView | None:
        """The user of this user_id or, if there is none, of this device_id; None if neither is known."""
        return self._find(f"/api/users/{_segment(user)}", UserView, {"project_id": project_id})

    def groups(self, search: str = "", *, limit: int = 100) -> list[GroupBrief]:
        """Groups whose type or name holds `search`; those seen last first."""
        return self._get("/api/groups", GroupPage, {"search": search, "limit": limit}).groups

    def group(self, group_type: str, group_name: str, *, project_id: int | None = None) -> GroupView | None:
        """A group with its properties; None if it is not known."""
        path = f"/api/groups/{_segment(group_type)}/{_segment(group_name)}"
        return self._find(path, GroupView, {"project_id": project_id})

    def schema(self) -> list[SeenEventType]:
        """The event types that came, those seen most often first, with what their properties were like.

        Beside a plan, what is planned and never came is at the end.
        """
        return self.schema_page().event_types

    def schema_page(self) -> SchemaPage:
        """The same with the properties of users and groups, and how much is not as planned."""
        while True:
            page = self._get("/api/schema", SchemaPage)
            if not page.unread:
                return page

    def tracking_plan(self) -> str:
        """What came as a tracking plan in YAML, merged with the plan that the server was given."""
        status, body = self._send("GET", "/api/schema/tracking-plan.yaml")
        if status != 200:
            raise ApiError(status, _reason(body))
        return body.decode()

    def stats(self, *, span_s: int = 300) -> Stats:
        """Counts, with a series over the last `span_s` seconds."""
        return self._get("/api/stats", Stats, {"span_s": span_s})

    def wait(
        self, *, events: int | None = None, uploads: int | None = None, timeout: float = 10.0
    ) -> Reached:
        """Block until so many events were accepted, or uploads received, in all.

        Counted since the server began or was reset. Raises TimeoutError if they are not there in time.
        """
        query = {"events": events, "uploads": uploads, "timeout": timeout}
        status, body = self._send("GET", "/api/wait", query, patience=timeout)
        if status not in (200, 408):
            raise ApiError(status, _reason(body))
        reached = msgspec.json.decode(body, type=Reached)
        if not reached.reached:
            wanted = [
                counted(n, what) for n, what in ((events, "event"), (uploads, "upload")) if n is not None
            ]
            raise TimeoutError(
                f"waited {timeout:g} s for {' and '.join(wanted)}; "
                f"there: {counted(reached.events, 'event')} in {counted(reached.uploads, 'upload')}"
            )
        return reached

    def rules(self) -> Rules:
        """The rules in force."""
        return self._get("/api/rules", Rules)

    def set_rules(self, rules: Rules | None = None, **changes: Any) -> Rules:
        """Put `rules` in force; without them the defaults, with `changes`. What was stored stays."""
        wanted = msgspec.structs.replace(Rules() if rules is None else rules, **changes)
        return self._put("/api/rules", wanted, Rules)

    def clock(self) -> ClockView:
        """The time by the server's clock."""
        return self._get("/api/clock", ClockView)

    def set_clock(self, at_ms: int) -> ClockView:
        """Stop the server's clock at this time, in milliseconds since 1970."""
        return self._put("/api/clock", {"at_ms": at_ms}, ClockView)

    def advance_clock(self, by_ms: int) -> ClockView:
        """Move the server's clock: a stopped one stays stopped, a running one runs on."""
        return self._put("/api/clock", {"advance_ms": by_ms}, ClockView)

    def run_clock(self) -> ClockView:
        """Let the server's clock go by real time again."""
        return self._put("/api/clock", {"at_ms": None}, ClockView)

    def faults(self) -> list[FaultView]:
        """All faults, oldest first, with what each has done; those that are over stay for a while."""
        return self._get("/api/faults", FaultList).faults

    def add_faults(self, *faults: Fault | str) -> list[FaultView]:
        """Put faults in force, each a `Fault` or as the command line spells it, such as `500@10%`."""
        wanted = [parse(each) if isinstance(each, str) else each for each in faults]
        return self._ask("POST", "/api/faults", FaultList, body=wanted).faults

    def remove_fault(self, number: int) -> None:
        """Take back the fault with this id."""
        self._ask("DELETE", f"/api/faults/{number}", FaultList)

    def clear_faults(self) -> None:
        """Take back all faults."""
        self._ask("DELETE", "/api/faults", FaultList)

    def reset(self, *, keep: Collection[Keep] = ()) -> None:
        """Forget everything, and go back to the settings of the start but for those that `keep` names."""
        self._ask("POST", "/api/reset", _Done, body={"keep": list(keep)})

    def export(self, start: str, end: str, *, api_key: str = "any", secret_key: str = "any") -> bytes:  # noqa: S107 - any will do
        """The Export API's ZIP archive of the hours from `start` to `end`, both such as 20261104T18.

        Raises `ApiError` with status 404 if nothing was received in them.
        """
        headers = urllib3.make_headers(basic_auth=f"{api_key}:{secret_key}")
        status, body = self._send("GET", "/api/2/export", {"start": start, "end": end}, headers=headers)
        if status != 200:
            raise ApiError(status, _reason(body))
        return body

    def _get(self, path: str, kind: type[_Answer], query: Any = None) -> _Answer:
        return self._ask("GET", path, kind, query)

    def _put(self, path: str, body: object, kind: type[_Answer]) -> _Answer:
        return self._ask("PUT", path, kind, body=body)

    def _find(self, path: str, kind: type[_Answer], query: Any = None) -> _Answer | None:
        try:
            return self._ask("GET", path, kind, query)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def _ask(
        self, method: str, path: str, kind: type[_Answer], query: Any = None, *, body: object = None
    ) -> _Answer:
        status, answer = self._send(method, path, query, body=body)
        if status != 200:
            raise ApiError(status, _reason(answer))
        return msgspec.json.decode(answer, type=kind)

    def _send(
        self,
        method: str,
        path: str,
        query: Any = None,
        *,
        body: object = None,
        headers: dict[str, str] | None = None,
        patience: float = 0.0,
    ) -> tuple[int, bytes]:
        given = {key: _parameter(value) for key, value in (query or {}).items() if value is not None}
        response = self._pool.request(
            method,
            f"{self.url}{path}?{urlencode(given)}" if given else f"{self.url}{path}",
            body=None if body is None else msgspec.json.encode(body),
            headers={"content-type": "application/json"} if headers is None else headers,
            timeout=self._timeout + patience,
            # No compression was asked for, and a few compressed bytes could fill the memory.
            decode_content=False,
        )
        return response.status, response.data


class _EventPage(msgspec.Struct):
    events: list[Event]
    next_before: int | None


class _Done(msgspec.Struct):
    pass


def _segment(text: str) -> str:
    # A segment of dots alone would be taken for a step up the path.
    return quote(text, safe="") if text.strip(".") else text.replace(".", "%2E")


def _parameter(value: object) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _reason(body: bytes) -> str:
    try:
        return str(msgspec.json.decode(body)["error"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return repr(body[:200])
