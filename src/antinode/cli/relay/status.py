"""`antinode relay status`: its options."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from antinode.cli.relay.kafka_options import (
    is_given,
    is_in_kafka,
    kafka_errors,
    optional_kafka_options,
    read_kafka,
)
from antinode.cli.relay.options import config_option, spool_option
from antinode.cli.ui.errors import EXIT_FAILED


@click.command(short_help="Say how delivery stands, project by project or partition by partition.")
@click.option(
    "--url",
    metavar="URL",
    default="http://127.0.0.1:8400",
    show_default=True,
    envvar="ANTINODE_RELAY_URL",
    help="Of the relay that is asked, a front or a worker. Also: ANTINODE_RELAY_URL.",
)
@spool_option(is_required=False)
@optional_kafka_options
@config_option
@click.option("--json", "is_json", is_flag=True, help="Print one JSON object.")
def status(
    url: str,
    directory: Path | None,
    bootstrap: str | None,
    topic: str,
    group: str,
    kafka_config: Path | None,
    allow_small_cluster: bool,
    config: Path | None,
    is_json: bool,
) -> None:
    """Say how delivery stands: what is pending, how old it is, who is throttled, what was not delivered.

    A relay that runs is asked. With --spool its directory is looked into instead, whether or not one runs:
    what all processes have there. With --kafka it is what the topics have and the workers have committed, by
    partition; nobody needs to run. A record there has the events of one request for one partition.

    The exit code is 0 if the relay takes events, or delivers them, 1 if it does not or cannot be asked; with
    --kafka 1 if a partition has no worker; with --spool 0.

    \b
    Examples:
      antinode relay status
      antinode relay status --url http://relay:8400 --json | jq .delivery
      antinode relay status --spool /var/spool/relay
      antinode relay status --kafka kafka-1:9092 --json | jq '.delivery[] | select(.behind > 0)'
    """
    from antinode.cli.relay import standing  # noqa: PLC0415 - not for help and completion

    if is_given("url") or (bootstrap is None and directory is None):
        is_fine = standing.print_running(url, is_json=is_json)
    elif is_in_kafka(bootstrap, directory):
        from antinode.cli.relay.kafka_standing import print_kafka  # noqa: PLC0415 - as above

        with kafka_errors():
            settings = read_kafka(bootstrap or "", topic, group, kafka_config, allow_small_cluster)
            is_fine = print_kafka(settings, is_json=is_json)
    else:
        assert directory is not None  # noqa: S101 - or it would be in Kafka
        standing.print_directory(directory, config, is_json=is_json)
        is_fine = True
    if not is_fine:
        raise SystemExit(EXIT_FAILED)
