"""Amplitude's User Privacy API: asking it to delete users, and what became of that."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import msgspec

from antinode._forgetting.results import DeletionError, DeletionJob
from antinode._project_api import ProjectApi, ProjectUnreachable
from antinode._protocol.words import counted

if TYPE_CHECKING:
    from datetime import date

    from antinode._forgetting.people import PeopleToForget
    from antinode._options import Options

USERS_PER_REQUEST: Final = 100
SECONDS_PER_REQUEST: Final = 1.0
"""The API takes one request a second."""
TRIES: Final = 3

_DELETIONS: Final = "/api/2/deletions/users"
_SEARCH: Final = "/api/2/usersearch"


class _Job(msgspec.Struct):
    day: str
    status: str
    amplitude_ids: list[Any] = []
    invalid_ids: list[Any] = []

    def told(self) -> DeletionJob:
        return DeletionJob(
            day=self.day,
            status=self.status,
            users=len(self.amplitude_ids),
            unknown=len(self.invalid_ids or ()),
        )


class _Match(msgspec.Struct):
    amplitude_id: int
    user_id: str | None = None


class _Matches(msgspec.Struct):
    matches: list[_Match] = []


class UserPrivacyApi:
    """Asks the API of the project of these options. Raises `ConfigurationError`, then `DeletionError`."""

    def __init__(
        self,
        options: Options,
        api_key: str,
        secret_key: str,
        *,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self._api = ProjectApi(options, api_key, secret_key, pause=pause)

    def __repr__(self) -> str:
        return f"<UserPrivacyApi {self._api.origin}>"

    def delete(self, people: PeopleToForget, requester: str) -> list[DeletionJob]:
        """Ask for the deletion of these people, a hundred at a time; returns the jobs that took them."""
        jobs = []
        found = [number for device in sorted(people.device_ids) for number in self._search(device)]
        for name, ids in (("user_ids", sorted(people.user_ids)), ("amplitude_ids", sorted(set(found)))):
            for batch in _batches(ids):
                body = {name: batch, "ignore_invalid_id": "true", "requester": requester}
                answer = self._ask("POST", _DELETIONS, msgspec.json.encode(body))
                jobs += [job.told() for job in _decoded(answer)]
        return jobs

    def jobs(self, start: date, end: date) -> list[DeletionJob]:
        """The jobs that are scheduled from `start` to `end`, both inclusive, at most six months."""
        days = urlencode({"start_day": start.isoformat(), "end_day": end.isoformat()})
        return [job.told() for job in _decoded(self._ask("GET", f"{_DELETIONS}?{days}"))]

    def _search(self, device_id: str) -> list[int]:
        """The Amplitude IDs of who was seen on a device and has no user_id: the API deletes by no device."""
        answer = self._ask("GET", f"{_SEARCH}?{urlencode({'user': device_id})}")
        try:
            found = msgspec.json.decode(answer, type=_Matches)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise DeletionError("the user search answered what is not in Amplitude's form") from None
        return [match.amplitude_id for match in found.matches if not match.user_id]

    def _ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        try:
            answer = self._api.ask(
                method,
                path,
                body,
                seconds_between=SECONDS_PER_REQUEST,
                backoff=SECONDS_PER_REQUEST,
                tries=TRIES,
            )
        except ProjectUnreachable as error:
            raise DeletionError(str(error)) from None
        if answer.status != 200:
            raise DeletionError(f"{self._api.origin} answered {answer.status}{_hint(answer.status)}")
        return answer.data

    def close(self) -> None:
        """Let its connections go."""
        self._api.close()


def _batches(ids: Sequence[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(ids), USERS_PER_REQUEST):
        yield list(ids[start : start + USERS_PER_REQUEST])


def _decoded(answer: bytes) -> list[_Job]:
    """The jobs of an answer, which is one or a list of them."""
    try:
        found: list[_Job] | _Job = msgspec.json.decode(answer, type=list[_Job] | _Job)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise DeletionError(
            "the answer is not in Amplitude's form, so the request may not have reached it"
        ) from None
    return found if isinstance(found, list) else [found]


def _hint(status: int) -> str:
    if status in (401, 403):
        return ": is it the secret key of this project, and the right zone?"
    return f" {counted(TRIES, 'time')}" if status == 429 or status >= 500 else ""
