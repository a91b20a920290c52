"""The local Amplitude itself, without a socket: requests go in, answers come out, and all can be asked."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar

from antinode._protocol.secrets import without_keys
from antinode.plan._models import TrackingPlan
from antinode.server.clock import Clock
from antinode.server.deletions import DeletionAnswer, DeletionRequest, Deletions
from antinode.server.faults import responses as fault_responses
from antinode.server.faults.faults import Faults, Strike
from antinode.server.ingest import responses
from antinode.server.ingest.parsing import RequestReading, read
from antinode.server.ingest.rate_limits import Rates
from antinode.server.ingest.requests import IngestResponse, Received
from antinode.server.ingest.responses import Refusal
from antinode.server.ingest.validation import Checked, check
from antinode.server.models import (
    EventHistory,
    EventPage,
    EventQuery,
    EventView,
    GroupPage,
    GroupView,
    SchemaPage,
    Stats,
    Totals,
    UploadDetail,
    UploadPage,
    UploadQuery,
    UploadView,
    UserPage,
    UserView,
)
from antinode.server.queries import export
from antinode.server.queries.entries import Entries
from antinode.server.queries.events import Search
from antinode.server.queries.history import history
from antinode.server.queries.seen import Seen
from antinode.server.queries.series import Recent
from antinode.server.queries.uploads import Records
from antinode.server.queries.users import FoundUsers, Population
from antinode.server.rules import Rules
from antinode.server.storage import apply
from antinode.server.storage.store import EventStore, Taken
from antinode.server.taxonomy import Taxonomy

OnUpload: TypeAlias = Callable[[UploadView, Callable[[], Sequence[EventView]], Totals], None]
"""Told of each upload once it is committed: the upload, a function that gives views of its newest 20 events
(newest first; call it at once or never, it costs nothing if not called), and the totals. Runs on the engine's
thread."""

_T = TypeVar("_T")

Keep: TypeAlias = Literal["rules", "clock", "faults"]

_VIEWS = 20
_EVENTS_OF_UPLOAD = 200
_LONGEST_NAME = 1024


class Amplitude:
    """A whole local Amplitude: its rules, its clock, its faults and everything it stores.

    It belongs to one thread at a time: no method may run beside another. `close` it, or use it in a `with`.
    """

    clock: Clock
    faults: Faults
    rules: Rules
    """Assign new ones to put them in force; what was counted and stored stays."""

    def __init__(
        self,
        *,
        data: Path | None = None,
        max_events: int | None = None,
        rules: Rules | None = None,
        clock: Clock | None = None,
        faults: Faults | None = None,
        plan: TrackingPlan | None = None,
        on_upload: OnUpload | None = None,
    ) -> None:
        """`data` is the SQLite file to keep everything in; None keeps it in memory, until the end.

        `max_events` bounds how many entries are kept, of every outcome: the newest; None keeps all. `schema`
        tells what came beside `plan`, which changes nothing about what is accepted. Raises `DataInUse` if
        another server has the file open, `DataUnreadable` if it is none of ours or of another version.
        """
        if max_events is not None and max_events < 1:
            raise ValueError(f"max_events is {max_events}: write 1 or more, or None to keep all")
        self.rules = self._first_rules = rules or Rules()
        self.clock = clock or Clock()
        self.faults = faults or Faults()
        self._first_clock = (self.clock.is_fixed, self.clock.ahead_ms, self.clock.now_ms())
        self._on_upload = on_upload
        self._store = EventStore(data, max_events)
        self._search = Search(self._store)
        self._records = Records(self._store)
        self._entries = Entries(self._store, self._records.upload)
        self._population = Population(self._store, self._entries)
        self._deletions = Deletions(self._store)
        self._taxonomy = Taxonomy(self._store)
        self._seen = Seen(self._store, plan)
        self._rates = Rates()
        self._recent = Recent()
        self._started_at = self.clock.now_ms()
        self._recent.restore(self._records.sums, self._started_at)

    def receive(self, received: Received) -> IngestResponse:
        """Takes one request of an ingestion API: reads, judges, stores and commits it.

        Raises nothing for what it holds. If it cannot be stored, on a full disk for instance, it is answered
        503 and nothing of it is kept.
        """
        began = received.started or time.perf_counter()
        now_ms = self.clock.now_ms()
        found = read(received, self.rules)
        reading = found.reading if isinstance(found, Refusal) else found
        strike = self.faults.strike(
            received.path,
            0 if reading is None else len(reading.events),
            _ids(reading, "user_id"),
            _ids(reading, "device_id"),
            now_ms,
        )
        try:
            with self._store.transaction():
                upload, answer = self._settle(received, found, strike, now_ms, began)
        except sqlite3.Error as error:
            return export.refusal(503, f"the local Amplitude could not store this: {error}")
        refused = upload.rejected + upload.returned
        failed = int(upload.status != 200)
        self._recent.add(now_ms, (upload.accepted, upload.duplicates, refused, 1, failed))
        if self._on_upload is not None:
            self._on_upload(
                upload, lambda: self._entries.of_upload(upload.id, _VIEWS, newest=True), self.totals()
            )
        return answer

    def _settle(
        self,
        received: Received,
        found: RequestReading | Refusal,
        strike: Strike | None,
        now_ms: int,
        began: float,
    ) -> tuple[UploadView, IngestResponse]:
        """Judge and write one request, within a transaction."""
        reading = found.reading if isinstance(found, Refusal) else found
        project_id = None
        if reading is not None and export.is_known(reading.api_key, self.rules):
            project_id = self._store.project_id(reading.api_key, self.rules)
        verdict: Refusal | Checked
        if strike is not None and strike.is_refused:
            verdict = fault_responses.refusal(strike, received.path, reading)
        else:
            verdict = self._judge(found, project_id, now_ms)
        if isinstance(verdict, Refusal):
            taken = Taken()
            if reading is not None:
                is_final = verdict.outcome == "rejected" and not (strike and strike.is_refused)
                taken = apply.refuse(self._store, reading, verdict.reasons, is_final=is_final)
            answer, told = verdict.answer(), verdict
        else:
            assert project_id is not None  # noqa: S101 - a request whose key is not known was refused
            taken = apply.take(self._store, verdict, project_id, now_ms)
            self._rates.count(verdict, project_id, now_ms)
            count = len(verdict.reading.events)
            answer, told = responses.accepted(verdict.reading.api, count, received, now_ms), None
        if strike is not None:
            if strike.status is not None and strike.stored:
                told = fault_responses.refusal(strike, received.path, reading)
                answer = told.answer()
            answer = fault_responses.struck(answer, strike)
        client_upload_time = reading.client_upload_time if reading is not None else None
        upload = self._upload(received, found, project_id, taken, told, strike, answer, now_ms, began)
        self._store.write(upload, taken, client_upload_time)
        return upload, answer

    def _judge(
        self, found: RequestReading | Refusal, project_id: int | None, now_ms: int
    ) -> Checked | Refusal:
        if isinstance(found, Refusal):
            return found
        checked = check(found, self.rules)
        if isinstance(checked, Refusal):
            return checked
        return self._rates.check(checked, self.rules, project_id or 0, now_ms) or checked

    def _upload(
        self,
        received: Received,
        found: RequestReading | Refusal,
        project_id: int | None,
        taken: Taken,
        told: Refusal | None,
        strike: Strike | None,
        answer: IngestResponse,
        now_ms: int,
        began: float,
    ) -> UploadView:
        reading = found.reading if isinstance(found, Refusal) else found
        wire_size = received.wire_size or len(received.body)
        body_size = wire_size
        body_start = None
        if reading is not None:
            body_size = reading.body_size
        elif isinstance(found, Refusal):
            body_size = wire_size if found.body_size is None else found.body_size
            body_start = found.body_start
        first = reading.events[0] if reading is not None and reading.events else {}
        error, shown = (None, None) if told is None else (told.error, told.shown)
        if answer.is_cut:
            error, shown = "the connection was closed without an answer", None
        return UploadView(
            id=self._store.progress.next_upload,
            received_at=now_ms,
            method=_clean(received.method),
            path=_clean(without_keys(received.path) if reading is None else received.path),
            project_id=project_id,
            status=0 if answer.is_cut else answer.status,
            error=error,
            fault=None if strike is None else strike.spelling,
            wire_size=wire_size,
            body_size=body_size,
            encoding=_clean(received.content_encoding),
            events=len(taken.entries),
            accepted=taken.accepted,
            duplicates=taken.duplicates,
            rejected=taken.rejected,
            returned=taken.returned,
            library=apply.as_text(first.get("library")),
            user_agent=_clean(received.user_agent),
            duration_us=max(0, round((time.perf_counter() - began) * 1e6)),
            answer=shown,
            body_start=body_start,
        )

    def events(self, query: EventQuery) -> EventPage:
        """A page of events, newest first.

        A search stops after about 50 ms and tells where to go on (`next_before`), so that a page may hold
        fewer events than asked for, even none, with older ones left to look through.
        """
        return self._search.events(query)

    def event(self, insert_id: str) -> EventHistory | None:
        """Everything known of an `insert_id`, in all projects; None if it never came or is forgotten."""
        arrivals = self._entries.arrivals(insert_id) if insert_id else []
        return history(insert_id, arrivals) if arrivals else None

    def uploads(self, query: UploadQuery) -> UploadPage:
        """A page of uploads, newest first."""
        return self._records.uploads(query)

    def upload(self, upload_id: int) -> UploadDetail | None:
        """One upload with its first 200 events; None if there is none, or no longer."""
        found = self._records.upload(upload_id)
        if found is None:
            return None
        events = self._entries.of_upload(found.id, _EVENTS_OF_UPLOAD, newest=False)
        return UploadDetail(upload=found, events=events)

    def users(self, search: str = "", limit: int = 100) -> UserPage:
        """Users with an id that holds `search` in any case; all for an empty one. Those seen last first."""
        return self._population.users(search, limit)

    def user(self, user: str, project_id: int | None = None) -> UserView | None:
        """The user with this user_id or, if there is none, the last user of this device_id.

        Without `project_id`, that of the project where it was seen last.
        """
        return self._population.user(user, project_id)

    def groups(self, search: str = "", limit: int = 100) -> GroupPage:
        """Groups whose type or name holds `search`, as in `users`."""
        return self._population.groups(search, limit)

    def group(self, group_type: str, group_name: str, project_id: int | None = None) -> GroupView | None:
        """A group that an event named; without `project_id` as in `user`."""
        return self._population.group(group_type, group_name, project_id)

    def schema(self) -> SchemaPage:
        """The event types and properties of accepted events since the start or the last `reset`.

        Of many events that were not looked at yet, 50 ms' worth are; `unread` says how many remain.
        With a plan, what is planned is there, too, and each is marked.
        """
        return self._seen.page()

    def read_on(self) -> int:
        """Look at accepted events that were not looked at yet, for 50 ms at most; returns how many remain."""
        return self._seen.read()

    def replan(self, plan: TrackingPlan, error: str = "") -> None:
        """Have `schema` tell what came beside this plan from now on.

        `error`: why a later one cannot be read.
        """
        self._seen.replan(plan, error)

    def tracking_plan(self, *, is_json: bool) -> str:
        """The text of a tracking plan: what was seen until now, merged with the plan in force."""
        return self._seen.plan(is_json=is_json)

    def stats(self, span_s: int = 300) -> Stats:
        """Counts, with a series over the last `span_s` seconds: by the second up to 600, else by the minute,
        up to 24 hours. After a restart the series counts the uploads that are kept."""
        now_ms = self.clock.now_ms()
        return Stats(
            now=now_ms,
            started_at=self._started_at,
            totals=self.totals(),
            stored_events=self._store.stored_events,
            max_events=self._store.max_events,
            users=self._population.count_users(),
            groups=self._population.count_groups(),
            statuses=self._records.counts("status"),
            event_types=self._records.counts("event_type"),
            libraries=self._records.counts("library"),
            problems=self._records.problems(),
            series=self._recent.series(now_ms, span_s),
        )

    def totals(self) -> Totals:
        """The counts since the store was begun or reset. Reading them costs nothing."""
        return self._store.totals()

    def export(self, api_key: str, secret: str, start: str, end: str) -> Path | IngestResponse:
        """The Export API's archive, a temporary file that the caller deletes; or an Answer (400, 401, 404).

        `start` and `end` are hours such as 20261104T18 (empty: not given), both inclusive, by the time of
        receipt. Without Basic credentials pass empty strings.
        """
        if not export.is_allowed(api_key, secret, self.rules):
            return export.refusal(401, "the credentials are not those of a project: write api_key:secret_key")
        span = export.hours(start, end)
        if isinstance(span, IngestResponse):
            return span
        with self._store.transaction():
            project_id = self._store.project_id(api_key, self.rules)
        path = export.archive(self._entries.exported(project_id, *span), project_id)
        return path or export.refusal(404, "nothing was received in these hours")

    def project_of(self, api_key: str, secret: str) -> int | None:
        """The project that these credentials open; None if they open none."""
        if not export.is_allowed(api_key, secret, self.rules):
            return None
        with self._store.transaction():
            return self._store.project_id(api_key, self.rules)

    def delete_users(self, project_id: int, request: DeletionRequest) -> DeletionAnswer:
        """Erase users, with all that is stored of them. Raises `UnknownUsers` for ids that nobody has."""
        try:
            return self._deletions.request(project_id, request, self.clock.now_ms())
        finally:
            # Its examples may be values of theirs.
            self._seen.clear()

    def deletions(self, project_id: int, start_day: str, end_day: str) -> list[DeletionAnswer]:
        """What `delete_users` did within these days. Raises ValueError for what is no day."""
        return self._deletions.jobs(project_id, start_day, end_day)

    def plan_taxonomy(self, project_id: int, cost: int, question: Callable[[Taxonomy], _T]) -> _T | None:
        """What `question` gives of the Taxonomy API's plans; None if the project has asked too much for now.

        All or nothing of what it changes; what it raises is raised.
        """
        is_limited = self.rules.rates == "documented"
        if is_limited and not self._taxonomy.spend(project_id, cost, self.clock.now_ms()):
            return None
        with self._store.transaction():
            return question(self._taxonomy)

    def find(self, project_id: int, user: str) -> FoundUsers:
        """The users of a project with this user_id, device_id or Amplitude ID."""
        return self._population.find(project_id, user)

    def reset(self, keep: Collection[Keep] = ()) -> None:
        """Forget everything that is stored, and return to the rules, clock and faults of the start, except
        for those that `keep` names."""
        self._store.reset()
        self._deletions.clear()
        self._taxonomy.clear()
        self._seen.clear()
        self._rates.reset()
        self._recent = Recent()
        if "rules" not in keep:
            self.rules = self._first_rules
        if "clock" not in keep:
            is_fixed, ahead_ms, at_ms = self._first_clock
            self.clock.run()
            if is_fixed:
                self.clock.fix(at_ms)
            else:
                self.clock.advance(ahead_ms)
        self._started_at = self.clock.now_ms()
        if "faults" not in keep:
            self.faults.reset(self._started_at)

    def close(self) -> None:
        """Close the store; calling this again does nothing."""
        self._store.close()

    def __enter__(self) -> Amplitude:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _ids(reading: RequestReading | None, name: str) -> Iterator[str]:
    """The ids that a request names; looked at only if a fault asks."""
    for event in reading.events if reading is not None else ():
        found: Any = apply.as_text(event.get(name))
        if found:
            yield found


def _clean(text: str) -> str:
    """`text` from a request's head, fit to be kept: of a bounded length, and without half characters."""
    return text[:_LONGEST_NAME].encode("utf-8", "replace").decode()
