"""The dead letters in a relay's directory, counted by project and reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import rich_click as click
from rich.table import Table
from rich.text import Text

from antinode._deadletters import decode, files_of, open_letters
from antinode._protocol.words import counted
from antinode.cli.relay.options import read_projects
from antinode.cli.ui import console
from antinode.cli.ui.output import unread_is_fine, write_json
from antinode.relay.spool.lane import DEAD_LETTERS_SUFFIX


def list_letters(directory: Path, config: Path | None, *, is_json: bool) -> None:
    """Print how many dead letters there are in the relay's directory."""
    names = project_names(config)
    found = [
        {
            "type": "dead_letters",
            "project": names.get(fingerprint, fingerprint),
            "fingerprint": fingerprint,
            "outcome": outcome,
            "reason": reason,
            "count": count,
            "file": str(file),
        }
        for fingerprint, file in _files(directory)
        for (outcome, reason), count in _counts(file).most_common()
    ]
    with unread_is_fine():
        if is_json:
            write_json(*found)
        else:
            _print(found)


def project_names(config: Path | None) -> dict[str, str]:
    """The projects' names by the fingerprints of their keys; empty where nothing is configured."""
    try:
        return {each.fingerprint: each.name for each in read_projects(config)}
    except click.ClickException:
        if config is not None:
            raise
        return {}


def _files(directory: Path) -> Iterator[tuple[str, Path]]:
    for file in sorted(directory.glob(f"*{DEAD_LETTERS_SUFFIX}")):
        yield file.name.removesuffix(DEAD_LETTERS_SUFFIX), file


def _counts(file: Path) -> Counter[tuple[str, str]]:
    counts: Counter[tuple[str, str]] = Counter()
    for path in files_of(str(file)):
        with open_letters(path) as lines:
            for line in lines:
                try:
                    letter = decode(line)
                except ValueError:
                    counts["unreadable", ""] += 1
                else:
                    counts[letter.outcome, letter.reason] += 1
    return counts


def _print(found: list[dict[str, Any]]) -> None:
    out = console.out()
    if not found:
        out.print("There are no dead letters.")
        return
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for name in ("PROJECT", "OUTCOME", "REASON", "LETTERS"):
        table.add_column(name, no_wrap=True, justify="right" if name == "LETTERS" else "left")
    for each in found:
        reason = Text(console.printable(each["reason"], 60))
        table.add_row(Text(each["project"]), Text(each["outcome"]), reason, Text(f"{each['count']:,}"))
    out.print(table)
    out.print()
    out.print(f"{counted(sum(each['count'] for each in found), 'dead letter')} in all.")
