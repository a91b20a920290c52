"""The files that show how to deploy the relay on Kafka are what the tools that read them take."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from antinode.cli.relay.deliver import deliver
from antinode.cli.relay.serve import serve
from antinode.cli.relay.topics import topics
from antinode.relay.kafka.settings import KafkaSettings
from tests.relay.test_examples import KUBERNETES

EXAMPLES = Path(__file__).parents[3] / "examples" / "relay" / "kafka"
COMMANDS = {"serve": serve, "deliver": deliver, "topics": topics}


def manifests() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((EXAMPLES / "kubernetes.yaml").read_text(encoding="utf-8")))


def composed() -> dict[str, Any]:
    found = yaml.safe_load((EXAMPLES / "compose.yaml").read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found["services"]


def parsed(arguments: list[str]) -> dict[str, Any]:
    """What a command makes of these arguments. It raises for an option that it does not have."""
    name, *rest = arguments
    with click.Context(COMMANDS[name], info_name=name) as context:
        COMMANDS[name].parse_args(context, ["--kafka", "kafka:9092", *rest])
        return context.params


def pods() -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """The pods and their one container, by the command of each."""
    found = {}
    for each in manifests():
        pod = each.get("spec", {}).get("template", {}).get("spec")
        if pod is not None:
            (container,) = pod["containers"]
            found[container["args"][0]] = (pod, container)
    return found


def test_kubernetes_takes_the_manifests() -> None:
    """Each has the form that Kubernetes' own schema demands, without unknown keys."""
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    for manifest in manifests():
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


def test_compose_takes_its_file() -> None:
    """It keeps to the Compose Specification."""
    compose_spec = pytest.importorskip("compose_spec")
    found = compose_spec.PyCompose.from_yaml((EXAMPLES / "compose.yaml").read_text(encoding="utf-8"))
    found.validate()
    assert set(found.service_names()) == {"kafka", "topics", "front", "worker"}


def test_the_relay_takes_all_commands() -> None:
    """With the options that they have, and one number of partitions throughout."""
    for commands in (
        [container["args"] for _, container in pods().values()],
        [each["command"] for each in composed().values() if "command" in each],
    ):
        assert {each[0] for each in commands} == set(COMMANDS)
        partitions = [parsed(each).get("partitions") for each in commands]
        assert len(set(partitions) - {None}) == 1


def test_the_end_has_its_time() -> None:
    """What kills a process that does not end waits longer than that takes at most."""
    drain = KafkaSettings(bootstrap="kafka:9092").drain_timeout
    pod, container = pods()["serve"]
    (_, pause) = container["lifecycle"]["preStop"]["exec"]["command"]
    given = parsed(container["args"])
    assert pod["terminationGracePeriodSeconds"] > int(pause) + given["finish"] + given["drain"]
    assert pods()["deliver"][0]["terminationGracePeriodSeconds"] > 2 * drain
    usual = parsed(["serve"])
    assert seconds(composed()["front"]) > usual["finish"] + usual["drain"]
    assert seconds(composed()["worker"]) > 2 * drain


def seconds(service: dict[str, Any]) -> int:
    return int(service["stop_grace_period"][:-1])


def test_passwords_are_read() -> None:
    """The mode of the file is one that the relay takes: its group may read it, others may not."""
    for pod, _ in pods().values():
        (volume,) = pod["volumes"]
        assert volume["secret"]["defaultMode"] == 0o440
        assert "fsGroup" in pod["securityContext"]


def test_variables_are_those_that_there_are() -> None:
    """Whatever a file sets, the command that it calls knows it."""
    known = {"ANTINODE_RELAY_API_KEYS"}
    for command in COMMANDS.values():
        known |= {str(each.envvar) for each in command.params if isinstance(each, click.Option)}
    for file in EXAMPLES.iterdir():
        assert set(re.findall(r"ANTINODE_[A-Z_]+", file.read_text(encoding="utf-8"))) <= known, file
