"""The file of settings for librdkafka, as for TLS and SASL: what is in it is never told to anybody."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from antinode._errors import ConfigurationError
from antinode.relay.files import read_file, refuse_others

_WHAT: Final = "Kafka's configuration"
# A line that is none, such as one of a key in PEM, is not repeated to whoever reads the log.
_NAME: Final = re.compile(r"[a-z0-9]+(\.[a-z0-9]+)+|acks|debug|retries|partitioner|builtin")
_SECRET: Final = re.compile(r"password|secret|jaas|token|\.pem$|sasl\.oauthbearer\.config")


def read_client_config(path: Path) -> dict[str, str]:
    """The settings of a file with lines of NAME=VALUE; empty lines do not count, nor those that begin with #.

    Raises `ConfigurationError`, also for a file with a password or a key that others can read.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(read_file(path, _WHAT).splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, is_given, value = line.partition("=")
        name = name.strip()
        if not is_given or not _NAME.fullmatch(name):
            raise ConfigurationError(f"{path}, line {number}: write NAME=VALUE, with a setting of librdkafka")
        found[name] = value.strip()
    if any(_SECRET.search(name) for name in found):
        refuse_others(path, _WHAT, "a password or a key")
    return found
