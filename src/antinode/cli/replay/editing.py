"""`--edit`: the events in an editor, each below the reason why it was not delivered."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any, Final

import rich_click as click

from antinode._deadletters import Letter
from antinode._protocol.words import counted
from antinode.cli.replay.mending import Item
from antinode.cli.ui import console
from antinode.cli.ui.errors import Failed

_ABOUT: Final = """\
# {events}. Mend what is wrong, save, and leave the editor: what stands here then is sent.
# An event that you take out is not sent, and stays where it came from; without any, nothing is sent.
# Lines that begin with # are notes. Leave insert_id as it is: by it, Amplitude counts each event once.
"""


def edit(items: Sequence[Item]) -> list[Item]:
    """The events as the user has edited them. If it raises, which ends the command, the edited file is kept
    and its path told."""
    path = _written(items)
    while True:
        try:
            click.edit(filename=path)
            edited = list(_read(path))
        except (click.ClickException, OSError, ValueError) as error:
            reason = error.format_message() if isinstance(error, click.ClickException) else str(error)
            console.err().print(console.printable(reason), style="red", soft_wrap=True)
            if not sys.stdin.isatty() or not click.confirm("Edit again?", default=True, err=True):
                raise Failed(f"nothing was sent; what you have written is in {path}") from None
        else:
            os.unlink(path)
            return edited


def _written(items: Sequence[Item]) -> str:
    descriptor, path = tempfile.mkstemp(prefix="antinode-replay-", suffix=".json")
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(_ABOUT.format(events=counted(len(items), "event")))
        for item in items:
            file.write(f"\n# {item.where}{_why(item.letter)}\n")
            file.write(json.dumps(item.event, indent=2, ensure_ascii=False) + "\n")
    return path


def _why(letter: Letter) -> str:
    if not letter.outcome:
        return ""
    return f": {letter.outcome} ({letter.reason}): {console.printable(letter.message, 1000)}"


def _read(path: str) -> Iterator[Item]:
    """The events in the file. Raises ValueError with the line at which it cannot be read."""
    with open(path, encoding="utf-8") as file:
        lines = ["" if line.lstrip().startswith("#") else line.rstrip("\r\n") for line in file]
    text = "\n".join(lines)
    decoder = json.JSONDecoder()
    at = 0
    while True:
        at += len(text[at:]) - len(text[at:].lstrip())
        if at >= len(text):
            return
        line = text.count("\n", 0, at) + 1
        try:
            event, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            raise ValueError(f"line {error.lineno}: this is not JSON: {error.msg}") from None
        except RecursionError:
            raise ValueError(f"line {line}: this is nested too deeply") from None
        if not isinstance(event, dict):
            raise ValueError(f"line {line}: an event is an object in braces, not {_cut(event)}")
        yield Item(f"line {line} of your edit", event, Letter(event))


def _cut(value: Any) -> str:
    return f"{value!r:.60}"
