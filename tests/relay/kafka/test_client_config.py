"""The file of settings for librdkafka: passwords in it are kept from others, and from every message."""

import sys

import pytest

from antinode import ConfigurationError
from antinode.relay.kafka.client import KafkaAdmin, RecordConsumer, RecordProducer
from antinode.relay.kafka.client_config import read_client_config
from antinode.relay.kafka.settings import KafkaSettings

SECRET = "correct-horse"


@pytest.fixture
def file(tmp_path):
    found = tmp_path / "kafka.properties"
    found.touch(0o600)
    return found


def test_lines_are_settings(file):
    """Names and values without the spaces around them; values may have an = themselves."""
    file.write_text("# for SASL\n\n sasl.mechanism = PLAIN\nsasl.password=a=b\n")
    assert read_client_config(file) == {"sasl.mechanism": "PLAIN", "sasl.password": "a=b"}


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_a_password_that_others_can_read_is_refused(file):
    """With what to do about it; settings that are no secret may be anybody's to read."""
    file.write_text(f"sasl.password={SECRET}\n")
    file.chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600") as refused:
        read_client_config(file)
    assert SECRET not in str(refused.value)
    file.write_text("security.protocol=SSL\n")
    assert read_client_config(file) == {"security.protocol": "SSL"}


@pytest.mark.parametrize("line", [SECRET, f"{SECRET}=", f"MII{SECRET}==", "=x"])
def test_a_line_that_is_none_is_told_of_by_its_number(file, line):
    """What it says may be a piece of a key."""
    file.write_text(f"acks=all\n{line}\n")
    with pytest.raises(ConfigurationError, match="line 2: write NAME=VALUE") as refused:
        read_client_config(file)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("name", ["security.protocol", "ssl.key.pem", "no.such.setting"])
@pytest.mark.parametrize(
    "make", [lambda settings: RecordProducer(settings, timeout=1.0), RecordConsumer, KafkaAdmin]
)
def test_what_librdkafka_refuses_is_told_without_its_value(name, make):
    """As a mistake of the configuration, by the setting's name."""
    pytest.importorskip("confluent_kafka")
    client = {"security.protocol": "ssl", name: SECRET}
    settings = KafkaSettings(bootstrap="127.0.0.1:9", client=client)
    with pytest.raises(ConfigurationError, match="cannot be set up") as refused:
        make(settings)
    assert SECRET not in str(refused.value)
