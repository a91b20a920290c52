"""Whether memory may be mapped to files in a directory without the risk of dying by it."""

from __future__ import annotations

import os
from collections.abc import Iterable

# A store into a mapped page kills the process (SIGBUS) when the file system finds no room for the page. On
# these, blocks reserved with fallocate stay the file's own, so there always is room. Copy-on-write and
# network file systems do not promise that.
_RESERVING = frozenset({"ext2", "ext3", "ext4", "xfs", "tmpfs", "f2fs", "overlay"})


def may_map(directory: str) -> bool:
    """Whether files there may be mapped. On Linux only: APFS copies on write, and Windows does not keep views
    and writes of one file consistent."""
    return filesystem_of(directory) in _RESERVING


def filesystem_of(directory: str) -> str:
    """The type of file system that the directory is on; empty where that is not told, as outside Linux."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
            device = os.stat(directory).st_dev
            return type_of(os.path.realpath(directory), f"{device >> 8 & 0xFFF}:{_minor(device)}", lines)
    except (OSError, ValueError):
        return ""


def _minor(device: int) -> int:
    """The minor number of a device, as Linux has it; os.minor is not everywhere."""
    return device & 0xFF | device >> 12 & 0xFFF00


def type_of(path: str, device: str, mountinfo: Iterable[str]) -> str:
    """The type of the file system that holds the path; empty when the mounts do not say."""
    by_prefix, longest = "", -1
    for line in mountinfo:
        fields = line.split()
        kind = fields[fields.index("-") + 1]
        if fields[2] == device:
            return kind
        # Some file systems (btrfs) give files another device number than the mount has.
        point = fields[4].replace("\\040", " ")
        if (path == point or path.startswith(point.rstrip("/") + "/")) and len(point) >= longest:
            by_prefix, longest = kind, len(point)
    return by_prefix
