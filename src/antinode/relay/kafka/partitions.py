"""Which partition of a topic a stream's events are in."""

from __future__ import annotations


def partition_of(stream: int, partitions: int) -> int:
    """The partition of a stream in a topic of so many: the stream's number modulo the count.

    Never change it: a stream whose events are in two partitions has no order. So a topic's count is fixed.
    """
    return stream % partitions
