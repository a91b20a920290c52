"""Memory stays within the bound of the queue, however much is logged and however long the server is away."""

from __future__ import annotations

import sys

import pytest

from tests.lifecycle.driver import run

MEGABYTE = 1024 * 1024


@pytest.mark.skipif(sys.platform == "win32", reason="the peak of memory is asked for in POSIX's way")
def test_events_without_end_against_a_dead_server_stay_within_the_bound() -> None:
    """Once the queue is full, 300,000 more events need no more memory; what is dropped is counted."""
    ended = run(
        """
        import logging, resource
        import antinode

        logging.getLogger("antinode").setLevel(logging.CRITICAL)
        client = antinode.init(KEY, server_url=URL, max_queue_events=20_000, max_queue_bytes=4_000_000,
                               shutdown_timeout=0)

        def log(count):
            most = 0
            for seq in range(count):
                client.log_event(event(seq, f"user-{seq % 5000}"))
                if seq % 997 == 0:
                    stats = client.stats()
                    most = max(most, stats.pending)
                    assert stats.balanced and stats.pending_bytes <= 4_000_000
            return most

        log(60_000)
        filled = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        most = log(300_000)
        stats = client.stats()
        say(most, stats.accepted, stats.dropped["queue_full"] + stats.pending)
        unit = 1 if sys.platform == "darwin" else 1024
        say((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - filled) * unit)
        """,
        timeout=120.0,
    )
    assert ended.status == 0, ended.errors
    (most, accepted, accounted), (growth,) = (map(int, line.split()) for line in ended.lines)
    assert most <= 20_000
    assert accepted == accounted == 360_000
    assert growth < 16 * MEGABYTE
