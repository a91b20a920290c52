"""`antinode relay` itself: the table of its commands."""

from __future__ import annotations

from typing import Final

import rich_click as click

from antinode.cli.lazy import LazyGroup, Listed

_COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "run": ("antinode.cli.relay.run:run", "Take events from any SDK, keep them on disk, and deliver them."),
    "serve": ("antinode.cli.relay.serve:serve", "Take events from any SDK, and keep them in Kafka."),
    "deliver": ("antinode.cli.relay.deliver:deliver", "Deliver the events that are kept in Kafka."),
    "topics": ("antinode.cli.relay.topics:topics", "Make the topics of a relay on Kafka, or check them."),
    "size": ("antinode.cli.relay.size:size", "Compute fronts, workers and partitions for a load."),
    "grow": ("antinode.cli.relay.grow:grow", "Give a relay on Kafka more partitions, while it runs."),
    "status": ("antinode.cli.relay.status:status", "Say how delivery stands, project by project."),
    "dead": ("antinode.cli.relay.dead:dead", "List what could not be delivered, and send it again."),
}


@click.group(cls=LazyGroup, short_help="Keep events from any SDK durably, and deliver them in order.")
def relay() -> None:
    """Take the traffic of any Amplitude SDK, keep it durably, and deliver it in order per user.

    A request is answered 200 once all its events would survive the power cut, and each is delivered under
    one insert_id, whatever is killed in between. Clients need nothing but its address as their server URL.

    \b
    Examples:
      ANTINODE_RELAY_API_KEYS=web=… antinode relay run --spool /var/spool/relay
      antinode relay run --spool ./spool --local        # to `antinode serve`
      antinode relay status
      antinode relay dead ls --spool /var/spool/relay
    """


for _name, (_target, _short_help) in _COMMANDS.items():
    relay.add_command(Listed(_name, _target, _short_help))
