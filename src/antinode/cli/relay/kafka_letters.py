"""The dead letters of a relay on Kafka: listed by project and reason, and replayed."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import rich_click as click

from antinode._deadletters import Letter
from antinode._protocol.words import agreeing, counted
from antinode.cli.relay.letters import project_names
from antinode.cli.relay.standing import print_table
from antinode.cli.replay.mending import Mending
from antinode.cli.replay.reading import ReadableLine
from antinode.cli.ui import console
from antinode.cli.ui.errors import EXIT_FAILED, NotSetUp
from antinode.cli.ui.output import unread_is_fine, write_json, write_lines
from antinode.relay.kafka.inspection import Inspector
from antinode.relay.kafka.letters import DeadLetter, LetterPartition, letter_partitions
from antinode.relay.kafka.replaying import Mend, ReplaySummary, as_it_is, replay
from antinode.relay.kafka.settings import KafkaSettings
from antinode.relay.streams import stream_of


class Chosen:
    """Which letters are meant, and how their projects are called."""

    def __init__(self, names: dict[str, str], fingerprint: str | None, reasons: frozenset[str]) -> None:
        self._names = names
        self._fingerprint = fingerprint
        self._reasons = reasons

    @classmethod
    def read(cls, config: Path | None, name: str | None, reasons: Sequence[str]) -> Chosen:
        """Those of the project of this name, or whose key has this fingerprint. Raises `NotSetUp`."""
        names = project_names(config)
        if name is None:
            return cls(names, None, frozenset(reasons))
        by_name = {known: fingerprint for fingerprint, known in names.items()}
        fingerprint = by_name.get(name, name if len(name) == 16 else None)
        if fingerprint is None:
            known = ", ".join(by_name) or "none is configured"
            raise NotSetUp(f"there is no project {name!r:.60}, but {known}; a key's fingerprint does as well")
        return cls(names, fingerprint, frozenset(reasons))

    def takes(self, letter: DeadLetter) -> bool:
        """Whether a letter is meant."""
        return (self._fingerprint is None or letter.project == self._fingerprint) and (
            not self._reasons or letter.obituary.reason in self._reasons
        )

    def name(self, fingerprint: str) -> str:
        """What a project is called."""
        return self._names.get(fingerprint, fingerprint or "-")


def list_kafka_letters(settings: KafkaSettings, chosen: Chosen, *, is_each: bool, is_json: bool) -> None:
    """Print the letters, or how many there are. Raises `ConfigurationError` and `KafkaTrouble`."""
    letters = (
        (partition, letter)
        for partition in letter_partitions(settings, Inspector(settings))
        for letter in partition.letters()
        if chosen.takes(letter)
    )
    with unread_is_fine():
        if is_each:
            _print_each(letters, chosen, is_json=is_json)
        else:
            _print_counts(letters, chosen, is_json=is_json)


def _print_each(
    letters: Iterator[tuple[LetterPartition, DeadLetter]], chosen: Chosen, *, is_json: bool
) -> None:
    for partition, letter in letters:
        why = letter.obituary
        if is_json:
            write_json(
                {
                    "type": "dead_letter",
                    "project": chosen.name(letter.project),
                    "fingerprint": letter.project,
                    "reason": why.reason,
                    "code": why.code,
                    "message": why.message,
                    "origin": why.origin,
                    "failed_at": _moment(why.failed_ms),
                    "is_replayed": letter.is_replayed,
                    "bytes": len(letter.value),
                    "place": f"{partition.topic}/{partition.partition}/{letter.offset}",
                }
            )
            continue
        code = f" {why.code}" if why.code else ""
        replayed = ", replayed" if letter.is_replayed else ""
        text = f"{_moment(why.failed_ms)}  {chosen.name(letter.project)}  {why.reason}{code}{replayed}"
        parts = (text, console.printable(why.origin), console.printable(why.message, 200))
        console.out().print("  ".join(parts), soft_wrap=True)


def _print_counts(
    letters: Iterator[tuple[LetterPartition, DeadLetter]], chosen: Chosen, *, is_json: bool
) -> None:
    groups: defaultdict[tuple[str, str, int], _Group] = defaultdict(_Group)
    for _, letter in letters:
        groups[letter.project, letter.obituary.reason, letter.obituary.code].add(letter)
    rows = sorted(groups.items(), key=lambda row: -row[1].count)
    if is_json:
        write_json(
            *(
                {
                    "type": "dead_letters",
                    "project": chosen.name(project),
                    "fingerprint": project,
                    "reason": reason,
                    "code": code,
                    "count": group.count,
                    "replayed": group.replayed,
                    "first_failed_at": _moment(group.first_ms),
                    "last_failed_at": _moment(group.last_ms),
                    "origin": group.origin,
                }
                for (project, reason, code), group in rows
            )
        )
        return
    out = console.out()
    if not rows:
        out.print("There are no dead letters.")
        return
    print_table(
        ("PROJECT", "REASON", "CODE", "LETTERS", "REPLAYED", "LAST FAILED AT", "ITS ORIGIN"),
        [
            (
                chosen.name(project),
                console.printable(reason, 60),
                str(code or ""),
                f"{group.count:,}",
                f"{group.replayed:,}",
                _moment(group.last_ms),
                console.printable(group.origin, 80),
            )
            for (project, reason, code), group in rows
        ],
    )
    count = sum(group.count for _, group in rows)
    left = count - sum(group.replayed for _, group in rows)
    out.print(f"\n{counted(count, 'dead letter')} in all, {left:,} not replayed.")


class _Group:
    """Letters of one project and reason."""

    def __init__(self) -> None:
        self.count = self.replayed = 0
        self.first_ms = self.last_ms = 0
        self.origin = ""
        """Of the last one."""

    def add(self, letter: DeadLetter) -> None:
        failed_ms = letter.obituary.failed_ms
        self.first_ms = min(self.first_ms, failed_ms) if self.count else failed_ms
        self.count += 1
        self.replayed += letter.is_replayed
        if failed_ms >= self.last_ms:
            self.last_ms, self.origin = failed_ms, letter.obituary.origin


def replay_kafka_letters(
    settings: KafkaSettings,
    chosen: Chosen,
    sets: Sequence[str],
    drops: Sequence[str],
    *,
    any_age: bool,
    is_dry: bool,
    is_json: bool,
) -> int:
    """Put letters back, and print how many. Returns the exit code; raises as `replay` does."""
    with unread_is_fine():
        summary = replay(
            settings,
            chosen.takes,
            any_age=any_age,
            mend=_mend(sets, drops) if sets or drops else as_it_is,
            write=not is_dry,
            hear=(lambda event: write_lines([event.body])) if is_dry else (lambda _: None),
        )
        if is_json and not is_dry:
            write_json({"type": "replayed", **_counts(summary)})
        else:
            _print_summary(summary, settings, is_dry=is_dry)
    return 0 if summary.is_complete else EXIT_FAILED


def _counts(summary: ReplaySummary) -> dict[str, Any]:
    return {"replayed": summary.replayed, "too_old": summary.too_old, "unreadable": summary.unreadable}


def _mend(sets: Sequence[str], drops: Sequence[str]) -> Mend:
    try:
        mending = Mending.read(sets, drops)
    except ValueError as error:
        raise click.UsageError(str(error)) from None

    def mend(body: bytes, _: int) -> tuple[bytes, int]:
        event = mending.mend(ReadableLine("", b"", 0, Letter(json.loads(body)))).event
        return json.dumps(event).encode(), stream_of(_id(event, "user_id"), _id(event, "device_id"))

    return mend


def _id(event: dict[str, Any], name: str) -> str | None:
    value = event.get(name)
    return value if isinstance(value, str) else None


def _print_summary(summary: ReplaySummary, settings: KafkaSettings, *, is_dry: bool) -> None:
    # The events of a dry run are on standard output.
    out = console.err() if is_dry else console.out()
    count = counted(summary.replayed, "event")
    if is_dry:
        out.print(f"{count} would go back.")
    else:
        out.print(f"{count} {agreeing(summary.replayed, 'is', 'are')} back, for the workers to deliver.")
    if summary.too_old:
        days = settings.max_event_age / 86_400
        out.print(
            f"{counted(summary.too_old, 'letter')} left out, received more than {days:.0f} days ago: "
            "Amplitude may not know their insert_ids any more, and count them twice; --any-age replays them, "
            "too.",
            soft_wrap=True,
        )
    if summary.unreadable:
        out.print(f"{counted(summary.unreadable, 'letter')} left out, which cannot be read.", soft_wrap=True)


def _moment(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc).isoformat(timespec="seconds")
