"""What `antinode forget` does, and what it says of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from antinode._errors import ConfigurationError
from antinode._forgetting.forgetting import forget_in_spool
from antinode._forgetting.letters import forget_letters
from antinode._forgetting.people import PeopleToForget, people_of
from antinode._forgetting.results import DeletionError, DeletionJob
from antinode._forgetting.user_privacy import UserPrivacyApi
from antinode._protocol.words import counted
from antinode.cli.params.destination import Destination
from antinode.cli.ui import console
from antinode.cli.ui.errors import EXIT_FAILED, Failed, NotSetUp
from antinode.cli.ui.output import unread_is_fine, write_json

_DAYS_BACK: Final = 30
_DAYS_AHEAD: Final = 60


@dataclass(frozen=True)
class Task:
    """What the command was asked to do."""

    user_ids: tuple[str, ...]
    device_ids: tuple[str, ...]
    spools: tuple[str, ...]
    letters: tuple[str, ...]
    requester: str
    at_amplitude: bool
    shows_jobs: bool

    @property
    def people(self) -> PeopleToForget | None:
        """Who is to be forgotten; None if nobody is named."""
        return people_of(self.user_ids, self.device_ids) if self.user_ids or self.device_ids else None


def run(task: Task, destination: Destination, *, is_json: bool) -> int:
    """Do it, say what came of it, and return the exit code."""
    # Before anything is removed, so that a wrong key is mended first.
    api = _api(destination) if task.at_amplitude or task.shows_jobs else None
    spooled = in_use = dead_letters = 0
    jobs: list[DeletionJob] = []
    people = task.people
    if people is not None:
        for path in task.spools:
            with _disk(path):
                found = forget_in_spool(path, people)
            spooled += found.spooled
            in_use += found.in_use
        for path in task.letters:
            with _disk(path):
                dead_letters += forget_letters(path, people.own_letter)
    problem = ""
    if api is not None:
        try:
            if people is not None and task.at_amplitude:
                jobs = api.delete(people, task.requester)
            if task.shows_jobs:
                today = datetime.now(timezone.utc).date()
                jobs = api.jobs(today - timedelta(days=_DAYS_BACK), today + timedelta(days=_DAYS_AHEAD))
        except DeletionError as error:
            problem = str(error)
        finally:
            api.close()
    facts = {
        "type": "forget",
        "complete": not (in_use or problem),
        "spooled": spooled,
        "in_use": in_use,
        "dead_letters": dead_letters,
        "jobs": jobs,
        "problem": problem or None,
    }
    with unread_is_fine():
        if is_json:
            write_json(facts)
        else:
            _tell(task, facts)
    return 0 if facts["complete"] else EXIT_FAILED


def _tell(task: Task, facts: dict[str, Any]) -> None:
    out = console.out()
    if task.spools:
        out.print(f"Removed {counted(facts['spooled'], 'event')} from the spool.")
    if task.letters:
        out.print(f"Blanked {counted(facts['dead_letters'], 'dead letter')}.")
    if facts["in_use"]:
        held = counted(facts["in_use"], "event")
        text = f"Left {held} in use: living processes hold them; call client.forget there."
        out.print(text, style="yellow", soft_wrap=True)
    for job in facts["jobs"]:
        unknown = f", {job.unknown:,} unknown" if job.unknown else ""
        out.print(f"Amplitude deletes {counted(job.users, 'user')} on {job.day}: {job.status}{unknown}.")
    if task.shows_jobs and not facts["jobs"] and not facts["problem"]:
        out.print("Amplitude has no deletion jobs in this time.")
    if facts["problem"]:
        out.print(f"Amplitude was not asked, or not for all: {facts['problem']}", style="red", soft_wrap=True)


@contextmanager
def _disk(path: str) -> Iterator[None]:
    """Ends the command where the disk refuses."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise Failed(f"{path} cannot be changed: {reason}; what was removed is, so run it again") from None


def _api(destination: Destination) -> UserPrivacyApi:
    secret_key = destination.secret_key()
    try:
        return UserPrivacyApi(destination.check(), destination.key(), secret_key)
    except ConfigurationError as error:
        raise NotSetUp(str(error)) from None
