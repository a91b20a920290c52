"""`antinode relay dead`: its commands."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from antinode.cli.params.options import resend_timeout_option
from antinode.cli.relay.options import config_option, projects_options, read_projects, spool_option
from antinode.cli.ui.errors import NotSetUp


@click.group(short_help="List what could not be delivered, and send it again.")
def dead() -> None:
    """What Amplitude has refused for what it is, or what was given up: each event with the reason."""


@dead.command(short_help="List dead letters, by project and reason.")
@spool_option(is_required=True)
@config_option
@click.option("--json", "is_json", is_flag=True, help="Print JSON lines.")
def ls(directory: Path, config: Path | None, is_json: bool) -> None:
    """List the dead letters in the directory of --spool, by project and reason.

    Without the projects' configuration, the fingerprints of their keys stand for their names.

    \b
    Examples:
      antinode relay dead ls --spool /var/spool/relay
      antinode relay dead ls --spool /var/spool/relay --json | jq .file
    """
    from antinode.cli.relay.letters import list_letters  # noqa: PLC0415 - not for help and completion

    list_letters(directory, config, is_json=is_json)


@dead.command(short_help="Send a project's dead letters again, mended or not.")
@spool_option(is_required=True)
@projects_options
@click.option("--project", "name", metavar="NAME", help="Whose. Not needed if there is one project alone.")
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
@click.option("--dry-run", "is_dry", is_flag=True, help="Send nothing: print what would be sent.")
@resend_timeout_option
@click.option(
    "--json", "is_json", is_flag=True, help="Print the result as one JSON object. Not for --dry-run."
)
def replay(
    directory: Path,
    config: Path | None,
    local: bool,
    server_url: str | None,
    zone: str | None,
    name: str | None,
    reasons: tuple[str, ...],
    outcomes: tuple[str, ...],
    sets: tuple[str, ...],
    drops: tuple[str, ...],
    is_dry: bool,
    timeout: float | None,
    is_json: bool,
) -> None:
    """Send a project's dead letters again, as `antinode replay` does: those set aside for their size, too.

    No file is changed; what fails again goes into a new one beside it. The exit code is 0 if everything was
    delivered, 1 if something was not or could not be read.

    \b
    Examples:
      antinode relay dead replay --spool /var/spool/relay --project web --dry-run
      antinode relay dead replay --spool /var/spool/relay --project web --outcome dropped
    """
    projects = read_projects(config, local=local, server_url=server_url, zone=zone)
    project = next(iter(projects)) if name is None and len(projects) == 1 else projects.named(name or "")
    if project is None:
        known = ", ".join(each.name for each in projects)
        raise NotSetUp(f"there is no project {name or ''!r:.60}: give --project, one of {known}")
    from antinode.cli.params.destination import Destination  # noqa: PLC0415 - not for help and completion
    from antinode.cli.replay.reading import Choice  # noqa: PLC0415
    from antinode.cli.replay.running import run  # noqa: PLC0415
    from antinode.relay.delivery import destination  # noqa: PLC0415
    from antinode.relay.spool.lane import dead_letters_file  # noqa: PLC0415

    file = dead_letters_file(directory, project.fingerprint)
    if not file.exists():
        click.echo(f"There are no dead letters of project {project.name}.")
        return
    raise SystemExit(
        run(
            (str(file),),
            Destination(project.api_key, {**destination(project), "min_id_length": 1}),
            Choice(frozenset(reasons), frozenset(outcomes)),
            sets=sets,
            drops=drops,
            with_set_aside=True,
            is_edited=False,
            is_dry=is_dry,
            failed=None,
            timeout=timeout,
            is_json=is_json,
        )
    )
