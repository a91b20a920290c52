"""What the command loads before it does anything. Counted in modules: a time would be the machine's."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from antinode.cli.program import COMMANDS
from antinode.cli.spool.command import spool
from tests.cli.reading import environment

LOADED = """
import atexit, json, sys
def tell():
    sys.stderr.write("\\n" + json.dumps([name for name, module in sys.modules.items() if module]))
atexit.register(tell)
from antinode.cli import main
main()
"""
FRAME = {
    "antinode",
    "antinode._lifecycle",
    "antinode._lifecycle.exit",
    "antinode._lazy",
    "antinode._version",
    "antinode.cli",
    "antinode.cli.lazy",
    "antinode.cli.program",
}
"""What every start needs of ours."""
TEXTS = {"antinode._protocol", "antinode._protocol.words"}
"""What puts numbers into sentences, in a microsecond."""
HEAVY = {
    "asyncio",
    "http.client",
    "logging",
    "orjson",
    "rich.live",
    "rich.progress",
    "sqlite3",
    "ssl",
    "urllib3",
}


def loaded(*arguments: str, **more: str) -> set[str]:
    """The modules of a process that ran the command to its end."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *arguments],
        capture_output=True,
        text=True,
        check=True,
        encoding="utf-8",
        env=environment(**more),
    )
    return set(json.loads(done.stderr.splitlines()[-1]))


def ours(modules: set[str]) -> set[str]:
    return {name for name in modules if name.partition(".")[0] == "antinode"}


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]], ids=str)
def test_help_loads_nothing_of_the_sdk(arguments: list[str]) -> None:
    """Help and version load the frame of the command alone: no client, no server, no asyncio, no JSON."""
    modules = loaded(*arguments)
    assert ours(modules) == FRAME
    assert modules.isdisjoint(HEAVY | {"msgspec"})


def test_completion_loads_no_rich() -> None:
    """Completing a command costs what completing needs: Tab is to feel like nothing."""
    modules = loaded(_ANTINODE_COMPLETE="bash_complete", COMP_WORDS="antinode ", COMP_CWORD="1")
    assert ours(modules) == FRAME
    assert not [name for name in modules if name.startswith("rich.")]


# Serving loads what it serves with; what else it says is printed by rich.
@pytest.mark.parametrize(
    "command",
    [*(name for name in COMMANDS if name != "serve"), *(f"spool {name}" for name in spool.commands)],
)
def test_options_are_completed_without_what_the_command_works_with(command: str) -> None:
    """Completing an option loads the command's own module and its options, not what it does."""
    asked = {"COMP_WORDS": f"antinode {command} --", "COMP_CWORD": str(len(command.split()) + 1)}
    modules = loaded(_ANTINODE_COMPLETE="bash_complete", **asked)
    assert {name for name in ours(modules) if not name.startswith("antinode.cli.")} <= FRAME | TEXTS
    assert modules.isdisjoint(HEAVY | {"msgspec"})
    assert not [name for name in modules if name.startswith("rich.")]


def test_help_loads_few_modules() -> None:
    """As many as rich needs for a coloured page, beyond what the interpreter has loaded; no creeping."""
    bare = subprocess.run(
        [sys.executable, "-c", "import sys; print(len(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(loaded("--help")) - int(bare.stdout) < 260
    assert len(loaded("--version")) - int(bare.stdout) < 130
