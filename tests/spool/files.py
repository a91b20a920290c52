"""What the spool's tests share: making spools, draining them, and files to damage."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from antinode._spool import DELIVERED, Recovered, Spool
from antinode._spool.disk import Disk
from antinode._spool.scanning import Damage, Frame, scan

LIMIT = 64 * 1024 * 1024


def opened(path: Path, *, max_bytes: int = LIMIT, disk: Disk | None = None, **options: object) -> Spool:
    spool = Spool(path, max_bytes=max_bytes, disk=disk, **options)  # type: ignore[arg-type]
    spool.open()
    return spool


def drain(spool: Spool, *, max_events: int = 1000, max_bytes: int = 1 << 20) -> list[Recovered]:
    """Read all there is to read, acknowledging nothing."""
    read: list[Recovered] = []
    while batch := spool.read(max_events, max_bytes):
        read += batch
    return read


def settle(spool: Spool) -> list[bytes]:
    """Read and acknowledge everything; returns the bodies."""
    read = drain(spool)
    spool.acknowledge([record.place for record in read], DELIVERED)
    return [record.body for record in read]


def bodies(records: list[Recovered]) -> list[bytes]:
    return [record.body for record in records]


def segments(path: Path) -> list[Path]:
    return sorted(path.glob("*.seg"))


def scanned(data: bytes, start: int, end: int, salt: int) -> tuple[list[Frame], list[Damage]]:
    """Everything the scanner finds in the bytes of a file."""
    frames: list[Frame] = []
    damages: list[Damage] = []
    for item in _scan(data, start, end, salt):
        if isinstance(item, Frame):
            frames.append(item)
        else:
            damages.append(item)
    return frames, damages


def _scan(data: bytes, start: int, end: int, salt: int) -> Iterator[Frame | Damage]:
    return scan(lambda offset, length: data[offset : offset + length], start, end, 0, salt)
