"""How kept events are delivered, whatever they are kept in: the options of a project, and its figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from antinode._delivery.shell.sender import Sender
from antinode._options import Options, read_options
from antinode._protocol.endpoints import endpoint_of
from antinode._protocol.urls import split_url
from antinode.relay.figures import DeliveryFigures
from antinode.relay.projects import Project


def delivery_options(project: Project, given: Mapping[str, Any], **fixed: Any) -> Options:
    """The options by which a project's events are sent: `given` as to `antinode.init`, and what is fixed.

    Raises `ConfigurationError`.
    """
    # The front has checked the ids, by what each request said of them.
    return read_options({**destination(project), **given, "min_id_length": 1, **fixed})


def destination(project: Project) -> dict[str, Any]:
    """Where a project's events go; by way of the Batch API while there is a backlog, where that is known."""
    url = project.server_url
    if url is None:
        return {"server_zone": project.server_zone, "endpoint": "auto"}
    has_both = endpoint_of(url) is not None or split_url(url).path in {"", "/"}
    return {"server_url": url, **({"endpoint": "auto"} if has_both else {})}


def figures_of(sender: Sender) -> DeliveryFigures:
    """How delivery stands for a sender's project."""
    # Before the counts: what is read in between stands in both, and never in neither.
    unread_files = sender.unread_files
    stats = sender.stats()
    return DeliveryFigures(
        pending=stats.pending,
        pending_bytes=stats.pending_bytes,
        unread_files=unread_files,
        delivered=stats.delivered,
        rejected=sum(stats.rejected.values()),
        dropped=sum(stats.dropped.values()),
        throttled=sender.throttled,
        oldest_age_s=stats.oldest_age,
        is_reachable=stats.stalled is None,
    )
