"""How a relay stands: by its own account, or by what is in its directory."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import urllib3
from rich.table import Table
from rich.text import Text

from antinode._protocol.secrets import public_url
from antinode._protocol.words import agreeing, counted, size
from antinode._spool.inspection.inspect import SegmentSummary
from antinode.cli.relay.letters import project_names
from antinode.cli.spool.directory import reading, surveyed
from antinode.cli.ui import console
from antinode.cli.ui.errors import Failed
from antinode.cli.ui.output import unread_is_fine, write_json
from antinode.cli.ui.words import lapse
from antinode.relay.figures import DeliveryFigures
from antinode.relay.kafka.figures import PartitionFigures

_WITHIN_S = 10.0
_WORKER = ("delivers events", "delivers no events")


class _Account(msgspec.Struct):
    """What is read of the answer of `/status`."""

    is_ready: bool
    why: str
    delivery: dict[str, DeliveryFigures] | None = None
    partitions: list[PartitionFigures] | None = None
    """Of a worker on Kafka alone."""


def print_running(url: str, *, is_json: bool) -> bool:
    """Print how the relay at `url` stands. Returns whether it takes events; raises `Failed`."""
    answer = _asked(url)
    try:
        standing = msgspec.json.decode(answer, type=_Account)
    except msgspec.MsgspecError:
        raise Failed(f"{public_url(url)} does not answer as a relay does: is it one?") from None
    with unread_is_fine():
        if is_json:
            write_json(msgspec.json.decode(answer))
        else:
            _print_standing(standing)
    return standing.is_ready


def _asked(url: str) -> bytes:
    try:
        with urllib3.PoolManager(retries=False, timeout=_WITHIN_S) as pool:
            answer = pool.request("GET", f"{url.rstrip('/')}/status")
            return answer.data if answer.status == 200 else b""
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        raise Failed(
            f"the relay at {public_url(url)} cannot be asked ({type(error).__name__}): does it run there? "
            "--url names another one, --spool looks into a directory"
        ) from None


def _print_standing(standing: _Account) -> None:
    out = console.out()
    does, does_not = ("takes events", "takes no events") if standing.partitions is None else _WORKER
    if standing.is_ready:
        out.print(f"It {does}.", style="green")
    else:
        out.print(f"It {does_not}: {console.printable(standing.why)}", style="red", soft_wrap=True)
    if standing.delivery is None:
        out.print("Events are delivered by other processes.")
        return
    print_table(
        ("PROJECT", "PENDING", "OLDEST", "THROTTLED", "DELIVERED", "REJECTED", "DROPPED", "UPLOADS"),
        [
            (
                name,
                f"{each.pending:,}",
                lapse(each.oldest_age_s) if each.pending else "",
                f"{each.throttled:,}",
                f"{each.delivered:,}",
                f"{each.rejected:,}",
                f"{each.dropped:,}",
                "go on" if each.is_reachable else "paused",
            )
            for name, each in standing.delivery.items()
        ],
    )
    for name, each in standing.delivery.items():
        if each.unread_files:
            files = counted(each.unread_files, "file")
            out.print(f"{name}: more is pending in {files} of ended relays, which {_is(each)} not read yet.")
    if standing.partitions:
        out.print()
        print_table(
            ("PARTITION", "UNDER WAY", "PARKED", "PARKED STREAMS"),
            [
                (str(each.partition), f"{each.lag:,}", f"{each.parked:,}", f"{each.lanes:,}")
                for each in standing.partitions
            ],
        )


def _is(figures: DeliveryFigures) -> str:
    return agreeing(figures.unread_files, "is", "are")


def print_directory(directory: Path, config: Path | None, *, is_json: bool) -> None:
    """Print what is pending in a relay's directory. Raises `Failed`."""
    names = project_names(config)
    with reading(str(directory)):
        found = [
            _facts(each.name, names.get(each.name, each.name), segments)
            for each in sorted(directory.iterdir())
            if each.is_dir() and (segments := surveyed(str(each))[0])
        ]
    with unread_is_fine():
        if is_json:
            write_json({"type": "spools", "delivery": found})
        elif found:
            print_table(
                ("PROJECT", "PENDING", "IN USE", "OLDEST", "SIZE"),
                [
                    (
                        each["project"],
                        f"{each['pending']:,}",
                        f"{each['in_use']:,}",
                        "" if each["oldest_age_s"] is None else lapse(each["oldest_age_s"]),
                        size(each["bytes"]),
                    )
                    for each in found
                ],
            )
            console.out().print(f"\n{counted(sum(each['pending'] for each in found), 'event')} pending.")
        else:
            console.out().print(f"Nothing is kept in {directory}.")


def _facts(fingerprint: str, name: str, segments: Sequence[SegmentSummary]) -> dict[str, Any]:
    oldest = min((each.oldest for each in segments if each.oldest is not None), default=None)
    return {
        "project": name,
        "fingerprint": fingerprint,
        "pending": sum(each.pending for each in segments),
        "in_use": sum(each.pending for each in segments if each.is_alive),
        "oldest_age_s": None if oldest is None else max(0.0, time.time() - oldest),
        "bytes": sum(each.bytes for each in segments),
    }


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows in columns, the first to the left and all others to the right."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for number, name in enumerate(columns):
        table.add_column(name, no_wrap=True, justify="right" if number else "left")
    for row in rows:
        table.add_row(*map(Text, row))
    console.out().print(table)
