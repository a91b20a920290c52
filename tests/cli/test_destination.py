"""Where events go is said in the same way to every command that sends."""

from __future__ import annotations

from typing import Any

import click
import pytest

from antinode.cli.params.destination import LOCAL_URL, Destination, read_destination
from antinode.cli.params.options import Api
from antinode.cli.program import antinode
from antinode.cli.spool.command import spool
from antinode.cli.ui.errors import NotSetUp

OPTIONS = {"api_key", "local", "server_url", "zone", "is_batch", "proxy", "ca_bundle", "min_id_length"}
KEY = "0123456789abcdef0123456789abcdef"


def options(*path: str) -> dict[str, click.Option]:
    command: click.Command = antinode if path[0] != "spool" else spool
    assert isinstance(command, click.Group)
    ctx = click.Context(command)
    _, found, _ = command.resolve_command(ctx, [path[-1]])
    assert found is not None
    return {option.name or "": option for option in found.params if isinstance(option, click.Option)}


def destination(usual: Api = "http-v2", **given: Any) -> Destination:
    usually: dict[str, Any] = dict.fromkeys(OPTIONS) | {"local": False}
    return read_destination(usually | given, usual=usual)


@pytest.mark.parametrize("command", [["import"], ["doctor"], ["replay"], ["spool", "drain"]], ids=" ".join)
def test_commands_agree(command: list[str]) -> None:
    """The options have the same names, values and help texts everywhere; only the usual API differs."""
    here, there = options(*command), options("send")
    for name in OPTIONS:
        assert here[name].opts == there[name].opts
        assert here[name].secondary_opts == there[name].secondary_opts
        assert here[name].type.to_info_dict() == there[name].type.to_info_dict()
        assert here[name].help == there[name].help or (name == "is_batch" and command == ["import"])


@pytest.mark.parametrize(
    ("usual", "given", "url"),
    [
        ("http-v2", {}, "https://api2.amplitude.com/2/httpapi"),
        ("batch", {}, "https://api2.amplitude.com/batch"),
        ("batch", {"zone": "EU"}, "https://api.eu.amplitude.com/batch"),
        ("batch", {"is_batch": False}, "https://api2.amplitude.com/2/httpapi"),
        ("http-v2", {"is_batch": True, "local": True}, f"{LOCAL_URL}/batch"),
        ("batch", {"local": True}, f"{LOCAL_URL}/batch"),
        ("batch", {"server_url": "http://a.example"}, "http://a.example/batch"),
        ("batch", {"server_url": "http://a.example/2/httpapi"}, "http://a.example/2/httpapi"),
        ("http-v2", {"server_url": "http://a.example/batch"}, "http://a.example/batch"),
    ],
)
def test_the_url(usual: Api, given: dict[str, Any], url: str) -> None:
    """The API is the one that is named, by an option or at the end of the URL, and else the command's own."""
    assert destination(usual, **given).url() == url


@pytest.mark.parametrize(
    "given",
    [
        {"local": True, "zone": "EU"},
        {"local": True, "server_url": "http://a.example"},
        {"is_batch": False, "server_url": "http://a.example/batch"},
        {"server_url": "nonsense"},
        {"proxy": "ftp://proxy.example"},
    ],
    ids=str,
)
def test_what_contradicts_itself_is_wrong_usage(given: dict[str, Any]) -> None:
    """It is told before anything is sent."""
    with pytest.raises(click.UsageError):
        destination(**given).url()


def test_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is needed, but for a server on this machine; one that is none is not shown, and none ever is."""
    monkeypatch.delenv("AMPLITUDE_API_KEY", raising=False)
    assert destination(local=True).key()
    with pytest.raises(NotSetUp, match="AMPLITUDE_API_KEY"):
        destination().key()
    with pytest.raises(NotSetUp) as refused:
        destination(api_key="se cret").key()
    assert "se cret" not in str(refused.value)
    monkeypatch.setenv("AMPLITUDE_API_KEY", KEY)
    assert destination().key() == KEY
    assert KEY not in repr(destination(api_key=KEY))
