"""What `antinode doctor --migrate` prints."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.text import Text

from antinode._protocol.words import counted
from antinode.cli.doctor.migration.scan import SourceScan, Step, read
from antinode.cli.ui import console
from antinode.cli.ui.console import printable
from antinode.cli.ui.output import write_json

_LONGEST = 200


def tell(path: str, *, is_json: bool) -> bool:
    """Read the code below `path`, and print what to change. Returns whether there is anything."""
    reading = read(Path(path))
    if is_json:
        write_json(
            {
                "ok": not reading.steps,
                "files": reading.files,
                "changes": reading.steps,
                "unread": reading.unread,
            }
        )
    else:
        _print(console.out(), reading)
    return bool(reading.steps)


def _print(out: Console, reading: SourceScan) -> None:
    for path, steps in groupby(reading.steps, lambda step: step.path):
        for step in steps:
            _print_step(out, path, step)
    for file in reading.unread:
        out.print(
            Text.assemble(
                (f"{printable(file.path)}: ", "bold"), ("not read: ", "yellow"), printable(file.why)
            )
        )
    if reading.steps or reading.unread:
        out.print()
    out.print(Text(_sum(reading), "yellow" if reading.steps else "green"))


def _print_step(out: Console, path: str, step: Step) -> None:
    out.print(
        Text.assemble((f"{printable(path)}:{step.line}", "bold"), f"  {printable(_short(step.found))}"),
        soft_wrap=True,
    )
    if step.write:
        out.print(Text.assemble("    ", ("→ ", "green"), printable(step.write)), soft_wrap=True)
    if step.note:
        out.print(Text.assemble("      " if step.write else "    ! ", printable(step.note)), soft_wrap=True)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _sum(reading: SourceScan) -> str:
    files = counted(reading.files, "file")
    if not reading.steps:
        return f"Nothing to change in {files}."
    pages = sorted({step.page for step in reading.steps})
    by_sdk = Counter(step.sdk for step in reading.steps)
    parts = ", ".join(f"{count} of {sdk}" for sdk, count in by_sdk.items())
    return f"{counted(len(reading.steps), 'place')} to change in {files}: {parts}. See {', '.join(pages)}."
