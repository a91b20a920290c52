"""`antinode relay dead`: its commands."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from antinode.cli.params.options import resend_timeout_option
from antinode.cli.relay.kafka_options import (
    is_in_kafka,
    kafka_errors,
    optional_kafka_options,
    read_kafka,
)
from antinode.cli.relay.options import config_option, projects_options, read_projects, spool_option
from antinode.cli.ui.errors import NotSetUp


@click.group(short_help="List what could not be delivered, and send it again.")
def dead() -> None:
    """What Amplitude has refused for what it is, or what was given up: each event with the reason."""


@dead.command(short_help="List dead letters, by project and reason.")
@spool_option(is_required=False)
@optional_kafka_options
@config_option
@click.option("--project", "name", metavar="NAME", help="Only this project's letters, with --kafka.")
@click.option(
    "--reason",
    "reasons",
    multiple=True,
    metavar="REASON",
    help="Only letters with it, with --kafka. Repeatable.",
)
@click.option("--each", "is_each", is_flag=True, help="List every letter, with --kafka.")
@click.option("--json", "is_json", is_flag=True, help="Print JSON lines.")
def ls(
    directory: Path | None,
    bootstrap: str | None,
    topic: str,
    group: str,
    kafka_config: Path | None,
    allow_small_cluster: bool,
    config: Path | None,
    name: str | None,
    reasons: tuple[str, ...],
    is_each: bool,
    is_json: bool,
) -> None:
    """List the dead letters in the directory of --spool, or in Kafka, by project and reason.

    Without the projects' configuration, the fingerprints of their keys stand for their names.

    \b
    Examples:
      antinode relay dead ls --spool /var/spool/relay
      antinode relay dead ls --spool /var/spool/relay --json | jq .file
      antinode relay dead ls --kafka kafka-1:9092 --reason refused --each
    """
    if not is_in_kafka(bootstrap, directory):
        from antinode.cli.relay.letters import list_letters  # noqa: PLC0415 - not for help and completion

        if name is not None or reasons or is_each:
            raise click.UsageError("--project, --reason and --each are for --kafka")
        assert directory is not None  # noqa: S101 - or it would be in Kafka
        list_letters(directory, config, is_json=is_json)
        return
    from antinode.cli.relay.kafka_letters import Chosen, list_kafka_letters  # noqa: PLC0415 - as above

    with kafka_errors():
        settings = read_kafka(bootstrap or "", topic, group, kafka_config, allow_small_cluster)
        list_kafka_letters(settings, Chosen.read(config, name, reasons), is_each=is_each, is_json=is_json)


@dead.command(short_help="Send a project's dead letters again, mended or not.")
@spool_option(is_required=False)
@optional_kafka_options
@projects_options
@click.option(
    "--project",
    "name",
    metavar="NAME",
    help="Whose. Not needed if there is one project alone; with --kafka, those of all projects without it.",
)
@click.option(
    "--reason", "reasons", multiple=True, metavar="REASON", help="Only letters with it. Repeatable."
)
@click.option(
    "--outcome",
    "outcomes",
    multiple=True,
    type=click.Choice(["rejected", "dropped"]),
    help="Only letters that ended so. Not for --kafka.",
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
    "--any-age",
    is_flag=True,
    help="Replay those, too, that are older than six days, with --kafka: they could count twice.",
)
@click.option("--dry-run", "is_dry", is_flag=True, help="Send nothing: print what would be sent.")
@resend_timeout_option
@click.option(
    "--json", "is_json", is_flag=True, help="Print the result as one JSON object. Not for --dry-run."
)
def replay(
    directory: Path | None,
    bootstrap: str | None,
    topic: str,
    group: str,
    kafka_config: Path | None,
    allow_small_cluster: bool,
    config: Path | None,
    local: bool,
    server_url: str | None,
    zone: str | None,
    name: str | None,
    reasons: tuple[str, ...],
    outcomes: tuple[str, ...],
    sets: tuple[str, ...],
    drops: tuple[str, ...],
    any_age: bool,
    is_dry: bool,
    timeout: float | None,
    is_json: bool,
) -> None:
    """Send dead letters again, mended or not, under the same insert_ids.

    With --spool they are sent as `antinode replay` does it: those set aside for their size, too. No file is
    changed; what fails again goes into a new one beside it. The exit code is 0 if everything was delivered, 1
    if something was not or could not be read.

    With --kafka they go back into their users' partitions, for the workers to deliver; each once, however
    often this is called. Amplitude knows an insert_id for seven days: what was received more than six days
    ago is left out unless --any-age is given. The exit code is 0 if all that was chosen went back, 1 if not.

    \b
    Examples:
      antinode relay dead replay --spool /var/spool/relay --project web --dry-run
      antinode relay dead replay --spool /var/spool/relay --project web --outcome dropped
      antinode relay dead replay --kafka kafka-1:9092 --reason refused --set event_properties.plan=pro
    """
    if is_in_kafka(bootstrap, directory):
        if local or server_url or zone or outcomes or timeout is not None:
            raise click.UsageError(
                "with --kafka the workers deliver: leave out --local, --server-url, --zone, --outcome and "
                "--timeout"
            )
        from antinode.cli.relay.kafka_letters import Chosen, replay_kafka_letters  # noqa: PLC0415 - as below

        with kafka_errors():
            its = read_kafka(bootstrap or "", topic, group, kafka_config, allow_small_cluster)
            chosen = Chosen.read(config, name, reasons)
            code = replay_kafka_letters(
                its, chosen, sets, drops, any_age=any_age, is_dry=is_dry, is_json=is_json
            )
        raise SystemExit(code)
    assert directory is not None  # noqa: S101 - or it would be in Kafka
    if any_age:
        raise click.UsageError("--any-age is for --kafka")
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
