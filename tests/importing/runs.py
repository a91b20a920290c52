"""Imports as the tests run them, and files for them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from antinode._importing.columns import Columns
from antinode._importing.dry_run import DryRun
from antinode._importing.importer import Importer
from antinode._importing.reports import ImportProgress, ImportReport, Survey
from antinode._importing.settings import ImportSettings
from antinode._importing.sources import find_sources
from antinode._options import read_options

KEY = "0123456789abcdef0123456789abcdef"
ROOT = Path(__file__).parent.parent.parent
SHOP = ROOT / "examples" / "data" / "ecom.csv.gz"
FLIGHTS = Path(__file__).parent / "data" / "flights.csv.gz"

SHOP_COLUMNS = Columns(
    fields={"event_type": "event", "user_id": "user_id", "time": "timestamp", "platform": "platform"},
    properties=("*",),
)
FLIGHT_COLUMNS = Columns(
    fields={"user_id": "tailnum", "time": "time_hour"},
    properties=("*",),
    groups={"carrier": "carrier"},
    constants={"event_type": "Flight"},
    null=("NA",),
)


class Quiet:
    """Watches, and remembers what was said."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.last: ImportProgress | None = None

    def progressed(self, progress: ImportProgress) -> None:
        self.last = progress

    def said(self, text: str) -> None:
        self.lines.append(text)


def settings(files: Sequence[Path | str], folder: Path, server_url: str, **more: Any) -> ImportSettings:
    """An import whose checkpoint and rejected rows are in `folder`."""
    server_url = f"{server_url.removesuffix('/batch')}/batch"
    options = read_options({"server_url": server_url, "connections": 4, "request_timeout_millis": 10_000})
    usual = {"api_key": KEY, "checkpoint": folder / "checkpoint", "rejects": folder / "rejected"}
    return ImportSettings(
        find_sources([str(each) for each in files]).sources, options, **{**usual, "processes": 0, **more}
    )


def run(files: Sequence[Path | str], folder: Path, server_url: str, **more: Any) -> ImportReport:
    return Importer(settings(files, folder, server_url, **more), Quiet()).run()


def look(files: Sequence[Path | str], folder: Path, **more: Any) -> Survey:
    return DryRun(settings(files, folder, "http://127.0.0.1:1/batch", **more), Quiet()).run()


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def song(number: int, **more: Any) -> dict[str, Any]:
    """A good event without an insert_id."""
    return {
        "event_type": "Song Played",
        "user_id": f"user-{number % 7:04}",
        "time": 1_700_000_000_000 + number,
        **more,
    }


def rejected(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
