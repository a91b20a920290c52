"""The events of a directory, as they go on the wire."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from typing import Final

import msgspec

from antinode._spool.format import DAMAGED, DELIVERED, DROPPED, PENDING, REJECTED
from antinode._spool.inspection.inspect import StoredRecord, records
from antinode.cli.spool.directory import reading, segment_names
from antinode.cli.ui import console
from antinode.cli.ui.output import unread_is_fine, write_lines

_STATES: Final = {
    PENDING: "pending",
    DELIVERED: "delivered",
    REJECTED: "rejected",
    DROPPED: "dropped",
    DAMAGED: "unreadable",
}


def print_events(
    path: str, *, is_all: bool, limit: int | None, wanted: tuple[str, ...], with_state: bool
) -> bool:
    """Print the events; returns whether every segment could be read."""
    with reading(path):
        names = [name for name in segment_names(path) if not wanted or any(each in name for each in wanted)]
    failures: list[str] = []
    lines = _lines(path, names, failures, is_all=is_all, with_state=with_state)
    with unread_is_fine():
        write_lines(lines if limit is None else itertools.islice(lines, limit))
    for failure in failures:
        console.err().print(failure, style="red", soft_wrap=True)
    return not failures


def _lines(
    path: str, names: Sequence[str], failures: list[str], *, is_all: bool, with_state: bool
) -> Iterator[bytes]:
    encoder = msgspec.json.Encoder()
    for name in names:
        try:
            for record in records(os.path.join(path, name), pending_only=not is_all):
                yield _with_state(encoder, name, record) if with_state else record.body
        except FileNotFoundError:
            continue  # settled and deleted meanwhile
        except OSError as error:
            failures.append(f"{name} cannot be read: {error.strerror or error}")
        except ValueError as error:
            failures.append(f"{name} cannot be read: {error}")


def _with_state(encoder: msgspec.json.Encoder, name: str, record: StoredRecord) -> bytes:
    return encoder.encode(
        {
            "segment": name,
            "nth": record.nth,
            "logged": _time(record.logged),
            "state": _STATES[record.code],
            "event": msgspec.Raw(record.body),
        }
    )


def _time(seconds: float) -> str | None:
    try:
        return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds")
    except (OverflowError, ValueError, OSError):
        return None  # the clock of the machine was set to anything
