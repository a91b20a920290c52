"""What must hold at the end: nothing missing, nothing under two names, every user in order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from tests.crash.rounds import Account


class Finding(NamedTuple):
    """The outcome of a run."""

    arrived: int
    """Different events."""
    unreturned: int
    """Those among them whose call had not returned when the process was killed."""
    repeated: int
    """Arrivals of an event that had arrived before, with the same insert_id."""
    problems: list[str]


def judge(
    account: Account,
    events: Iterable[Mapping[str, Any]],
    summary: Mapping[str, Any],
    left: Sequence[str],
    set_aside: Sequence[str],
) -> Finding:
    """Compare what the processes said with what arrived; `events` in the order of their first acceptance."""
    problems = list(account.problems)
    names: dict[tuple[str, str, int], str] = {}
    last: dict[tuple[str, str], int] = defaultdict(int)
    missing = repeated = unreturned = 0
    for event in events:
        properties = event["event_properties"]
        writer, user, number = properties["by"], event["user_id"], properties["n"]
        key = writer, user, number
        if names.setdefault(key, event["insert_id"]) != event["insert_id"]:
            repeated += 1
            _note(problems, f"{key} arrived under two insert_ids")
            continue
        expected = account.details.get(key)
        if expected is not None and expected != (event["insert_id"], event["time"]):
            _note(problems, f"{key} arrived with another insert_id or time than it was logged with")
        if number != last[writer, user] + 1:
            _note(problems, f"{key} arrived after number {last[writer, user]} of this user")
        last[writer, user] = max(last[writer, user], number)
        unreturned += number > account.returned.get(writer, {}).get(user, 0)
    for writer, users in account.returned.items():
        for user, count in users.items():
            lost = [number for number in range(1, count + 1) if (writer, user, number) not in names]
            missing += len(lost)
            if lost:
                _note(problems, f"{len(lost)} events of {user} by {writer} are missing, the first {lost[0]}")
    if missing:
        problems.append(f"{missing} events are missing in all")
    if left:
        problems.append(f"{len(left)} files are left, the first {left[:3]}")
    if len(set_aside) > account.torn:
        problems.append(f"{len(set_aside)} reports of damage, but {account.torn} writes were torn")
    return Finding(len(names), unreturned, summary["duplicates"], problems)


def _note(problems: list[str], text: str) -> None:
    if len(problems) < 40:
        problems.append(text)
