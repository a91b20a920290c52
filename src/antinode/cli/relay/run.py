"""`antinode relay run`: its options, and what they are made into."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from antinode.cli.relay.options import projects_options, read_projects, spool_option
from antinode.cli.ui.errors import Failed, NotSetUp

if TYPE_CHECKING:
    from antinode.relay.front.site import FrontSettings


@click.command(short_help="Take events from any SDK, keep them on disk, and deliver them.")
@spool_option(is_required=True)
@projects_options
@click.option(
    "--host",
    metavar="ADDRESS",
    default="127.0.0.1",
    show_default=True,
    envvar="ANTINODE_RELAY_HOST",
    help="Address to listen on. Also: ANTINODE_RELAY_HOST.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8400,
    metavar="PORT",
    show_default=True,
    envvar="ANTINODE_RELAY_PORT",
    help="Port to listen on; 0 takes any free one. Also: ANTINODE_RELAY_PORT.",
)
@click.option(
    "--cert",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    metavar="PATH",
    help="Serve HTTPS with this certificate, in PEM.",
)
@click.option(
    "--key",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    metavar="PATH",
    help="The key of --cert, in PEM; not needed if it is in the same file.",
)
@click.option(
    "--proxies",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="So many proxies are in front, each of which adds to X-Forwarded-For whom it serves.",
)
@click.option(
    "--max-spool-bytes",
    type=click.IntRange(min=1024 * 1024),
    metavar="N",
    help="Bytes that a project may have on the disk, above which events are refused. Default: 1 GiB.",
)
@click.option(
    "--connections",
    type=click.IntRange(min=1, max=1000),
    metavar="N",
    help="Uploads of a project that may run at once. Default: 4.",
)
@click.option(
    "--finish",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="At the end, how long requests that are under way may take.",
)
@click.option(
    "--drain",
    type=click.FloatRange(min=0),
    default=15.0,
    show_default=True,
    metavar="SECONDS",
    help="After that, how long delivery goes on. The rest stays on the disk.",
)
@click.option(
    "--log-level",
    type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR"], case_sensitive=False),
    default="INFO",
    show_default=True,
    help="What to log, to standard error.",
)
@click.option("--json", "is_json", is_flag=True, help="Print where it listens, and log, as JSON lines.")
def run(
    directory: Path,
    config: Path | None,
    local: bool,
    server_url: str | None,
    zone: str | None,
    max_spool_bytes: int | None,
    connections: int | None,
    log_level: str,
    is_json: bool,
    **listening: Any,
) -> None:
    """Take events from any Amplitude SDK, keep them in the directory of --spool, and deliver them.

    It is everything in one process, with no other component. It runs until SIGTERM or Ctrl-C: then it takes
    no more connections, answers what is under way, and delivers for a while; what is left there is delivered
    after the next start, even if it is killed. Any number of processes may share the directory.

    The exit code is 0 after SIGTERM or Ctrl-C, 1 if it cannot listen, 2 if something is not configured.

    \b
    Examples:
      ANTINODE_RELAY_API_KEYS=web=…,app=… antinode relay run --spool /var/spool/relay
      antinode relay run --spool /var/spool/relay --config relay.toml --host 0.0.0.0 --json
      antinode relay run --spool ./spool --local
    """
    try:
        import httptools  # noqa: F401, PLC0415
        import starlette  # noqa: F401, PLC0415
        import uvicorn  # noqa: F401, PLC0415 - only serving needs the extra
    except ImportError as error:
        raise NotSetUp(f'the relay needs an extra: pip install "antinode[server]" ({error})') from None
    from antinode._errors import ConfigurationError  # noqa: PLC0415 - not for help and completion
    from antinode.relay.spool.intake import SpoolIntake  # noqa: PLC0415

    projects = read_projects(config, local=local, server_url=server_url, zone=zone)
    given = {"max_spool_bytes": max_spool_bytes, "connections": connections}
    settings = front_settings(**listening)
    try:
        intake = SpoolIntake(
            directory, projects, {name: value for name, value in given.items() if value is not None}
        )
    except ConfigurationError as error:
        raise NotSetUp(str(error)) from None
    from antinode.cli.relay.serving import serve_front  # noqa: PLC0415

    serve_front(
        settings,
        projects,
        intake,
        f"events are kept in {intake.directory}, and delivered from there",
        delivering=intake,
        log_level=log_level,
        is_json=is_json,
    )


def front_settings(
    *, host: str, port: int, cert: Path | None, key: Path | None, proxies: int, finish: float, drain: float
) -> FrontSettings:
    """Where a front listens, by the options. Raises UsageError, and Failed for a certificate."""
    from antinode.cli.serve import encryption  # noqa: PLC0415 - as above
    from antinode.relay.front.site import FrontSettings  # noqa: PLC0415

    if key is not None and cert is None:
        raise click.UsageError("--key is the key of a certificate: give --cert too")
    try:
        secured = None if cert is None else encryption.given(cert, key)
    except ImportError as error:
        raise Failed(f'--cert needs an extra: pip install "antinode[server]" ({error})') from None
    return FrontSettings(
        host=host,
        port=port,
        tls=None if secured is None else secured.context,
        proxies=proxies,
        finish_within_s=finish,
        drain_within_s=drain,
    )
