"""The way from the letters in the files to what has become of them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import rich_click as click

from antinode._deadletters import files_of
from antinode._protocol.words import counted
from antinode.cli.lazy import INTERRUPTED
from antinode.cli.params.destination import Destination
from antinode.cli.replay.editing import edit
from antinode.cli.replay.failed import FailedFile
from antinode.cli.replay.mending import Item, Mending
from antinode.cli.replay.reading import Choice, DeadLetterFiles
from antinode.cli.replay.sending import Sending
from antinode.cli.replay.trying import Trial
from antinode.cli.ui import console
from antinode.cli.ui.errors import Failed
from antinode.cli.ui.interrupts import Interrupts
from antinode.cli.ui.output import unread_is_fine, write_json, write_lines
from antinode.cli.ui.progress import Bar, pace
from antinode.cli.ui.sending import sdk_lines


def run(
    files: tuple[str, ...],
    destination: Destination,
    choice: Choice,
    *,
    sets: tuple[str, ...],
    drops: tuple[str, ...],
    with_set_aside: bool,
    is_edited: bool,
    is_dry: bool,
    failed: str | None,
    timeout: float | None,
    is_json: bool,
) -> int:
    """Replay the letters; returns the exit code."""
    try:
        mending = Mending.read(sets, drops)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--set") from None
    if not is_dry:
        destination.key()  # before the user edits for nothing
    source = DeadLetterFiles(choice)
    try:
        source.open(files, with_set_aside=with_set_aside)
        items: Iterable[Item] = map(mending.mend, source.entries())
        total = source.lines
        if is_edited and (found := list(items)):
            items = edited = edit(found)
            source.passed_over += max(0, len(found) - len(edited))
            total = len(edited) + source.skipped
        if is_dry:
            code = _try(iter(items), destination)
        else:
            if failed is not None and source.holds(failed):
                raise click.BadParameter(f"{failed} is read: name another one", param_hint="--failed")
            code = _send(
                iter(items),
                source,
                destination,
                FailedFile.open(failed, files[0]),
                total=total,
                timeout=timeout,
                is_json=is_json,
            )
    finally:
        source.close()
    _tell_rest(source)
    if not with_set_aside and (older := [each for file in files for each in files_of(file)[:-1]]):
        console.err().print(
            f"{counted(len(older), 'older file')} not read: --all reads them too.", style="dim"
        )
    return code or (1 if source.unreadable or source.hollow else 0)


def _try(items: Iterator[Item], destination: Destination) -> int:
    trial = Trial(destination)
    with unread_is_fine():
        write_lines(trial.bodies(items))
    refused = f", {trial.refused:,} would be refused" if trial.refused else ""
    console.err().print(f"{counted(trial.good, 'event')} would be sent{refused}; this was a dry run.")
    return 1 if trial.refused else 0


def _send(
    items: Iterator[Item],
    source: DeadLetterFiles,
    destination: Destination,
    failed: FailedFile,
    *,
    total: int,
    timeout: float | None,
    is_json: bool,
) -> int:
    with Interrupts() as interrupts:
        try:
            with contextlib.closing(failed), sdk_lines(), Bar("Replaying") as bar:
                sending = Sending(
                    failed, bar, total, timeout, skipped=lambda: source.skipped, interrupts=interrupts
                )
                sending.run(items, destination)
        except OSError as error:
            raise Failed(
                f"{failed.path} cannot be written: {error.strerror or error}; it does not hold everything "
                "that failed. No file that was read has changed: make room, and run it again"
            ) from None
    with unread_is_fine():
        if is_json:
            write_json(_facts(sending, source, failed, bar.seconds))
        else:
            _tell(sending, failed, bar.seconds)
    if interrupts.is_set:
        return INTERRUPTED
    return 1 if sending.failed else 0


def _facts(sending: Sending, source: DeadLetterFiles, failed: FailedFile, seconds: float) -> dict[str, Any]:
    return {
        "type": "replay",
        "delivered": sending.delivered,
        "failed": [
            {"outcome": kind, "reason": reason, "count": count, "message": sending.examples[kind, reason]}
            for (kind, reason), count in sending.failed.most_common()
        ],
        "failed_file": failed.path if failed.count else None,
        "not_chosen": source.passed_over,
        "without_event": source.hollow,
        "unreadable": source.problems,
        "seconds": round(seconds, 3),
    }


def _tell(sending: Sending, failed: FailedFile, seconds: float) -> None:
    out = console.out()
    count = sending.delivered + sending.failed.total()
    if not count:
        out.print("There was nothing to send.")
        return
    of = f"{sending.delivered:,} of {counted(count, 'event')}" if sending.failed else counted(count, "event")
    out.print(
        f"Delivered {of} {pace(sending.delivered, seconds)}.", style="green" if sending.delivered else ""
    )
    for (kind, reason), number in sending.failed.most_common():
        example = console.printable(sending.examples[kind, reason])
        out.print(f"{kind.capitalize()} {number:,} ({reason}): {example}", style="red", soft_wrap=True)
    if sending.failed:
        out.print(
            f"{counted(failed.count, 'event')} not delivered: in {failed.path}",
            style="yellow",
            soft_wrap=True,
        )


def _tell_rest(source: DeadLetterFiles) -> None:
    err = console.err()
    for problem in source.problems[:5]:
        err.print(console.printable(problem), style="red", soft_wrap=True)
    if source.unreadable:
        err.print(
            f"{counted(source.unreadable, 'line')} could not be read, and stand only where they are.",
            style="red",
        )
    if source.hollow:
        err.print(
            f"{counted(source.hollow, 'letter')} without an event: nothing of it could be kept.",
            style="yellow",
        )
    if source.passed_over:
        err.print(f"{counted(source.passed_over, 'line')} not chosen.", style="dim")
