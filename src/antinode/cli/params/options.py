"""Single options that several commands have, so that they look the same in each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal, TypeVar

import rich_click as click

Api = Literal["batch", "http-v2"]

_NAMES: Final[dict[Api, str]] = {"batch": "the Batch API", "http-v2": "HTTP V2"}
_Command = TypeVar("_Command", bound=Callable[..., Any])
_Option = Callable[[_Command], _Command]


def timeout_option(help: str, default: float | None = None) -> _Option[Any]:
    """The option `--timeout`: seconds, more than 0."""
    return click.option(
        "--timeout",
        type=click.FloatRange(min=0, min_open=True),
        default=default,
        show_default=default is not None,
        metavar="SECONDS",
        help=help,
    )


resend_timeout_option: Final = timeout_option("Stop after so long. Without it, an outage is waited out.")


def api_option(verb: str, usual: Api = "http-v2") -> _Option[Any]:
    """The option for one of Amplitude's two upload APIs; its value is None where neither is named."""
    return click.option(
        "--batch/--http-v2",
        "is_batch",
        default=None,
        help=f"{verb} the Batch API or HTTP V2. Without it: {_NAMES[usual]}.",
    )


def min_id_length_option() -> _Option[Any]:
    """The option for the length of the shortest id that is not refused."""
    return click.option(
        "--min-id-length",
        type=click.IntRange(min=1),
        metavar="N",
        help="Accept user and device ids of N characters, not only of 5.",
    )


def property_option(help: str) -> _Option[Any]:
    """The option for event properties, which `pairs.pair` reads."""
    return click.option(
        "-p", "--property", "properties", multiple=True, metavar="KEY=VALUE", help=f"{help} Repeatable."
    )


def files_argument(metavar: str) -> _Option[Any]:
    """The argument for what `antinode._importing.sources` finds rows in: files, patterns, `-` …

    Shells complete it.
    """
    return click.argument("files", nargs=-1, required=True, type=click.Path(allow_dash=True), metavar=metavar)


directory_argument: Final = click.argument(
    "path", type=click.Path(exists=True, file_okay=False), metavar="PATH"
)
"""The directory of a spool."""
