"""`antinode validate`: its options, and the way from files to a report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import rich_click as click

from antinode._protocol.words import counted
from antinode.cli.params.mapping import mapping_options, read_columns
from antinode.cli.params.options import api_option, files_argument, min_id_length_option
from antinode.cli.ui import console
from antinode.cli.ui.errors import EXIT_FAILED, NotSetUp

if TYPE_CHECKING:
    from antinode._importing.readers.detect import Format
    from antinode.cli.validate.report import ValidationReport


@click.command(short_help="Say what Amplitude would object to in files of events.")
@files_argument("FILES...")
@mapping_options
@min_id_length_option()
@api_option("By the limits of")
@click.option("--strict", is_flag=True, help="Exit with 1 for warnings, too.")
@click.option("--all", "shows_all", is_flag=True, help="Show every row with a problem, warnings too.")
@click.option("--json", "is_json", is_flag=True, help="Print JSON lines: each problem, then the sum.")
def validate(
    files: tuple[str, ...],
    format: Format | None,
    columns: str | None,
    encoding: str | None,
    min_id_length: int | None,
    is_batch: bool | None,
    allows_missing: bool,
    strict: bool,
    shows_all: bool,
    is_json: bool,
    **given: Any,
) -> None:
    """Say what Amplitude would object to in files of events, row by row, and what to change.

    Nothing is sent. FILES hold events as JSON lines, a JSON array, CSV, TSV, Parquet or an export archive,
    compressed or not, or are directories or patterns of such; - is standard input. Rows are numbered from 1,
    in JSON lines as the lines are. Errors are what Amplitude refuses; warnings are what it takes but hardly
    as it was meant, such as a time in seconds. What a column is, is said as to `antinode import`.

    The exit code is 0 if Amplitude would take every row, 1 if it would refuse any or a file is damaged, 2 if
    a file cannot be read at all.

    \b
    Examples:
      antinode validate events.jsonl
      antinode validate export/*.json.gz --all
      antinode validate shop.csv --event-type event --user-id user --time at --properties '*'
      zcat events.jsonl.gz | antinode validate - --strict
      antinode validate events.jsonl --json | jq 'select(.code == "invalid_time") | .row'
    """
    from antinode._importing.errors import BadMapping, ImportTrouble  # noqa: PLC0415
    from antinode._importing.preflight import Preflight  # noqa: PLC0415
    from antinode._importing.readers.detect import SourceReading  # noqa: PLC0415
    from antinode._importing.readers.encodings import check_encoding  # noqa: PLC0415
    from antinode._importing.reports import unmet  # noqa: PLC0415
    from antinode._importing.sources import find_sources  # noqa: PLC0415
    from antinode._protocol.endpoints import Endpoint  # noqa: PLC0415
    from antinode._protocol.limits import DEFAULT_MIN_ID_LENGTH  # noqa: PLC0415
    from antinode.cli.validate.judging import judge  # noqa: PLC0415 - not for help and completion
    from antinode.cli.validate.report import MachineReport, PeopleReport  # noqa: PLC0415
    from antinode.cli.validate.rows import Rows  # noqa: PLC0415
    from antinode.cli.validate.tally import Tally  # noqa: PLC0415

    try:
        mapping = read_columns(given)
        if encoding is not None:
            check_encoding(encoding)
        found = find_sources(files)
    except BadMapping as error:
        raise click.UsageError(str(error)) from None
    except ImportTrouble as error:
        raise NotSetUp(str(error)) from None
    sources = found.sources
    out = console.out()
    report: ValidationReport
    if is_json:
        report = MachineReport()
    else:
        report = PeopleReport(out, shows_all=shows_all, names_files=len(sources) > 1)
    tally = Tally()
    damaged: list[str] = []
    remarks = list(found.remarks)
    unmatched = {each.label for each in mapping.picks()}
    shortest = min_id_length or DEFAULT_MIN_ID_LENGTH
    endpoint = Endpoint.BATCH if is_batch else Endpoint.HTTP_V2
    header = None if columns is None else columns.split(",")
    preflight = Preflight(
        sources,
        mapping,
        lambda source, used: SourceReading(source, format, header, encoding, used),
        mapping.used(),
        allows_missing=allows_missing,
        encoding=encoding,
        judges=True,
    )
    is_quiet = not (out.is_terminal and (is_json or shows_all))
    try:
        with console.Waiting(is_shown=is_quiet) as waiting:
            preflight.look()
            for number, source in enumerate(sources):
                rows = Rows(source, mapping, preflight.open(number), encoding)
                for batch in judge(rows, min_id_length=shortest, endpoint=endpoint):
                    for judged in batch:
                        tally.add(source.name, judged)
                        if judged.problems:
                            report.row(source.name, judged)
                    waiting.tell(f"{source.name}: {counted(tally.rows, 'row')}", rows.share)
                remarks += rows.remarks
                unmatched &= rows.unmatched
                if rows.damage:
                    damaged.append(rows.damage)
    except ImportTrouble as error:
        raise NotSetUp(str(error)) from None
    report.end(tally, len(sources))
    for each in (*remarks, *(unmet(unmatched) if tally.rows else ())):
        console.err().print(console.printable(each, 1_000), style="yellow")
    for each in damaged:
        console.err().print(console.printable(each), style="bold red")
    if damaged or tally.rows_with_errors or (strict and tally.rows_with_warnings):
        raise SystemExit(EXIT_FAILED)
