"""What the server holds at the end, beside what was logged."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from antinode._protocol.words import counted

if TYPE_CHECKING:
    import antinode
    import antinode.server
    from antinode.cli.demo.display import DemoOutput
    from antinode.cli.demo.run import DemoProgress, Run


def conclude(
    run: Run, progress: DemoProgress, amplitude: antinode.server.Running, output: DemoOutput
) -> bool:
    """Print the verdict; whether everything in it is as it should be."""
    stats = progress.stats
    output.line()
    output.line(
        f"{counted(stats.requests, 'request')} in {progress.elapsed:.1f} s, retried: {stats.retries:,}."
    )
    output.line(f"The server's answers: {progress.answers_text}")
    waits = dict(run.waits.slowest)
    if progress.throttled is not None and "429" in progress.answers:
        own = waits.pop(progress.throttled, 0.0)
        output.line(
            f"The throttled {progress.throttled} waited up to {own:.1f} s, "
            f"everybody else at most {max(waits.values(), default=0.0):.1f} s."
        )
    output.line()
    verdict = verify(run, stats, amplitude)
    for is_true, sentence in verdict:
        output.line(f"{'✓' if is_true else '✗'} {sentence}")
    return all(is_true for is_true, _ in verdict)


def verify(run: Run, stats: antinode.Stats, amplitude: antinode.server.Running) -> list[tuple[bool, str]]:
    """Compare what the server holds with what was logged: sentences, and whether they are true."""
    arrived, totals = stored_events(amplitude), amplitude.api.stats().totals
    logged: defaultdict[str, list[int]] = defaultdict(list)
    for event in run.events:
        logged[event["user_id"]].append(event["event_id"])
    accepted: defaultdict[str, list[int]] = defaultdict(list)
    for each in arrived:
        accepted[each["user_id"]].append(each["event_id"])
    missing = {event["event_id"] for event in run.events} - {event["event_id"] for event in arrived}
    keys = {event.get("insert_id") for event in arrived}
    once = len(keys) == len(arrived) == len(run.events) and None not in keys
    misplaced = sum(logged[user] != accepted[user] for user in logged)
    settled = stats.delivered + sum(stats.rejected.values()) + sum(stats.dropped.values()) + stats.pending
    return [
        (not missing, f"{len(run.events) - len(missing):,} of {counted(len(run.events), 'event')} arrived"),
        (
            once,
            f"each exactly once per insert_id ({totals.duplicates:,} came again after a lost answer, "
            "and were recognised)",
        ),
        (not misplaced, f"in order for {len(logged) - misplaced:,} of {counted(len(logged), 'user')}"),
        (
            settled == stats.accepted and stats.delivered == len(run.events),
            f"the books balance: {stats.accepted:,} accepted = {stats.delivered:,} delivered + "
            f"{sum(stats.rejected.values()):,} rejected + {sum(stats.dropped.values()):,} dropped + "
            f"{stats.pending:,} pending",
        ),
    ]


def stored_events(amplitude: antinode.server.Running) -> list[dict[str, Any]]:
    """Everything that was accepted, in the order in which it came."""
    found = amplitude.api.events(outcome="accepted", limit=amplitude.api.stats().totals.events + 1)
    return [each.event for each in reversed(found)]
