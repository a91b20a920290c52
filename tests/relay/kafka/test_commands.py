"""The commands of a relay on Kafka, as processes: a front, a worker, and the topics between them."""

import json
import os
import signal
import subprocess
import sys

import msgspec
import pytest
import urllib3

from antinode.testing.endpoint import Endpoint
from tests.relay.kafka.scene import KEY, of_users


def command(settings, name, *more):
    place = ("--kafka", settings.bootstrap, "--topic", settings.topic, "--group", settings.group)
    return [sys.executable, "-m", "antinode", "relay", *name.split(), *place, "--allow-small-cluster", *more]


def run(settings, name, *more):
    """The exit code, and what was said."""
    ended = subprocess.run(
        command(settings, name, *more), capture_output=True, text=True, env=environment(), check=False
    )
    return ended.returncode, ended.stdout + ended.stderr


def environment():
    return {**os.environ, "ANTINODE_RELAY_API_KEYS": f"web={KEY}"}


def end(process):
    """End it as an operator does; returns the exit code."""
    process.send_signal(signal.SIGTERM)
    process.communicate()
    return process.returncode


def test_what_a_front_is_given_a_worker_delivers(settings):
    """A request that is answered 200 arrives; SIGTERM ends both in good order."""
    events = [msgspec.json.decode(each.body) for each in of_users(10, 5)]
    with Endpoint() as endpoint:
        front = subprocess.Popen(
            command(settings, "serve", "--port", "0", "--json"),
            stdout=subprocess.PIPE,
            env=environment(),
        )
        worker = subprocess.Popen(
            command(settings, "deliver", "--server-url", endpoint.url, "--port", "0", "--json"),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(),
        )
        try:
            url = json.loads(front.stdout.readline())["server_url"]
            body = json.dumps({"api_key": KEY, "events": events}).encode()
            with urllib3.PoolManager() as pool:
                answer = pool.request("POST", url, body=body, headers={"Content-Type": "application/json"})
            assert answer.status == 200
            endpoint.wait_for(50, 30.0)
            assert endpoint.out_of_order() == []
            assert json.loads(worker.stdout.readline())["topic"] == settings.topic
        finally:
            codes = end(front), end(worker)
    assert codes == (0, 0)


def test_topics_are_made_and_checked(settings):
    """The first call makes them, the second finds them as they must be; a wrong one is told of."""
    new = msgspec.structs.replace(settings, topic=f"{settings.topic}-new")
    code, said = run(new, "topics", "--partitions", "3", "--replication", "1")
    assert (code, f"{new.topic} has 3 partitions" in said) == (0, True), said
    code, said = run(new, "topics")
    assert (code, "All topics were there." in said) == (0, True), said
    code, said = run(new, "serve", "--partitions", "4", "--port", "0")
    assert (code, "has 3 partitions" in " ".join(said.split())) == (2, True), said


def test_a_relay_grows(settings):
    """Step by step, as it says; a second call has nothing to do, and a smaller number is refused."""
    more = ("--replication", "1", "--partitions")
    code, said = run(settings, "grow", *more, "6")
    assert (code, f"{settings.topic} is sealed." in said) == (0, True), said
    assert f"Events are kept in {settings.topic}.2, which has 6 partitions." in said
    code, said = run(settings, "grow", *more, "6")
    assert (code, "sealed" in said) == (0, False), said
    code, said = run(settings, "grow", *more, "5")
    assert (code, "give a larger number" in " ".join(said.split())) == (2, True), said
    code, said = run(settings, "topics")
    assert (code, f"{settings.topic}.2 has 6 partitions" in said) == (0, True), said


@pytest.mark.parametrize(("line", "said"), [("acks=1", "acks cannot be set"), ("nonsense", "NAME=VALUE")])
def test_a_wrong_setting_is_told_of(tmp_path, settings, line, said):
    """By its name, and before anything is done."""
    file = tmp_path / "kafka.properties"
    file.write_text(f"# for TLS\n{line}\n")
    code, told = run(settings, "topics", "--kafka-config", str(file))
    assert (code, said in told) == (2, True), told
