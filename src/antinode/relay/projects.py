"""The projects whose events the relay takes: API keys, where events are delivered, and how each is named.

A key is known by configuration alone. Everything that is stored, logged or counted has the project's name or
the key's fingerprint in its place.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from antinode._api_key import check_api_key
from antinode._errors import ConfigurationError
from antinode._factory import fingerprint
from antinode._options import read_options
from antinode.relay.files import read_file, refuse_others

API_KEYS_VARIABLE: Final = "ANTINODE_RELAY_API_KEYS"
"""The environment variable with all projects: `web=KEY,app=KEY`, or one key alone."""

DEFAULT_NAME: Final = "default"
_LONGEST_KEY_FILE: Final = 4096
_SECRETS: Final = "API keys"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """One Amplitude project."""

    name: str
    """As it appears in logs, metrics and on the command line: letters, digits, `.`, `_` and `-`."""
    api_key: str
    server_zone: Literal["US", "EU"] = "US"
    """Where its events are delivered."""
    server_url: str | None = None
    """Another address to deliver to; `server_zone` does not count then."""

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that tell keys apart, the same for one key everywhere, and give none away."""
        return fingerprint(self.api_key).hex()

    def __repr__(self) -> str:
        return f"<Project {self.name!r} {self.fingerprint}>"

    __str__ = __repr__


class Projects:
    """All projects of a relay, by key and by fingerprint. Raises `ConfigurationError` for two of one name
    or key, and for none at all."""

    def __init__(self, projects: Iterable[Project]) -> None:
        self._all = tuple(projects)
        if not self._all:
            raise ConfigurationError(
                f"there is no project: set {API_KEYS_VARIABLE} to NAME=KEY, or write [projects.NAME] with "
                "its api_key into a file and give that with --config"
            )
        self._by_key = {each.api_key: each for each in self._all}
        self._by_fingerprint = {each.fingerprint: each for each in self._all}
        self._by_name = {each.name: each for each in self._all}
        if len(self._by_name) < len(self._all):
            raise ConfigurationError(f"two projects have one name: {_twice(each.name for each in self._all)}")
        if len(self._by_fingerprint) < len(self._all):
            twice = _twice(each.fingerprint for each in self._all)
            names = " and ".join(each.name for each in self._all if each.fingerprint == twice)
            raise ConfigurationError(f"{names} have the same API key: leave one of them out")

    def of_key(self, api_key: str) -> Project | None:
        """The project of this API key; None if the relay knows none."""
        return self._by_key.get(api_key)

    def of_fingerprint(self, fingerprint: str) -> Project | None:
        """The project whose key has this fingerprint; None if the relay knows none."""
        return self._by_fingerprint.get(fingerprint)

    def named(self, name: str) -> Project | None:
        """The project of this name, or None."""
        return self._by_name.get(name)

    def __iter__(self) -> Iterator[Project]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def __repr__(self) -> str:
        return f"<Projects {', '.join(each.name for each in self._all)}>"


def load_projects(config: Path | None = None, environment: Mapping[str, str] = os.environ) -> Projects:
    """The projects of the TOML file `config`, or else of the environment.

    Without a file they are those of ANTINODE_RELAY_API_KEYS, or that of AMPLITUDE_API_KEY. Raises
    `ConfigurationError` about the first thing that is wrong, never with a key in its text.
    """
    if config is not None:
        return Projects(_of_file(config, environment))
    given = environment.get(API_KEYS_VARIABLE) or environment.get("AMPLITUDE_API_KEY")
    return Projects(_of_variable(given) if given else ())


def _of_variable(text: str) -> Iterator[Project]:
    for entry in filter(None, (entry.strip() for entry in text.split(","))):
        name, is_named, key = entry.partition("=")
        yield _project(name.strip() if is_named else DEFAULT_NAME, {"api_key": key if is_named else entry})


def _of_file(path: Path, environment: Mapping[str, str]) -> Iterator[Project]:
    content = read_file(path, "the configuration")
    try:
        document = _toml().loads(content)
    except ValueError as error:
        # The message of a TOML reader has a line and a column, and no text of the file.
        raise ConfigurationError(f"{path} is no TOML: {error}") from None
    if unknown := sorted(set(document) - {"projects"}):
        raise ConfigurationError(f"{path} has {unknown[0]!r:.60}, which is unknown: write [projects.NAME]")
    projects = document.get("projects", {})
    if not isinstance(projects, dict):
        raise ConfigurationError(f"{path}: projects must be tables: write [projects.NAME]")
    for name, given in projects.items():
        if not isinstance(given, dict):
            raise ConfigurationError(f"{path}: project {name!r:.60} must be a table: write [projects.NAME]")
        if "api_key" in given:
            refuse_others(path, "the configuration", _SECRETS)
        yield _project(name, _with_key(name, given, path.parent, environment))


def _with_key(
    name: str, given: Mapping[str, Any], folder: Path, environment: Mapping[str, str]
) -> dict[str, Any]:
    """`given` with the key itself, wherever it says that the key is."""
    rest = dict(given)
    sources = [each for each in ("api_key", "api_key_env", "api_key_file") if each in rest]
    if len(sources) != 1:
        raise ConfigurationError(
            f"project {name!r:.60} needs exactly one of api_key, api_key_env (the name of an environment "
            "variable) and api_key_file (a path)"
        )
    source = sources[0]
    value = rest.pop(source)
    if not isinstance(value, str) or not value:
        raise ConfigurationError(f"{source} of project {name!r:.60} must be a string")
    if source == "api_key_env":
        key = environment.get(value)
        if not key:
            raise ConfigurationError(f"project {name!r:.60}: the variable {value!r:.60} is not set")
    elif source == "api_key_file":
        path = folder / value
        key = read_file(path, "the file of an API key", most=_LONGEST_KEY_FILE)
        refuse_others(path, "the file of an API key", _SECRETS)
    else:
        key = value
    return {**rest, "api_key": key}


def _project(name: str, given: Mapping[str, Any]) -> Project:
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"{name!r:.60} cannot be a project's name: write up to 64 letters, digits, dots, dashes and "
            "underscores"
        )
    if unknown := sorted(set(given) - {"api_key", "server_zone", "server_url"}):
        raise ConfigurationError(
            f"project {name!r} has no option {unknown[0]!r:.60}: there are server_zone and server_url"
        )
    try:
        key = check_api_key(given["api_key"])
        where = read_options({each: given[each] for each in ("server_zone", "server_url") if each in given})
    except ConfigurationError as error:
        raise ConfigurationError(f"project {name!r}: {error}") from None
    return Project(name=name, api_key=key, server_zone=where.server_zone, server_url=where.server_url)


def _twice(names: Iterable[str]) -> str:
    """The one of `names` that is there most often."""
    return Counter(names).most_common(1)[0][0]


def _toml() -> Any:
    try:
        import tomllib  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415 - from Python 3.11 on
    except ImportError:
        try:
            import tomli as tomllib  # type: ignore[import-not-found, no-redef, unused-ignore]  # noqa: PLC0415
        except ImportError:
            raise ConfigurationError(
                "a configuration in TOML needs tomli on this Python: pip install tomli, or set "
                f"{API_KEYS_VARIABLE} instead"
            ) from None
    return tomllib
