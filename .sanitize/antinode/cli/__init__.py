"""The `antinode` command. Its extra is `antinode[cli]`; importing this package needs nothing of it."""

from __future__ import annotations

import sys
from typing import NoReturn

__all__ = ["main"]


def main() -> NoReturn:
    """Runs the command line of this process and ends it with the exit code that docs/cli.md gives."""
    try:
        from antinode.cli.program import antinode  # noqa: PLC0415 - the extra may be missing, which is said below
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"rich_click", "click", "rich"}:
            raise
        extra = "server" if sys.argv[1:2] == ["serve"] else "cli"
        sys.stderr.write(f'The antinode command needs its extra: pip install "antinode[{extra}]"\n')
        sys.exit(2)
    antinode.main(prog_name="antinode")
