"""The options that say how rows become events: those of `antinode import` and `antinode validate`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import rich_click as click

if TYPE_CHECKING:
    from antinode._importing.columns import Columns

FORMATS: Final = ("jsonl", "json", "csv", "tsv", "parquet")
"""Those of `antinode._importing.readers.detect`, which is not loaded to complete an option."""

_Command = TypeVar("_Command", bound=Callable[..., Any])

_OPTIONS: Final = (
    click.option(
        "--format",
        "format",
        type=click.Choice(FORMATS),
        help="What the files are, if it cannot be told from what they hold and how they are called.",
    ),
    click.option(
        "--encoding",
        metavar="NAME",
        help="What text is encoded in, if not UTF-8, such as windows-1252.",
    ),
    click.option(
        "--columns",
        metavar="NAMES",
        help="Names of the columns, separated by commas, for tables without a header.",
    ),
    click.option(
        "--mapping",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="A mapping in TOML or JSON; options add to it.",
    ),
    click.option("--event-type", metavar="COLUMN", help="The column that says what happened."),
    click.option("--user-id", metavar="COLUMN", help="The column that says who did it."),
    click.option("--device-id", metavar="COLUMN", help="The column with the device, instead or as well."),
    click.option(
        "--time",
        metavar="COLUMN",
        help="The column that says when; `now` if the rows have no time, and are to be dated now.",
    ),
    click.option("--insert-id", metavar="COLUMN", help="The column that tells each event from all others."),
    click.option(
        "--session-id", metavar="COLUMN", help="The column with the session's start in milliseconds."
    ),
    click.option(
        "--field",
        "fields",
        multiple=True,
        metavar="KEY=COLUMN",
        help="The column of any other key of an event, such as platform=device. Repeatable.",
    ),
    click.option(
        "--properties",
        multiple=True,
        metavar="COLUMNS",
        help="Columns that become event properties: a name, NAME=COLUMN, or a pattern; '*' is every column "
        "not used otherwise, of 'prop_*' the prop_ is cut off, 'props.*' is all that an object holds. "
        "Repeatable.",
    ),
    click.option(
        "--user-properties",
        multiple=True,
        metavar="COLUMNS",
        help="The same for properties of the user. Repeatable.",
    ),
    click.option(
        "--group",
        "groups",
        multiple=True,
        metavar="TYPE=COLUMN",
        help="The column that names a group of this type. Repeatable.",
    ),
    click.option(
        "--constant",
        "constants",
        multiple=True,
        metavar="KEY=VALUE",
        help="The same value for every event, such as event_type=Flight or event_properties.source=archive. "
        "Repeatable.",
    ),
    click.option(
        "--time-format",
        metavar="FORMAT",
        default="auto",
        show_default=True,
        help="s, ms, us or ns since 1970, iso, a pattern such as '%d/%m/%Y %H:%M', or excel for the dates of "
        "spreadsheets as numbers; auto tells the first five apart.",
    ),
    click.option(
        "--time-zone", metavar="ZONE", default="UTC", show_default=True, help="Of times that do not name one."
    ),
    click.option(
        "--null", multiple=True, metavar="TEXT", help="A cell that means nothing, such as NA. Repeatable."
    ),
    click.option(
        "--text",
        multiple=True,
        metavar="COLUMNS",
        help="Columns whose cells stay text though they look like numbers; a name or a pattern. Repeatable.",
    ),
    click.option(
        "--allow-missing",
        "allows_missing",
        is_flag=True,
        help="Go on though a column that is named is in no row.",
    ),
    click.option(
        "--where",
        multiple=True,
        metavar="COLUMN=VALUE",
        help="Take only rows in which this holds: COLUMN=VALUE or COLUMN!=VALUE, with commas between values "
        "and * for anything. Repeatable: all must hold.",
    ),
)


def mapping_options(command: _Command) -> _Command:
    """Give a command the options that say how rows become events."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def read_columns(given: dict[str, Any]) -> Columns:
    """Takes what says which column is what out of `given`, the keyword arguments of a command.

    Raises BadMapping, and click.BadParameter.
    """
    from antinode.cli.params.columns import mapping  # noqa: PLC0415 - not for help and completion

    keys = ("event_type", "user_id", "device_id", "time", "insert_id", "session_id")
    return mapping(
        given.pop("mapping"),
        fields={key: given.pop(key) for key in keys},
        more_fields=given.pop("fields"),
        properties=given.pop("properties"),
        user_properties=given.pop("user_properties"),
        groups=given.pop("groups"),
        constants=given.pop("constants"),
        time_format=given.pop("time_format"),
        time_zone=given.pop("time_zone"),
        null=given.pop("null"),
        text=given.pop("text"),
        where=given.pop("where"),
    )
