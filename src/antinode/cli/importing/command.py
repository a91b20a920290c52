"""`antinode import`: its options, and what they are made into."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from antinode.cli import console
from antinode.cli.errors import Failed, NotSetUp
from antinode.cli.importing import arguments, telling
from antinode.cli.importing.stopping import stopping
from antinode.cli.importing.watching import Watcher
from antinode.cli.lazy import INTERRUPTED
from antinode.cli.mapping import mapping_options
from antinode.importing.formats import Format
from antinode.importing.importer import Importer
from antinode.importing.reports import Report, Survey
from antinode.importing.settings import Settings
from antinode.importing.sources import find_sources
from antinode.importing.surveying import Surveyor
from antinode.importing.troubles import BadMapping, ImportTrouble, NotInstalled
from antinode.importing.workshop import tune_interpreter

_PATH = click.Path(path_type=Path, dir_okay=False)
_RATE = click.FloatRange(min=0)


@click.command("import", short_help="Send history from files to Amplitude.")
@click.argument("files", nargs=-1, required=True, metavar="FILES...")
@mapping_options
@click.option("--dry-run", is_flag=True, help="Show the first events and every problem, and send nothing.")
@click.option(
    "--api-key",
    metavar="KEY",
    envvar="AMPLITUDE_API_KEY",
    help="The project's API key; better in AMPLITUDE_API_KEY, where nobody sees it.",
)
@click.option(
    "--zone", type=click.Choice(["US", "EU"]), help="Where the project's data lives. US by default."
)
@click.option("--server-url", metavar="URL", help="Send elsewhere, such as to `antinode serve`.")
@click.option(
    "--endpoint",
    type=click.Choice(["batch", "http-v2"]),
    help="The API to send to: batch, unless --server-url names the other one.",
)
@click.option(
    "--min-id-length",
    type=click.IntRange(min=1),
    metavar="N",
    help="Take user and device ids of N characters.",
)
@click.option(
    "--user-rate",
    type=_RATE,
    metavar="N",
    help="Events a second of one user or device at most; 0 for no limit. By default what the endpoint "
    "allows: 1,000, or 30 of http-v2.",
)
@click.option(
    "--project-rate",
    type=_RATE,
    metavar="N",
    help="The same of the whole project. By default 100,000, or 50,000 of http-v2.",
)
@click.option(
    "--connections",
    type=click.IntRange(1, 64),
    default=8,
    metavar="N",
    show_default=True,
    help="Requests at the same time, at most.",
)
@click.option(
    "--processes",
    type=click.IntRange(0, 64),
    metavar="N",
    help="Processes that read rows beside the one that sends. By default as many as the import is worth.",
)
@click.option(
    "--patience",
    type=click.FloatRange(min=1),
    default=600,
    metavar="SECONDS",
    show_default=True,
    help="Give up when nothing gets through for so long.",
)
@click.option(
    "--namespace",
    default="",
    metavar="TEXT",
    help="Enters the insert_ids that are made, so that the same rows count as other events.",
)
@click.option(
    "--checkpoint",
    type=_PATH,
    metavar="PATH",
    help="Where to note how far it is. By default among the user's state, by files and project.",
)
@click.option("--again", is_flag=True, help="Begin at the first row, whatever the checkpoint says.")
@click.option(
    "--rejected",
    type=_PATH,
    metavar="FILE",
    help="The file that rejected rows are added to. By default NAME.rejected here, after the first file.",
)
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
@click.option("--json", "is_json", is_flag=True, help="Print the result as one JSON object.")
@click.pass_context
def import_(
    ctx: click.Context,
    files: tuple[str, ...],
    format: Format | None,
    columns: str | None,
    mapping: Path | None,
    event_type: str | None,
    user_id: str | None,
    device_id: str | None,
    time: str | None,
    insert_id: str | None,
    session_id: str | None,
    fields: tuple[str, ...],
    properties: tuple[str, ...],
    user_properties: tuple[str, ...],
    groups: tuple[str, ...],
    constants: tuple[str, ...],
    time_format: str,
    time_zone: str,
    null: tuple[str, ...],
    text: tuple[str, ...],
    dry_run: bool,
    api_key: str | None,
    zone: str | None,
    server_url: str | None,
    endpoint: str | None,
    min_id_length: int | None,
    user_rate: float | None,
    project_rate: float | None,
    connections: int,
    processes: int | None,
    patience: float,
    namespace: str,
    checkpoint: Path | None,
    again: bool,
    rejected: Path | None,
    quiet: bool,
    is_json: bool,
) -> None:
    """Send the events of FILES to Amplitude: JSON lines, JSON arrays, CSV, TSV, Parquet, Amplitude's exports.

    FILES may be compressed with gzip or zstd, and may be directories, patterns, zip archives, or - for
    standard input. Rows that are events in Amplitude's words, or rows of its export, are taken as they are;
    for all others, say which column is what.

    Ctrl-C stops it, and the same command goes on where it stopped, even after a crash: rows keep their
    insert_ids, so that none counts twice. Rows that are rejected go to a file, with the reason, and can be
    mended there and imported. The exit code is 0 if all rows were delivered, 1 if some were rejected or the
    import failed, 2 if something has to be written differently or set up, 130 if it was interrupted.

    \b
    Examples:
      antinode import events.jsonl.gz
      antinode import export.zip --zone EU
      antinode import shop.csv --event-type event --user-id user --time at --properties '*' --dry-run
      antinode import flights.parquet --mapping flights.toml --rejected to-mend.jsonl
      zcat archive/*.gz | antinode import - --checkpoint archive.checkpoint
    """
    try:
        settings = Settings(
            sources=find_sources(files),
            options=arguments.options(
                server_url=server_url,
                zone=zone,
                endpoint=endpoint,
                min_id_length=min_id_length,
                connections=connections,
            ),
            api_key="" if dry_run else arguments.key(api_key),
            columns=arguments.mapping(
                mapping,
                fields={
                    "event_type": event_type,
                    "user_id": user_id,
                    "device_id": device_id,
                    "time": time,
                    "insert_id": insert_id,
                    "session_id": session_id,
                },
                more_fields=fields,
                properties=properties,
                user_properties=user_properties,
                groups=groups,
                constants=constants,
                time_format=time_format,
                time_zone=time_zone,
                null=null,
                text=text,
            ),
            format=format,
            header=None if columns is None else columns.split(","),
            namespace=namespace,
            checkpoint=checkpoint,
            rejects=rejected,
            is_repeated=again,
            user_rate=user_rate,
            project_rate=project_rate,
            processes=processes,
            patience=patience,
        )
        tune_interpreter()
        outcome, was_stopped = _run(settings, is_dry=dry_run, is_quiet=quiet or is_json)
    except BadMapping as error:
        raise click.UsageError(str(error)) from None
    except NotInstalled as error:
        raise NotSetUp(str(error)) from None
    except ImportTrouble as error:
        raise Failed(str(error)) from None
    except OSError as error:
        named = f"{error.filename}: " if error.filename else ""
        raise Failed(f"{named}{error.strerror or error}") from None
    _tell(outcome, settings, is_quiet=quiet, is_json=is_json)
    if was_stopped and not (outcome.is_whole if isinstance(outcome, Survey) else outcome.is_finished):
        ctx.exit(INTERRUPTED)
    if (outcome.rows > outcome.good) if isinstance(outcome, Survey) else outcome.rejected:
        ctx.exit(1)


def _run(settings: Settings, *, is_dry: bool, is_quiet: bool) -> tuple[Report | Survey, bool]:
    """The outcome, and whether a signal came."""
    verb = "Looking" if is_dry else "Importing"
    with Watcher(console.err(), verb, is_quiet=is_quiet) as watcher:
        work = Surveyor(settings, watcher) if is_dry else Importer(settings, watcher)

        def stop() -> None:
            watcher.wait_for_last()
            work.stop()

        with stopping(stop) as stopped:
            outcome: Report | Survey = work.run()
    return outcome, stopped.came


def _tell(outcome: Report | Survey, settings: Settings, *, is_quiet: bool, is_json: bool) -> None:
    if is_json:
        if isinstance(outcome, Survey):
            telling.write_survey(outcome)
        else:
            telling.write_report(outcome)
    elif not is_quiet:
        if isinstance(outcome, Survey):
            telling.tell_survey(console.out(), outcome)
        else:
            telling.tell_report(console.out(), outcome, server=settings.host)
