"""Which projects the relay knows, and that their keys stay where they are configured."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from antinode import ConfigurationError
from antinode.relay.projects import Project, Projects, load_projects

KEY, OTHER = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"


def written(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def test_projects_of_a_file(tmp_path: Path) -> None:
    """Keys stand in the file, in a file of their own, or in a variable; each project says where it goes."""
    written(tmp_path / "app.key", f"{OTHER}\n")
    config = written(
        tmp_path / "relay.toml",
        f"""
        [projects.web]
        api_key = "{KEY}"
        server_zone = "EU"
        [projects.app]
        api_key_file = "app.key"
        server_url = "http://127.0.0.1:8300"
        [projects.jobs]
        api_key_env = "JOBS_KEY"
        """,
    )
    projects = load_projects(config, {"JOBS_KEY": "1" * 32})
    assert [each.name for each in projects] == ["web", "app", "jobs"]
    web, app, jobs = projects
    assert (web.api_key, web.server_zone, web.server_url) == (KEY, "EU", None)
    assert (app.api_key, app.server_zone, app.server_url) == (OTHER, "US", "http://127.0.0.1:8300")
    assert projects.of_key("1" * 32) is jobs
    assert projects.of_key("2" * 32) is None
    assert projects.of_fingerprint(web.fingerprint) is web
    assert projects.of_fingerprint("0" * 16) is None
    assert projects.named("app") is app


@pytest.mark.parametrize(
    ("variables", "names"),
    [
        ({"ANTINODE_RELAY_API_KEYS": f"web={KEY}, app={OTHER}"}, ["web", "app"]),
        ({"ANTINODE_RELAY_API_KEYS": KEY}, ["default"]),
        ({"AMPLITUDE_API_KEY": KEY}, ["default"]),
        ({"ANTINODE_RELAY_API_KEYS": f"web={KEY}", "AMPLITUDE_API_KEY": OTHER}, ["web"]),
    ],
)
def test_projects_of_the_environment(variables: dict[str, str], names: list[str]) -> None:
    """Without a file the environment says which they are."""
    assert [each.name for each in load_projects(None, variables)] == names


def test_a_key_is_in_no_text() -> None:
    """What is printed or logged of a project has its name and its key's fingerprint."""
    project = Project(name="web", api_key=KEY)
    shown = [repr(project), str(project), f"{project}", repr([project]), repr(Projects([project]))]
    assert not any(KEY in text or KEY[:8] in text for text in shown)
    assert project.fingerprint in repr(project)
    assert len(bytes.fromhex(project.fingerprint)) == 8


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "there is no project"),
        ("[projects]\nweb = 1", "must be a table"),
        ("[project.web]\napi_key = 'k'", "'project', which is unknown"),
        ("[projects.web", "is no TOML"),
        ("[projects.web]", "exactly one of api_key"),
        (f"[projects.web]\napi_key='{KEY}'\napi_key_env='X'", "exactly one of api_key"),
        ("[projects.web]\napi_key_env='MISSING'", "'MISSING' is not set"),
        ("[projects.web]\napi_key_file='nowhere'", "cannot be read"),
        ("[projects.web]\napi_key=''", "must be a string"),
        (f"[projects.'we b']\napi_key='{KEY}'", "cannot be a project's name"),
        (f"[projects.web]\napi_key='{KEY[:8]} {KEY}'", "white space"),
        (f"[projects.web]\napi_key='{KEY}'\nzone='EU'", "no option 'zone'"),
        (f"[projects.web]\napi_key='{KEY}'\nserver_zone='DE'", "server_zone must be"),
        (f"[projects.web]\napi_key='{KEY}'\nserver_url='ftp://x'", "not an http(s) URL"),
        (f"[projects.web]\napi_key='{KEY}'\n[projects.app]\napi_key='{KEY}'", "have the same API key"),
    ],
)
def test_what_is_wrong_is_told_without_a_key(tmp_path: Path, text: str, told: str) -> None:
    """A configuration that cannot be meant is refused before anything listens, and no message has a key."""
    with pytest.raises(ConfigurationError) as refused:
        load_projects(written(tmp_path / "relay.toml", text), {})
    assert told in str(refused.value)
    assert KEY[:8] not in str(refused.value)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_files_that_others_can_read_are_refused(tmp_path: Path) -> None:
    """A file with keys is its owner's; its group may read it, as that of a mounted secret does."""
    config = written(tmp_path / "relay.toml", f"[projects.web]\napi_key='{KEY}'", 0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        load_projects(config, {})
    config.chmod(0o640)
    assert len(load_projects(config, {})) == 1
    written(tmp_path / "web.key", KEY, 0o604)
    # This one names files, and may be read by all.
    named = written(tmp_path / "named.toml", "[projects.web]\napi_key_file='web.key'", 0o644)
    with pytest.raises(ConfigurationError, match="0604"):
        load_projects(named, {})
    os.chmod(tmp_path / "web.key", 0o400)
    assert len(load_projects(named, {})) == 1


def test_no_projects_in_an_empty_environment() -> None:
    """Without any project there is nothing to take, which is told with what to write."""
    with pytest.raises(ConfigurationError, match="ANTINODE_RELAY_API_KEYS"):
        load_projects(None, {})
