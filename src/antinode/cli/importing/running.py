"""The way from what was written on the command line to an outcome that is told."""

from __future__ import annotations

from typing import Any, Final, Protocol, TypeVar

import rich_click as click

from antinode._importing.dry_run import DryRun
from antinode._importing.errors import BadMapping, ImportTrouble, NotInstalled, Unclear
from antinode._importing.importer import Importer
from antinode._importing.pool import tune_interpreter
from antinode._importing.readers.encodings import check_encoding
from antinode._importing.settings import ImportSettings
from antinode._importing.sources import find_sources
from antinode._options import Options, read_options
from antinode.cli.importing import telling
from antinode.cli.importing.watching import Watcher
from antinode.cli.lazy import INTERRUPTED
from antinode.cli.params.destination import Destination, usage_errors
from antinode.cli.params.mapping import read_columns
from antinode.cli.ui import console
from antinode.cli.ui.errors import EXIT_FAILED, Failed, NotSetUp
from antinode.cli.ui.interrupts import Interrupts

# On a slow line, a request of 20 MB takes longer than the default allows.
_REQUEST_TIMEOUT_MS: Final = 60_000

_Outcome_co = TypeVar("_Outcome_co", covariant=True)


class _Work(Protocol[_Outcome_co]):
    def run(self) -> _Outcome_co: ...

    def stop(self) -> None: ...


def run(
    files: tuple[str, ...],
    destination: Destination,
    *,
    connections: int,
    columns: str | None,
    encoding: str | None,
    is_dry: bool,
    is_quiet: bool,
    is_json: bool,
    **given: Any,
) -> int:
    """Run an import; returns the exit code.

    `given` says which column is what; the other arguments are fields of `ImportSettings`.
    """
    try:
        found = find_sources(files)
    except ImportTrouble as error:
        raise NotSetUp(str(error)) from None
    try:
        mapping = read_columns(given)
        if encoding is not None:
            check_encoding(encoding)
        settings = ImportSettings(
            sources=found.sources,
            remarks=found.remarks,
            options=_options(destination, connections),
            api_key="" if is_dry else destination.key(),
            columns=mapping,
            encoding=encoding,
            header=None if columns is None else columns.split(","),
            **given,
        )
        tune_interpreter()
        if is_dry:
            return _survey(settings, is_quiet=is_quiet, is_json=is_json)
        return _import(settings, is_quiet=is_quiet, is_json=is_json)
    except BadMapping as error:
        raise click.UsageError(str(error)) from None
    except (NotInstalled, Unclear) as error:
        raise NotSetUp(str(error)) from None
    except ImportTrouble as error:
        raise Failed(str(error)) from None
    except BrokenPipeError:
        raise
    except OSError as error:
        named = f"{error.filename}: " if error.filename else ""
        raise Failed(f"{named}{error.strerror or error}") from None


def _options(destination: Destination, connections: int) -> Options:
    destination.url()  # options that contradict each other are wrong usage
    more = {"connections": connections, "request_timeout_millis": _REQUEST_TIMEOUT_MS}
    with usage_errors():
        return read_options({**destination.options, **more})


def _import(settings: ImportSettings, *, is_quiet: bool, is_json: bool) -> int:
    watcher = Watcher("Importing", is_quiet=is_quiet or is_json)
    report, was_stopped = _watched(Importer(settings, watcher), watcher)
    if is_json:
        telling.write_report(report)
    elif not is_quiet:
        telling.tell_report(console.out(), report, server=settings.host)
    if was_stopped and not report.is_finished:
        return INTERRUPTED
    return EXIT_FAILED if report.rejected or report.unread else 0


def _survey(settings: ImportSettings, *, is_quiet: bool, is_json: bool) -> int:
    watcher = Watcher("Looking", is_quiet=is_quiet or is_json)
    survey, was_stopped = _watched(DryRun(settings, watcher), watcher)
    if is_json:
        telling.write_survey(survey)
    elif not is_quiet:
        telling.tell_survey(console.out(), survey)
    if was_stopped and not survey.is_whole:
        return INTERRUPTED
    return EXIT_FAILED if survey.rows > survey.good + survey.left_out or survey.unread else 0


def _watched(work: _Work[_Outcome_co], watcher: Watcher) -> tuple[_Outcome_co, bool]:
    """The outcome, and whether a signal came."""

    def stop() -> None:
        watcher.wait_for_last()
        work.stop()

    with watcher.bar, Interrupts(stop) as interrupts:
        return work.run(), interrupts.is_set
