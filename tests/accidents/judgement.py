"""From evidence to a row of the table: what was lost, told, duplicated, and what is wrong with that."""

from __future__ import annotations

import re
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tests.accidents.catalogue import Accident
from tests.accidents.evidence import Evidence, ProcessLedger

PROMISED = 1.0
"""Seconds past shutdown_timeout within which every process has ended."""
NOISE = 1.0
"""Seconds allowed for the interpreter's own end on a busy machine. Not antinode's to use."""

_LOST_LINE = re.compile(r"([\d,]+) events? (?:was|were) not delivered")


@dataclass(frozen=True)
class Finding:
    """One row. `problems` is empty if everything is as expected."""

    accident: Accident
    logged: int
    refused: int
    lost: int
    told: int
    duplicated: int
    repeated: int
    out_of_order: int
    ended: int | None
    exit_seconds: float
    problems: tuple[str, ...]
    delays: tuple[str, ...] = ()
    """What took longer than promised. On a machine that is busy with other things that proves nothing."""

    @property
    def ending(self) -> str:
        """How the process ended, in words."""
        if self.ended is None:
            return "hung"
        return f"exit {self.ended}" if self.ended >= 0 else signal.Signals(-self.ended).name


def judge(accident: Accident, evidence: Evidence) -> Finding:
    """Account for every event of the accident."""
    processes = evidence.processes
    logged = {name for ledger in processes.values() for name in ledger.logged}
    begun = {name for ledger in processes.values() for name in ledger.begun}
    fates = {name: fate for ledger in processes.values() for name, fate in ledger.fates.items()}
    stored = Counter(str(event["event_properties"].get("id")) for event in evidence.stored)
    refused = {name for name, (kind, _) in fates.items() if kind == "rejected"}
    lost = logged - stored.keys() - refused
    told = {name for name in lost if fates.get(name, ("", ""))[0] == "dropped"}
    finding = Finding(
        accident,
        logged=len(logged),
        refused=len(refused),
        lost=len(lost),
        told=len(told),
        duplicated=sum(count - 1 for count in stored.values()),
        repeated=evidence.received - len(evidence.stored),
        out_of_order=_out_of_order(evidence),
        ended=evidence.ended,
        exit_seconds=_exit_seconds(evidence),
        problems=(),
    )
    problems = [*_against_expectations(finding, evidence)]
    if strangers := stored.keys() - begun:
        problems.append(f"{len(strangers)} stored events were never logged, or were changed on the way")
    if refused & stored.keys():
        problems.append(f"{len(refused & stored.keys())} refused events were stored all the same")
    if told and len(told) != len(lost):
        problems.append(f"{len(lost)} events were lost and {len(told)} of them told")
    problems += [problem for ledger in processes.values() for problem in _books(ledger)]
    return replace(finding, problems=tuple(problems), delays=tuple(_delays(finding, evidence)))


def _out_of_order(evidence: Evidence) -> int:
    """Events accepted after a later one of the same process and user."""
    highest: dict[tuple[int, str], int] = {}
    late = 0
    for event in evidence.stored:
        properties = event["event_properties"]
        stream, number = (properties["pid"], event["user_id"]), properties["seq"]
        if number < highest.get(stream, 0):
            late += 1
        else:
            highest[stream] = number
    return late


def _exit_seconds(evidence: Evidence) -> float:
    """From the moment a process began to leave, or was signalled, to its end; the longest of the row."""
    main = evidence.processes.get(evidence.main, ProcessLedger())
    began = main.leaving_at if evidence.killed_at is None else evidence.killed_at
    spans = [] if began is None else [evidence.ended_at - began - main.own]
    for pid, (_, ended_at) in main.children.items():
        child = evidence.processes.get(pid)
        if child is not None and child.leaving_at is not None:
            spans.append(ended_at - child.leaving_at - child.own)
    return max(spans, default=0) / 1e9


def _against_expectations(finding: Finding, evidence: Evidence) -> Iterator[str]:
    accident = finding.accident
    expect = accident.expect
    for name in ("logged", "refused", "lost", "ended"):
        wanted, found = getattr(expect, name), getattr(finding, name)
        if wanted != found:
            yield f"{name}: {found}, expected {wanted}"
    if expect.lost and expect.is_told:
        yield from _telling(finding, evidence)
    if finding.duplicated:
        yield f"{finding.duplicated} events were stored twice under different ids"
    if finding.repeated and not expect.may_repeat:
        yield f"{finding.repeated} events arrived again although their answers had arrived"
    if finding.out_of_order:
        yield f"{finding.out_of_order} events are out of order"
    for status in expect.statuses:
        if not evidence.by_status.get(status):
            yield f"no request was answered {status}: the accident did not happen ({evidence.by_status})"
    notes = [note for ledger in evidence.processes.values() for note in ledger.notes]
    measured = dict(notes)
    for name, limit in expect.notes.items():
        if name not in measured:
            yield f"{name} was not noted"
        elif not name.endswith("_seconds") and float(measured[name]) > limit:
            yield f"{name}: {measured[name]}, at most {limit:g} expected"
    yield from (f"surprise: {value}" for name, value in notes if name == "surprise")
    for ledger in evidence.processes.values():
        yield from (f"child {pid} ended with {how}" for pid, (how, _) in ledger.children.items() if how)
    if expect.last_user is not None:
        yield from _alone_and_last(expect.last_user, evidence)


def _delays(finding: Finding, evidence: Evidence) -> Iterator[str]:
    allowed = finding.accident.shutdown_timeout + PROMISED + NOISE
    if finding.exit_seconds > allowed:
        yield f"the exit took {finding.exit_seconds:.1f} s, more than {allowed:g}"
    measured = dict(note for ledger in evidence.processes.values() for note in ledger.notes)
    for name, limit in finding.accident.expect.notes.items():
        if name.endswith("_seconds") and float(measured.get(name, 0)) > limit:
            yield f"{name}: {measured[name]}, at most {limit:g} expected"


def _telling(finding: Finding, evidence: Evidence) -> Iterator[str]:
    """Every lost event was told in each of the four ways: handle, `on_outcome`, books, log."""
    if finding.told != finding.lost:
        yield f"{finding.told} of {finding.lost} lost events were told by their handles"
    seen = sum(ledger.seen["dropped"] for ledger in evidence.processes.values())
    if seen != finding.lost:
        yield f"on_outcome was told of {seen} of {finding.lost} lost events"
    reasons: Counter[str] = Counter()
    for ledger in evidence.processes.values():
        reasons.update(ledger.stats["dropped"] if ledger.stats else {})
    if sum(reasons.values()) != finding.lost:
        yield f"the books have {dict(reasons)} for {finding.lost} lost events"
    logged = sum(int(each.replace(",", "")) for each in _LOST_LINE.findall(evidence.said))
    if logged != reasons["shutdown"]:
        yield f"the log tells of {logged} events left at exit, the books of {reasons['shutdown']}"
    if reasons["queue_full"] and "queue is full" not in evidence.said:
        yield "the log does not tell that the queue was full"


def _alone_and_last(user: str, evidence: Evidence) -> Iterator[str]:
    """The throttled user waited alone: the others were accepted before, and one request was made in vain."""
    users = [event["user_id"] for event in evidence.stored]
    if user in users and any(other != user for other in users[users.index(user) :]):
        yield f"events of others were accepted after the first of {user}: they were delayed with it"
    if evidence.by_status.get(429, 0) != 1:
        yield f"{evidence.by_status.get(429, 0)} requests were throttled, one is enough to learn it"


def _books(ledger: ProcessLedger) -> Iterator[str]:
    """A process's own books balance, and agree with what it logged and with what its handles say."""
    stats = ledger.stats
    if stats is None:
        return
    kinds = Counter(kind for kind, _ in ledger.fates.values())
    if kinds["pending"] or stats["pending"]:
        yield f"{kinds['pending']} handles and {stats['pending']} events in the books never settled"
    if stats["accepted"] != len(ledger.logged):
        yield f"{len(ledger.logged)} events were logged, and the books say {stats['accepted']}"
    rejected, dropped = sum(stats["rejected"].values()), sum(stats["dropped"].values())
    if (rejected, dropped) != (kinds["rejected"], kinds["dropped"]):
        yield f"the books have {rejected} rejected and {dropped} dropped, the handles {dict(kinds)}"
    if stats["accepted"] != stats["delivered"] + rejected + dropped + stats["spooled"] + stats["pending"]:
        yield f"the books do not balance: {stats}"
    told = {"delivered": stats["delivered"], "rejected": rejected, "dropped": dropped}
    if any(ledger.seen[kind] != count for kind, count in told.items()):
        yield f"on_outcome was told {dict(ledger.seen)}, the books have {told}"
