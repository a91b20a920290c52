"""`antinode import`: its options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click

from antinode.cli.params.destination import destination_options, read_destination
from antinode.cli.params.mapping import mapping_options
from antinode.cli.params.options import files_argument

_PATH = click.Path(path_type=Path, dir_okay=False)
_RATE = click.FloatRange(min=0)


@click.command("import", short_help="Send history from files to Amplitude.")
@files_argument("FILES...")
@mapping_options
@click.option(
    "--dry-run", "is_dry", is_flag=True, help="Show the first events and every problem, and send nothing."
)
@destination_options(usual="batch")
@click.option(
    "--user-rate",
    type=_RATE,
    metavar="N",
    help="Events a second of one user or device at most; 0 for no limit. By default what the API allows: "
    "1,000, or 30 of HTTP V2.",
)
@click.option(
    "--project-rate",
    type=_RATE,
    metavar="N",
    help="The same of the whole project. By default 100,000, or 50,000 of HTTP V2.",
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
@click.option(
    "--again", "is_repeated", is_flag=True, help="Begin at the first row, whatever the checkpoint says."
)
@click.option(
    "--rejected",
    "rejects",
    type=_PATH,
    metavar="FILE",
    help="The file that rejected rows are added to. By default NAME.rejected here, after the first file.",
)
@click.option("--quiet", "is_quiet", is_flag=True, help="Print nothing but errors.")
@click.option("--json", "is_json", is_flag=True, help="Print the result as one JSON object.")
def import_(files: tuple[str, ...], **given: Any) -> None:
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
    destination = read_destination(given, usual="batch")
    from antinode.cli.importing.running import run  # noqa: PLC0415 - not for help and completion

    raise SystemExit(run(files, destination, **given))
