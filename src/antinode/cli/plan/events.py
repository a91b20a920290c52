"""Events for a plan: of files, by the importer's readers, or of a local Amplitude."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import rich_click as click

from antinode.cli.params.destination import LOCAL_URL
from antinode.cli.ui.errors import Failed, NotSetUp

if TYPE_CHECKING:
    from antinode._importing.readers.detect import Format
    from antinode.cli.ui.console import Waiting

_PAGE: Final = 1_000
_TELL_EVERY: Final = 1_000


class Placed(NamedTuple):
    """An event, and where it was found."""

    event: dict[str, Any]
    place: str


class GivenEvents:
    """The events that a command was given, one after the other."""

    def __init__(self, command: str, given: dict[str, Any]) -> None:
        """`given` is what `files_argument`, `local_option` and `mapping_options` make of the command line."""
        files: Sequence[str] = given.pop("files")
        local, url, columns = given.pop("local"), given.pop("url"), given.pop("columns")
        if bool(files) == bool(local or url):
            raise click.UsageError("Name files of events, or --local, and not both.")
        self._command = command
        self._files = files
        self._url: str | None = (url or LOCAL_URL) if local or url else None
        self._format: Format | None = given.pop("format")
        self._header: list[str] | None = None if columns is None else columns.split(",")
        self._encoding: str | None = given.pop("encoding")
        self._allows_missing: bool = given.pop("allows_missing")
        self._given = given
        self.unread = 0
        """Rows of which no event could be made."""
        self.first_unread = ""
        """Where the first of them is, and why."""
        self.remarks: list[str] = []

    def read(self, waiting: Waiting) -> Iterator[Placed]:
        """Raises NotSetUp and Failed."""
        return self._of_server() if self._url is not None else self._of_files(waiting)

    def _of_server(self) -> Iterator[Placed]:
        import msgspec  # noqa: PLC0415
        import urllib3  # noqa: PLC0415 - not for help and completion

        from antinode._protocol.secrets import public_url  # noqa: PLC0415 - the same
        from antinode.server.client import Api, ApiError  # noqa: PLC0415 - the same

        assert self._url is not None  # noqa: S101 - asked by the one caller
        url = self._url if "://" in self._url else f"http://{self._url}"
        api = Api(url)
        try:
            newest = api.events(limit=1)
            end = newest[0].seq if newest else 0
            for start in range(0, end, _PAGE):
                stop = min(start + _PAGE, end)
                page = api.events(after=start, before=stop + 1, limit=_PAGE, outcome="accepted")
                for each in reversed(page):
                    yield Placed(each.event, f"event {each.seq:,}")
        except (urllib3.exceptions.HTTPError, ApiError, msgspec.DecodeError):
            raise Failed(
                f"no local Amplitude answers at {public_url(url)}: start one with `antinode serve`, "
                "or say with --url where it listens"
            ) from None
        finally:
            api.close()

    def _of_files(self, waiting: Waiting) -> Iterator[Placed]:
        from antinode._importing.errors import BadMapping, ImportTrouble  # noqa: PLC0415
        from antinode._importing.preflight import Preflight  # noqa: PLC0415
        from antinode._importing.readers.detect import SourceReading  # noqa: PLC0415
        from antinode._importing.readers.encodings import check_encoding  # noqa: PLC0415
        from antinode._importing.sources import find_sources  # noqa: PLC0415 - not for help and completion
        from antinode.cli.params.mapping import read_columns  # noqa: PLC0415 - the same

        try:
            mapping = read_columns(self._given)
            if self._encoding is not None:
                check_encoding(self._encoding)
            found = find_sources(self._files)
            self.remarks += found.remarks
            preflight = Preflight(
                found.sources,
                mapping,
                lambda source, used: SourceReading(source, self._format, self._header, self._encoding, used),
                mapping.used(),
                allows_missing=self._allows_missing,
                encoding=self._encoding,
                judges=True,
                command=self._command,
            )
            preflight.look()
            for number, source in enumerate(found.sources):
                reading = preflight.open(number)
                names_file = f"{source.name}, " if len(found.sources) > 1 else ""
                for count, (row, event) in enumerate(self._rows(mapping, reading)):
                    if count % _TELL_EVERY == 0:
                        share = min(1.0, reading.position / source.size) if source.size else None
                        waiting.tell(f"{source.name}: row {row:,}", share)
                    if isinstance(event, str):
                        self.unread += 1
                        self.first_unread = self.first_unread or f"{names_file}row {row:,}: {event}"
                    else:
                        yield Placed(event, f"{names_file}row {row:,}")
        except BadMapping as error:
            raise click.UsageError(str(error)) from None
        except ImportTrouble as error:
            raise NotSetUp(str(error)) from None

    def _rows(self, mapping: Any, reading: Any) -> Iterator[tuple[int, dict[str, Any] | str]]:
        """The number of each row with its event, or with why there is none."""
        from antinode._importing.chunks import SPRAWLING, is_sprawling  # noqa: PLC0415 - as above
        from antinode._importing.decoding import decoded  # noqa: PLC0415 - as above
        from antinode._importing.errors import Damaged, LeftOut, Unmappable  # noqa: PLC0415 - as above
        from antinode._importing.mapper import Mapper  # noqa: PLC0415 - as above

        mapper = Mapper(mapping, self._encoding)
        try:
            for chunk in reading.chunks():
                for position, text in enumerate(chunk.texts):
                    row = chunk.first + position
                    if position in chunk.problems:
                        yield row, chunk.problems[position]
                    elif text and is_sprawling(text):
                        yield row, SPRAWLING
                    elif text:
                        try:
                            with suppress(LeftOut):
                                yield row, mapper.to_event(decoded(text)[0], has_cells=chunk.has_cells)
                        except (Unmappable, ValueError, RecursionError) as error:
                            yield row, str(error)
                        mapper.notes.clear()
        except Damaged as error:
            yield reading.rows + 1, str(error)
