"""The peers, one adapter each, and how each is set."""

from __future__ import annotations

from typing import NamedTuple

BATCH = 2000
"""Events in a request, for every peer whose batches can be set: what Amplitude's API takes at most."""
KEY = "0123456789abcdef0123456789abcdef"


class Peer(NamedTuple):
    """One of those compared."""

    name: str
    module: str
    """The adapter: a module of this package, or a .mjs file beside it."""
    package: str = ""
    """What to install it from; empty for what is always there."""
    imported: str = ""
    """What an application imports; empty where that is not measured."""
    share: float = 1.0
    """Of the events of a run: slow peers get fewer, as all figures are per event."""

    @property
    def is_node(self) -> bool:
        return self.module.endswith(".mjs")


FLOOR = Peer("floor", "floor")
ANTINODE = Peer("antinode", "antinode_client", imported="antinode")
AMPLITUDE = Peer(
    "amplitude-analytics", "amplitude_client", "amplitude-analytics", imported="amplitude", share=0.05
)
NODE = Peer(
    "@amplitude/node", "amplitude_node.mjs", "@amplitude/node", imported="@amplitude/node", share=0.25
)
ANALYTICS_NODE = Peer(
    "@amplitude/analytics-node",
    "analytics_node.mjs",
    "@amplitude/analytics-node",
    imported="@amplitude/analytics-node",
    share=0.05,
)
POSTHOG = Peer("posthog", "posthog_client", "posthog", imported="posthog", share=0.05)
SEGMENT = Peer(
    "segment-analytics-python",
    "segment_client",
    "segment-analytics-python",
    imported="segment.analytics",
    share=0.05,
)

ENCODING = Peer("encoding alone", "encoding")
"""Takes part where only the call is measured."""

PEERS = (FLOOR, ANTINODE, AMPLITUDE, NODE, ANALYTICS_NODE, POSTHOG, SEGMENT)
