"""Where a command sends to, and as whom: the options of `antinode.init` that commands have in common."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

import rich_click as click

from antinode.cli.params.options import Api, api_option, min_id_length_option
from antinode.cli.ui.errors import NotSetUp

if TYPE_CHECKING:
    from antinode._options import Options

LOCAL_URL: Final = "http://127.0.0.1:8300"
"""Where `antinode serve` listens unless it is told otherwise."""

_ANY_KEY: Final = "any-key"
_Command = TypeVar("_Command", bound=Callable[..., Any])

_OPTIONS: Final = (
    click.option(
        "--api-key",
        metavar="KEY",
        help="The project's API key. Better set AMPLITUDE_API_KEY: others can read a command line.",
    ),
    click.option("--local", is_flag=True, help=f"Send to `antinode serve` on {LOCAL_URL}. Any key does."),
    click.option("--server-url", metavar="URL", help="Send to this URL instead of Amplitude's."),
    click.option(
        "--zone",
        type=click.Choice(["US", "EU"], case_sensitive=False),
        help="Where the project's data lives: US unless given.",
    ),
)
_WAY_OPTIONS: Final = (
    click.option(
        "--proxy",
        metavar="URL",
        help="Go through this proxy, or through none: `none`. Without it HTTPS_PROXY and the like decide.",
    ),
    click.option(
        "--ca-bundle",
        type=click.Path(exists=True),
        metavar="PATH",
        help="Trust these certificates: a PEM file, or a directory of them.",
    ),
)


@dataclass(frozen=True)
class Destination:
    """What the options say. Nothing is checked before `check`, and the key is in no text."""

    api_key: str | None = field(default=None, repr=False)
    options: dict[str, Any] = field(default_factory=dict, repr=False)
    """For `init`; only what was given."""

    def check(self) -> Options:
        """The options in force. Raises click.UsageError about the first that is wrong."""
        from antinode._options import read_options  # noqa: PLC0415 - not for help and completion

        with usage_errors():
            return read_options(self.options)

    def url(self) -> str:
        """Where events go. Raises click.UsageError where the options contradict each other."""
        from antinode._factory import upload_urls  # noqa: PLC0415 - as above

        with usage_errors():
            return upload_urls(self.check())[0]

    def shown_url(self) -> str:
        """Where events go, without what may be secret in the URL: user name, password and query."""
        from antinode._protocol.secrets import public_url  # noqa: PLC0415 - as above

        return public_url(self.url())

    def key(self) -> str:
        """The key, or one that a local server takes. Raises NotSetUp if there is none or it cannot be one."""
        from antinode._api_key import check_api_key  # noqa: PLC0415
        from antinode._errors import ConfigurationError  # noqa: PLC0415 - as above

        given = self.api_key or os.environ.get("AMPLITUDE_API_KEY")
        if not given:
            if self.is_local:
                return _ANY_KEY
            raise NotSetUp(
                "there is no API key: set AMPLITUDE_API_KEY to that of the project, or give --api-key. "
                "To try things out without one: antinode serve, and --local here"
            )
        try:
            return check_api_key(given)
        except ConfigurationError as error:
            raise NotSetUp(str(error)) from None

    def secret_key(self) -> str:
        """The project's secret key, or one that a local server takes. Raises NotSetUp if there is none."""
        given = os.environ.get("AMPLITUDE_SECRET_KEY") or ("any-secret" if self.is_local else "")
        if not given:
            raise NotSetUp("there is no secret key: set AMPLITUDE_SECRET_KEY to that of the project")
        return given

    @property
    def is_local(self) -> bool:
        """Whether events go to this machine."""
        from urllib.parse import urlsplit  # noqa: PLC0415 - as above

        from antinode.cli.serve.banner import is_loopback  # noqa: PLC0415

        try:
            host = urlsplit(self.options.get("server_url") or "").hostname
        except ValueError:
            return False
        return host is not None and is_loopback(host)


@contextlib.contextmanager
def usage_errors() -> Iterator[None]:
    """Turn a ConfigurationError within the block into wrong usage of the command."""
    from antinode._errors import ConfigurationError  # noqa: PLC0415 - not for help and completion

    try:
        yield
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from None


def destination_options(*, usual: Api = "http-v2") -> Callable[[_Command], _Command]:
    """Give a command the options of `Destination`, which `read_destination` takes out of its arguments."""

    def add(command: _Command) -> _Command:
        for option in reversed(
            (
                *_OPTIONS,
                api_option("Send to", usual),
                *_WAY_OPTIONS,
                min_id_length_option(),
            )
        ):
            command = option(command)
        return command

    return add


def address_options() -> Callable[[_Command], _Command]:
    """As `destination_options`, for a command that sends no events."""

    def add(command: _Command) -> _Command:
        for option in reversed((*_OPTIONS, *_WAY_OPTIONS)):
            command = option(command)
        return command

    return add


def read_destination(given: dict[str, Any], *, usual: Api = "http-v2") -> Destination:
    """Takes the options of `destination_options`, or of `address_options`, out of a command's arguments.

    The API is the `usual` one where neither an option nor the end of the URL names one.
    """
    api_key = given.pop("api_key")
    server_url, zone, proxy = given.pop("server_url"), given.pop("zone"), given.pop("proxy")
    is_batch = given.pop("is_batch", None)
    if given.pop("local"):
        if server_url or zone:
            raise click.UsageError("--local says where to send: leave --server-url and --zone out")
        server_url = LOCAL_URL
    named = _named_api(server_url)
    if is_batch is None and usual == "batch" and named is None:
        is_batch = True
    if is_batch is not None and named not in {None, is_batch}:
        flag = "--batch" if is_batch else "--http-v2"
        raise click.UsageError(f"{flag} contradicts the end of --server-url: leave one of them out")
    options = {
        "server_url": server_url,
        "server_zone": zone,
        "endpoint": None if is_batch is None else "batch" if is_batch else "http-v2",
        "proxy": False if proxy == "none" else proxy,
        "ca_bundle": given.pop("ca_bundle"),
        "min_id_length": given.pop("min_id_length", None),
    }
    return Destination(api_key, {name: value for name, value in options.items() if value is not None})


def _named_api(server_url: str | None) -> bool | None:
    """Whether the URL ends in the path of the Batch API; None if it ends in neither API's path."""
    from antinode._protocol.endpoints import Endpoint, endpoint_of  # noqa: PLC0415 - not for help and completion

    named = None if server_url is None else endpoint_of(server_url)
    return None if named is None else named is Endpoint.BATCH
