"""The command as a whole: what it loads, how it helps, how it ends."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from antinode.cli.lazy import Listed
from antinode.cli.program import COMMANDS, antinode
from tests.cli import reference
from tests.cli.nursery import run
from tests.cli.reading import environment, words

PAGE = Path(__file__).parent.parent.parent / "docs" / "cli.md"


def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
        env=environment(),
    )


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["completion", "--help"]])
def test_help_loads_no_command_that_is_not_run(arguments: list[str]) -> None:
    """Help, version and other commands import neither the server nor the command that runs it."""
    code = """
import json, sys
from antinode.cli import main
try:
    main()
except SystemExit:
    heavy = ("antinode.server", "antinode.cli.serve", "starlette", "uvicorn", "asyncio", "sqlite3", "urllib3")
    print("\\n" + json.dumps([name for name in heavy if name in sys.modules]))
"""
    done = python(code, *arguments)
    assert json.loads(done.stdout.splitlines()[-1]) == []


def test_each_listed_command_is_there() -> None:
    """Each entry of the table leads to a command that says the same about itself."""
    for name, (target, short_help) in COMMANDS.items():
        command = Listed(name, target, short_help).load()
        assert command.name == name
        assert command.short_help == short_help


@pytest.mark.parametrize("option", ["-h", "--help"])
@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)], ids=str)
def test_help_has_examples(command: list[str], option: str) -> None:
    """Every help text shows how the command is used."""
    done = run(*command, option)
    assert done.returncode == 0
    assert "Examples:" in done.stdout
    assert "\x1b" not in done.stdout


def test_version() -> None:
    """`--version` names the version that Python sees."""
    assert (
        run("--version").stdout == f"antinode {python('import antinode; print(antinode.__version__)').stdout}"
    )


def test_unknown_command_is_wrong_usage() -> None:
    """A misspelled command exits 2 and names the one that was meant."""
    done = run("sreve")
    assert done.returncode == 2
    assert "'sreve'" in done.stderr
    assert done.stdout == ""


def test_interrupt_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle of a command exits 130, as shells expect."""

    @click.command
    def slow() -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(antinode.commands, "slow", slow)
    with pytest.raises(SystemExit) as ending:
        antinode.main(["slow"], prog_name="antinode")
    assert ending.value.code == 130


@pytest.mark.parametrize(("command", "extra"), [("serve", "server"), ("--help", "cli")])
def test_without_the_extra_it_says_what_to_install(command: str, extra: str) -> None:
    """Where the extra is not installed, one line on standard error names it; there is no traceback."""
    code = """
import sys
sys.modules["rich_click"] = None
from antinode.cli import main
main()
"""
    done = python(code, command)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert f'pip install "antinode[{extra}]"' in done.stderr


def test_without_the_server_extra_it_says_what_to_install() -> None:
    """With the command but without the server's libraries, `serve` names the extra and exits 2."""
    code = """
import sys
sys.modules["starlette"] = sys.modules["uvicorn"] = None
from antinode.cli import main
main()
"""
    done = python(code, "serve", "--port", "0")
    assert done.returncode == 2
    assert 'pip install "antinode[server]"' in words(done.stderr)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str) -> None:
    """Each shell gets a script that asks the command itself."""
    done = run("completion", shell)
    assert done.returncode == 0
    assert f"_ANTINODE_COMPLETE={shell}_complete" in done.stdout


def test_completion_answers() -> None:
    """What the scripts ask is answered: commands by name, and the options of one of them."""
    asked = run(_ANTINODE_COMPLETE="bash_complete", COMP_WORDS="antinode ", COMP_CWORD="1")
    assert re.findall(r"plain,(\w+)", asked.stdout) == list(COMMANDS)
    asked = run(_ANTINODE_COMPLETE="bash_complete", COMP_WORDS="antinode serve --ma", COMP_CWORD="2")
    assert asked.stdout == "plain,--max-events\n"


@pytest.mark.parametrize(
    "words_before",
    [
        "import",
        "validate",
        "send",
        "replay",
        "import --mapping",
        "serve --data",
        "spool drain --dead-letters",
    ],
)
def test_completion_of_files(words_before: str) -> None:
    """Where a file is to be named, the shell is told to complete files."""
    count = len(words_before.split())
    asked = run(
        _ANTINODE_COMPLETE="bash_complete", COMP_WORDS=f"antinode {words_before} ", COMP_CWORD=str(count + 1)
    )
    assert asked.stdout == "file,\n"


def test_page_is_made_from_the_commands() -> None:
    """docs/cli.md says what the commands say; `python -m tests.cli.reference docs/cli.md` makes it so."""
    page = PAGE.read_text(encoding="utf-8")
    assert page == reference.rewritten(page)
