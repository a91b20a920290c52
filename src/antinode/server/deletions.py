"""The User Privacy API: users are erased at once, and the job is told of as Amplitude tells of its own."""

from __future__ import annotations

from collections import deque
from datetime import date, datetime, timedelta, timezone
from typing import Final

import msgspec

from antinode.server.queries.export_rows import AMPLITUDE_IDS
from antinode.server.storage import erasing
from antinode.server.storage.apply import as_text
from antinode.server.storage.store import EventStore

MOST_USERS: Final = 100
"""Of one request, as Amplitude documents it."""

_JOBS_KEPT: Final = 1_000
_LONGEST_SPAN: Final = timedelta(days=184)


class DeletionRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Whose data is to be deleted: at most 100 users, by either id."""

    amplitude_ids: list[int | str] = []
    user_ids: list[str | int] = []
    requester: str = ""
    """Who asks for it."""
    ignore_invalid_id: bool | str = False
    """Whether ids that nobody has are passed over, instead of refusing the request."""
    ignore_invalid_ids: bool | str = False
    """The same, as it is spelled elsewhere."""
    delete_from_org: bool | str = False
    """Accepted; here every project is an organisation of its own. Passes over ids that nobody has."""
    include_mapped_user_ids: bool | str = False
    """Whether the answer names the user_id beside each Amplitude ID."""

    @property
    def ignores_unknown(self) -> bool:
        given = (self.ignore_invalid_id, self.ignore_invalid_ids, self.delete_from_org)
        return any(each is True or str(each).lower() == "true" for each in given)

    @property
    def names_user_ids(self) -> bool:
        return str(self.include_mapped_user_ids).lower() == "true"


class DeletedUser(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One user of a job."""

    amplitude_id: int
    requested_on_day: str
    requester: str = ""
    user_id: str | None = None


class DeletionAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A deletion job: users whose data is deleted together."""

    day: str
    """When it runs: here, when it was asked for."""
    amplitude_ids: list[DeletedUser]
    status: str
    """`staging` in the answer to the request, as Amplitude says it; `done` from then on."""
    invalid_ids: list[str] | None = None
    """What was passed over, in the answer to the request."""


class UnknownUsers(Exception):
    """Some ids are nobody's, and are not to be passed over."""

    def __init__(self, ids: list[str]) -> None:
        super().__init__(ids)
        self.ids = ids


class Deletions:
    """Erases users, and keeps the jobs while the server runs."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._jobs: deque[tuple[int, DeletionAnswer]] = deque(maxlen=_JOBS_KEPT)

    def request(self, project_id: int, request: DeletionRequest, now_ms: int) -> DeletionAnswer:
        """Erase the users that are known. Raises `UnknownUsers`, and erases nobody, where one is not."""
        found = erasing.users_of(self._store, project_id, map(str, request.user_ids))
        numbers = {number: _number(number) for number in map(str, request.amplitude_ids)}
        known = erasing.known(
            self._store, project_id, [each for each in numbers.values() if each is not None]
        )
        unknown = [each for each in map(str, request.user_ids) if each not in found]
        unknown += [name for name, number in numbers.items() if number not in known]
        if unknown and not request.ignores_unknown:
            raise UnknownUsers(unknown)
        names = {number: user_id for user_id, number in found.items()}
        meant = sorted(known | set(names))
        erasing.erase(self._store, project_id, meant)
        day = _day(now_ms)
        users = [
            DeletedUser(
                amplitude_id=AMPLITUDE_IDS + number,
                requested_on_day=day,
                requester=request.requester,
                user_id=names.get(number) if request.names_user_ids else None,
            )
            for number in meant
        ]
        told = [msgspec.structs.replace(user, user_id=None) for user in users]
        if users:
            self._jobs.append((project_id, DeletionAnswer(day=day, amplitude_ids=told, status="done")))
        return DeletionAnswer(
            day=day,
            amplitude_ids=users,
            status="staging",
            invalid_ids=unknown if request.ignores_unknown else None,
        )

    def jobs(self, project_id: int, start_day: str, end_day: str) -> list[DeletionAnswer]:
        """The jobs of a project that ran within these days, both inclusive. Raises ValueError."""
        start, end = _date("start_day", start_day), _date("end_day", end_day)
        if not start <= end <= start + _LONGEST_SPAN:
            raise ValueError("end_day must not be before start_day, nor more than six months after it")
        return [
            job
            for project, job in self._jobs
            if project == project_id and start.isoformat() <= job.day <= end.isoformat()
        ]

    def clear(self) -> None:
        """Forget the jobs."""
        self._jobs.clear()


def _number(amplitude_id: str) -> int | None:
    text = as_text(amplitude_id) or ""
    return int(text) - AMPLITUDE_IDS if text.isascii() and text.isdigit() and len(text) < 18 else None


def _day(now_ms: int) -> str:
    return datetime.fromtimestamp(now_ms / 1000, timezone.utc).date().isoformat()


def _date(name: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{name} is {text[:40]!r}: write a day such as 2026-11-04") from None
