"""`antinode forget`: its options."""

from __future__ import annotations

from typing import Any

import rich_click as click

from antinode.cli.params.destination import address_options, read_destination


@click.command(short_help="Remove a user from spools and dead letters, and ask Amplitude to.")
@click.argument("user_ids", nargs=-1, metavar="[USER]...")
@click.option(
    "--device-id",
    "device_ids",
    multiple=True,
    metavar="ID",
    help="Whoever has this device and no user_id. Repeatable.",
)
@click.option(
    "--spool",
    "spools",
    multiple=True,
    type=click.Path(exists=True, file_okay=False),
    metavar="PATH",
    help="A directory of storage=. Repeatable.",
)
@click.option(
    "--dead-letters",
    "letters",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE",
    help="A file of dead_letters=, with those set aside. Repeatable.",
)
@click.option(
    "--amplitude",
    "at_amplitude",
    is_flag=True,
    help="Ask Amplitude to delete the users, with the secret key in AMPLITUDE_SECRET_KEY.",
)
@click.option(
    "--requester", default="", metavar="WHO", help="On whose behalf Amplitude is asked: an e-mail address."
)
@click.option(
    "--jobs",
    "shows_jobs",
    is_flag=True,
    help="List Amplitude's deletion jobs, from 30 days ago to 60 days ahead.",
)
@address_options()
@click.option("--json", "is_json", is_flag=True, help="Print the result as one JSON object.")
def forget(
    user_ids: tuple[str, ...],
    device_ids: tuple[str, ...],
    spools: tuple[str, ...],
    letters: tuple[str, ...],
    at_amplitude: bool,
    requester: str,
    shows_jobs: bool,
    is_json: bool,
    **given: Any,
) -> None:
    """Remove the events of each USER from spools and dead letters, and ask Amplitude to delete the users.

    What ended processes have left in a spool is overwritten there. What living ones hold is theirs alone to
    remove: it is left, counted, and `client.forget` removes it there. A dead letter is blanked where it
    stands. The exit code is 0 if nothing is left, 1 otherwise.

    \b
    Examples:
      antinode forget user-20391 --spool /var/spool/shop --dead-letters dead-letters.jsonl
      AMPLITUDE_API_KEY=… AMPLITUDE_SECRET_KEY=… antinode forget user-20391 --amplitude
      antinode forget --device-id b7a1e1c0 --spool /var/spool/shop
      AMPLITUDE_API_KEY=… AMPLITUDE_SECRET_KEY=… antinode forget --jobs
    """
    destination = read_destination(given)
    if not shows_jobs and not (user_ids or device_ids):
        raise click.UsageError("name a USER, or --device-id")
    if not (shows_jobs or spools or letters or at_amplitude):
        raise click.UsageError("say where: --spool, --dead-letters, --amplitude")
    from antinode.cli.forget.running import Task, run  # noqa: PLC0415 - not for help and completion

    task = Task(
        user_ids, device_ids, spools, letters, requester, at_amplitude=at_amplitude, shows_jobs=shows_jobs
    )
    raise SystemExit(run(task, destination, is_json=is_json))
