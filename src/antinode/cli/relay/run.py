"""`antinode relay run`: its options, and what they are made into."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click

from antinode.cli.relay.listening import front_settings, listening_options, logging_options, needs_server
from antinode.cli.relay.options import projects_options, read_projects, spool_option
from antinode.cli.ui.errors import NotSetUp


@click.command(short_help="Take events from any SDK, keep them on disk, and deliver them.")
@spool_option(is_required=True)
@projects_options
@listening_options
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
@logging_options
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
    needs_server()
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
