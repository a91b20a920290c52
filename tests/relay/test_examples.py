"""The files that show how to deploy the relay are what the tools that read them take."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from antinode.cli.relay.run import run

EXAMPLES = Path(__file__).parents[2] / "examples" / "relay"
KUBERNETES = "1.33"
"""The release whose schemas the manifests are held to."""


def manifests() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((EXAMPLES / "kubernetes.yaml").read_text(encoding="utf-8")))


def test_kubernetes_takes_the_manifests() -> None:
    """Each has the form that Kubernetes' own schema demands, without unknown keys."""
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    for manifest in manifests():
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


def test_compose_takes_its_file() -> None:
    """It keeps to the Compose Specification."""
    compose_spec = pytest.importorskip("compose_spec")
    text = (EXAMPLES / "compose.yaml").read_text(encoding="utf-8")
    found = compose_spec.PyCompose.from_yaml(text)
    found.validate()
    assert found.service_names() == ["relay"]
    with pytest.raises(ValueError, match="restarts"):
        compose_spec.PyCompose.from_yaml(text.replace("restart:", "restarts:"))


def spec_of(kind: str) -> dict[str, Any]:
    (found,) = (each["spec"] for each in manifests() if each["kind"] == kind)
    assert isinstance(found, dict)
    return found


def parsed(arguments: list[str]) -> dict[str, Any]:
    """What the command makes of these arguments. It raises for an option that it does not have."""
    with click.Context(run, info_name="run") as context:
        run.parse_args(context, ["--spool", "/tmp", *arguments])  # noqa: S108 - nothing is opened
        return context.params


def test_the_end_has_its_time() -> None:
    """What kills a relay that does not end waits longer than the relay takes at most."""
    pod = spec_of("StatefulSet")["template"]["spec"]
    (container,) = pod["containers"]
    (_, pause) = container["lifecycle"]["preStop"]["exec"]["command"]
    given = parsed(container["args"])
    assert pod["terminationGracePeriodSeconds"] > int(pause) + given["finish"] + given["drain"]
    compose = yaml.safe_load((EXAMPLES / "compose.yaml").read_text(encoding="utf-8"))
    usual = parsed([])
    assert int(compose["services"]["relay"]["stop_grace_period"][:-1]) > usual["finish"] + usual["drain"]


def test_variables_and_commands_are_those_that_there_are() -> None:
    """Whatever a file sets or calls, the relay knows it."""
    options = {each.envvar for each in run.params if isinstance(each, click.Option) and each.envvar}
    known = {*options, "ANTINODE_RELAY_API_KEYS"}
    for file in filter(Path.is_file, EXAMPLES.iterdir()):
        text = file.read_text(encoding="utf-8")
        assert set(re.findall(r"ANTINODE_[A-Z_]+", text)) <= known, file
    docker = (EXAMPLES / "Dockerfile").read_text(encoding="utf-8")
    (entry,) = re.findall(r"^ENTRYPOINT \[(.*)\]$", docker, flags=re.MULTILINE)
    command = [each.strip(",") for each in shlex.split(entry)]
    assert command[:3] == ["antinode", "relay", "run"]
    assert parsed(command[3:])["is_json"] is True
