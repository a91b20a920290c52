"""Who may know whom, and the page that says so."""

import os
import shutil
import subprocess
import sys

import pytest

from tests.architecture import picture

CONTRACTS = picture.REPOSITORY / ".importlinter"


def lint_imports(directory, package):
    """What import-linter says of the package that lies in `package`'s folder."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as main; main()"]
    environment = {**os.environ, "PYTHONPATH": str(package.parent), "COLUMNS": "200"}
    return subprocess.run(
        [*command, str(CONTRACTS), "--no-cache"],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def test_nobody_knows_whom_they_may_not(tmp_path):
    """Each contract of .importlinter is kept."""
    run = lint_imports(tmp_path, picture.PACKAGE)
    assert run.returncode == 0, run.stdout + run.stderr


BREACHES = [
    ("_protocol.ids", "antinode._errors"),
    ("_spool.format", "antinode._delivery.record"),
    ("_encoding.numbers", "antinode._options"),
    ("_delivery.retry", "antinode._events"),
    ("_delivery.core.link", "antinode._delivery.shell.locks"),
    ("_delivery.core.link", "antinode._delivery.http.proxies"),
    ("_delivery.core.link", "time"),
    ("testing._rules", "antinode._delivery.record"),
    ("server.ingest.apis", "antinode.server.storage.store"),
]


def test_breaches_are_found(tmp_path):
    """A forbidden import is named, and so are a circle and a module that was given no place."""
    package = tmp_path / "antinode"
    shutil.copytree(
        picture.PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__", "_native*", "dist")
    )
    for module, imported in BREACHES:
        with (package / f"{module.replace('.', '/')}.py").open("a", encoding="utf-8") as file:
            file.write(f"\nimport {imported}\n")
    (package / "_placeless.py").touch()
    with (package / "_delivery" / "core" / "link.py").open("a", encoding="utf-8") as file:
        file.write("\nimport antinode._delivery.core.core\n")

    run = lint_imports(tmp_path, package)

    assert run.returncode == 1, run.stdout + run.stderr
    for module, imported in BREACHES:
        assert f"antinode.{module} -> {imported} (" in run.stdout, run.stdout
    assert "- antinode._placeless\n" in run.stdout
    assert "- .link -> .core (1 import)\n" in run.stdout


def test_the_pictures_show_the_code():
    """What `python -m tests.architecture.picture` would write is what the page has."""
    text = picture.PAGE.read_text(encoding="utf-8")
    assert text == picture.page_with_pictures(text)


def test_a_step_that_was_renamed_is_found(monkeypatch):
    """The way of an event cannot name what the code does not have."""
    renamed = picture.STEPS["judge"]._replace(function="assess")
    monkeypatch.setitem(picture.STEPS, "judge", renamed)
    with pytest.raises(LookupError, match="has no assess"):
        picture.way()


def test_a_call_that_is_gone_is_found(monkeypatch):
    """Nor an arrow where nobody calls."""
    monkeypatch.setattr(picture, "CALLS", (picture.Call("log", "send", "send_at_once"),))
    with pytest.raises(LookupError, match="does not use send_at_once"):
        picture.way()


def test_each_file_that_the_page_names_exists():
    """A path in the page's tables leads somewhere, or is said to be a place for what is to come."""
    text = picture.PAGE.read_text(encoding="utf-8")
    named = {
        word.strip("`")
        for word in text.replace("(", " ").replace(")", " ").replace(",", " ").replace(";", " ").split()
        if word.startswith("`") and word.endswith("`") and word.strip("`").endswith((".py", "/", ".c"))
    }
    roots = (picture.PACKAGE, picture.REPOSITORY, picture.PACKAGE / "cli", picture.PACKAGE / "_importing")
    lost = {name for name in named if not any((root / name).exists() for root in roots)}
    assert lost - {"integrations/", "command.py", "readers/"} == set()
    assert len(named) > 15
