"""The settings of one import."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from antinode._delivery.core.envelope import Envelope
from antinode._factory import destination
from antinode._importing.columns import Columns
from antinode._importing.preflight import Preflight
from antinode._importing.prepare import Recipe
from antinode._importing.readers.detect import Format, SourceReading
from antinode._importing.sources import Source
from antinode._options import Options
from antinode._protocol.endpoints import Endpoint
from antinode._protocol.secrets import public_url


@dataclass(frozen=True)
class ImportSettings:
    """One import. Times in seconds, rates in events a second."""

    sources: Sequence[Source]
    options: Options = field(default_factory=Options)
    """Where to send and how, as `init` has it."""
    api_key: str = field(default="", repr=False)
    columns: Columns = field(default_factory=Columns)
    format: Format | None = None
    header: Sequence[str] | None = None
    """Names of columns, for tables that have none in their first row."""
    remarks: Sequence[str] = ()
    """What is worth knowing of how the sources were found."""
    encoding: str | None = None
    """Of text; None: UTF-8, or UTF-16 with its mark."""
    allows_missing: bool = False
    """Whether it goes on though a column that is named is in no row."""
    namespace: str = ""
    """Enters the insert_ids that are made."""
    checkpoint: Path | None = None
    """None: a file of its own among the user's state, unless standard input is read."""
    rejects: Path | None = None
    """None: named after the first source, in the current directory."""
    is_repeated: bool = False
    """Begin at the first row, whatever the checkpoint says."""
    user_rate: float | None = None
    """Of one user or device; None: the endpoint's limit, 0: none."""
    project_rate: float | None = None
    """The same of everything together."""
    processes: int | None = None
    """That prepare rows beside this one; None: as many as are worth it, 0: none."""
    patience: float = 600.0
    """The import stops when nothing got through for so long."""

    @property
    def size(self) -> int:
        """The size of all sources in bytes; 0 if that of any is not known."""
        sizes = [source.size for source in self.sources]
        return sum(sizes) if all(sizes) else 0

    @property
    def host(self) -> str:
        """Where events go, without path and credentials."""
        url, _, _ = destination(self.options)
        return public_url(url).partition("://")[2].partition("/")[0]

    def preflight(self) -> Preflight:
        """A look at the first rows of all sources, which also opens them."""
        return Preflight(
            self.sources,
            self.columns,
            self.read,
            self.columns.used(),
            encoding=self.encoding,
            allows_missing=self.allows_missing,
        )

    def read(self, source: Source, used: Collection[str] | None = None) -> SourceReading:
        """One of the sources, to be read, with all its columns or those in `used`."""
        return SourceReading(source, self.format, self.header, self.encoding, used)

    def recipe(self) -> Recipe:
        """How rows become events."""
        return Recipe(
            self.columns,
            self.namespace,
            self.options.min_id_length,
            max_upload_bytes(self),
            self.encoding,
        )

    def envelope(self) -> Envelope:
        """What goes around events in a request."""
        _, endpoint, _ = destination(self.options)
        return Envelope(self.api_key, endpoint, min_id_length=self.options.min_id_length)


def max_upload_bytes(settings: ImportSettings) -> int:
    """The most bytes that the events of one request, with the commas between them, may have."""
    _, endpoint, _ = destination(settings.options)
    return endpoint.body_limit - 1 - settings.envelope().size


def user_rate(given: float | None, endpoint: Endpoint) -> float:
    return endpoint.events_per_second if given is None else given


def project_rate(given: float | None, endpoint: Endpoint) -> float:
    return endpoint.project_events_per_second if given is None else given
