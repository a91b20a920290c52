"""`antinode replay`: its options, and what it says in the end."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Literal

import rich_click as click

from antinode._dead_letters import files_of
from antinode.cli import console
from antinode.cli.errors import Failed
from antinode.cli.interrupts import Interrupts
from antinode.cli.lazy import INTERRUPTED
from antinode.cli.output import unread_is_fine, write_lines
from antinode.cli.progress import Bar, pace
from antinode.cli.replay.editing import edit
from antinode.cli.replay.failed import FailedFile
from antinode.cli.replay.mending import Item, Mending
from antinode.cli.replay.reading import Choice, Source
from antinode.cli.replay.sending import Sending
from antinode.cli.replay.trying import Trial
from antinode.cli.sending import Destination, sdk_lines, sending_options
from antinode.cli.words import counted


@click.command(short_help="Send dead letters again, mended or not.")
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False), metavar="FILE…"
)
@click.option(
    "--all",
    "with_set_aside",
    is_flag=True,
    help="Read FILE.4 to FILE.1 too, which were set aside for their size.",
)
@click.option(
    "--reason", "reasons", multiple=True, metavar="REASON", help="Only letters with it. Repeatable."
)
@click.option(
    "--outcome",
    "outcomes",
    multiple=True,
    type=click.Choice(["rejected", "dropped"]),
    help="Only letters that ended so.",
)
@click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Set a field, or a property: user_id=user-20391, event_properties.plan=pro. Repeatable.",
)
@click.option(
    "--drop-field", "drops", multiple=True, metavar="FIELD", help="Take a field or property out. Repeatable."
)
@click.option(
    "--edit",
    "is_edited",
    is_flag=True,
    help="Open the events in $VISUAL or $EDITOR before, with the reasons.",
)
@click.option(
    "--dry-run", is_flag=True, help="Send nothing: print what would be sent, and what is wrong with the rest."
)
@click.option(
    "--failed",
    type=click.Path(dir_okay=False),
    metavar="PATH",
    help="Where to keep what fails again. Without it: FILE.failed-1, or the next number.",
)
@sending_options
@click.pass_context
def replay(
    ctx: click.Context,
    files: tuple[str, ...],
    with_set_aside: bool,
    reasons: tuple[str, ...],
    outcomes: tuple[str, ...],
    sets: tuple[str, ...],
    drops: tuple[str, ...],
    is_edited: bool,
    dry_run: bool,
    failed: str | None,
    timeout: float | None,
    api_key: str | None,
    server_url: str | None,
    zone: Literal["US", "EU"] | None,
    is_batch: bool,
    min_id_length: int | None,
) -> None:
    """Send the dead letters in each FILE again, after you have mended what was wrong with them.

    A file holds what `dead_letters=` has written, or events alone, as JSON lines. No FILE is changed. What
    fails again goes into a new file, with the new reason, so that afterwards each event was either delivered
    or is there. Events keep their insert_id and time: Amplitude counts each once, within seven days.

    The exit code is 0 if everything was delivered, 1 if something was not or could not be read.

    \b
    Examples:
      antinode replay dead-letters.jsonl --dry-run
      AMPLITUDE_API_KEY=… antinode replay dead-letters.jsonl --edit
      antinode replay dead-letters.jsonl --all --outcome dropped
      antinode replay dead-letters.jsonl --reason invalid_event --set user_id=user-20391
    """
    try:
        mending = Mending.read(sets, drops)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--set") from None
    destination = Destination(
        api_key=api_key, server_url=server_url, zone=zone, is_batch=is_batch, min_id_length=min_id_length
    )
    if not dry_run:
        _ = destination.key  # before the user edits for nothing
    source = Source(Choice(frozenset(reasons), frozenset(outcomes)))
    try:
        source.open(files, with_set_aside=with_set_aside)
        items: Iterable[Item] = map(mending.mend, source.entries())
        total = source.lines
        if is_edited and (found := list(items)):
            items = edited = edit(found)
            source.passed_over += max(0, len(found) - len(edited))
            total = len(edited) + source.skipped
        if dry_run:
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
            )
    finally:
        source.close()
    _tell_rest(source)
    if not with_set_aside and (older := [each for file in files for each in files_of(file)[:-1]]):
        console.err().print(
            f"{counted(len(older), 'older file')} not read: --all reads them too.", style="dim"
        )
    ctx.exit(code or (1 if source.problems or source.hollow else 0))


def _try(items: Iterator[Item], destination: Destination) -> int:
    trial = Trial(destination)
    with unread_is_fine():
        write_lines(trial.bodies(items))
    refused = f", {trial.refused:,} would be refused" if trial.refused else ""
    console.err().print(f"{counted(trial.good, 'event')} would be sent{refused}; this was a dry run.")
    return 1 if trial.refused else 0


def _send(
    items: Iterator[Item],
    source: Source,
    destination: Destination,
    failed: FailedFile,
    *,
    total: int,
    timeout: float | None,
) -> int:
    with Interrupts() as interrupts:
        try:
            with contextlib.closing(failed), sdk_lines(), Bar("Replaying", total) as bar:
                sending = Sending(failed, bar, timeout, skipped=lambda: source.skipped, interrupts=interrupts)
                sending.run(items, destination)
        except OSError as error:
            raise Failed(
                f"{failed.path} cannot be written: {error.strerror or error}; it does not hold everything "
                "that failed. No file that was read has changed: make room, and run it again"
            ) from None
    with unread_is_fine():
        _tell(sending, failed, bar.seconds)
    if interrupts.is_set:
        return INTERRUPTED
    return 1 if sending.failed else 0


def _tell(sending: Sending, failed: FailedFile, seconds: float) -> None:
    out = console.out()
    count = sending.delivered + sending.failed.total()
    if not count:
        out.print("There was nothing to send.")
        return
    of = f"{sending.delivered:,} of {count:,} events" if sending.failed else counted(count, "event")
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


def _tell_rest(source: Source) -> None:
    err = console.err()
    for problem in source.problems[:5]:
        err.print(console.printable(problem), style="red", soft_wrap=True)
    if source.problems:
        err.print(
            f"{counted(len(source.problems), 'line')} could not be read, and stand only where they are.",
            style="red",
        )
    if source.hollow:
        err.print(
            f"{counted(source.hollow, 'letter')} without an event: nothing of it could be kept.",
            style="yellow",
        )
    if source.passed_over:
        err.print(f"{counted(source.passed_over, 'line')} not chosen.", style="dim")
