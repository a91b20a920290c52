"""What one SDK's calls are in antinode's words: rules, which the modules of the SDKs fill in."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True)
class Change:
    """What to do about one place in the code."""

    write: str = ""
    """The code to write instead; empty where there is none."""
    note: str = ""
    """What to know about it."""


class Given:
    """The arguments of a call, by the names of the parameters, as source text."""

    def __init__(self, call: ast.Call, parameters: Sequence[str]) -> None:
        self._values: dict[str, ast.expr] = {}
        self.is_whole = True
        """False for a call whose arguments are spread from a list or a dict."""
        for name, value in zip(parameters, call.args, strict=False):
            if isinstance(value, ast.Starred):
                self.is_whole = False
                break
            self._values[name] = value
        for keyword in call.keywords:
            if keyword.arg is None:
                self.is_whole = False
            else:
                self._values[keyword.arg] = keyword.value

    def node(self, name: str) -> ast.expr | None:
        """The argument as it was parsed; None if it was not given, or is None."""
        value = self._values.get(name)
        return None if isinstance(value, ast.Constant) and value.value is None else value

    def text(self, name: str) -> str | None:
        """The argument's source; None if it was not given."""
        value = self.node(name)
        return None if value is None else ast.unparse(value)

    def named(self) -> Mapping[str, str]:
        """All arguments that have a name, and their source."""
        return {name: ast.unparse(value) for name, value in self._values.items()}


Rule = Callable[[Given], Change]


@dataclass(frozen=True)
class Call:
    """A call of the SDK: its parameters in their order, and what it becomes."""

    parameters: tuple[str, ...]
    rule: Rule


@dataclass(frozen=True)
class SdkSetting:
    """An argument of the SDK's client: the option of `init` for it, as `name={}`, or why there is none."""

    option: str = ""
    note: str = ""


@dataclass(frozen=True)
class Sdk:
    """One SDK."""

    name: str
    """As it is installed."""
    packages: tuple[str, ...]
    """What is imported."""
    page: str
    """The page of the documentation about it."""
    calls: Mapping[str, Call] = field(default_factory=dict)
    clients: Mapping[str, Call] = field(default_factory=dict)
    """The classes whose objects have these calls, and what making one becomes."""
    settings: Mapping[str, SdkSetting] = field(default_factory=dict)
    """Attributes of the module, or arguments of the client."""
    key: str = ""
    """The setting that holds the key."""


def event(pairs: Mapping[str, str | None]) -> str:
    """The source of an event with these keys, without those that were not given."""
    inner = ", ".join(f"'{key}': {text}" for key, text in pairs.items() if text is not None)
    return f"{{{inner}}}"


def log_event(given: Mapping[str, str | None], note: str = "") -> Change:
    """A call of `log_event` with this event."""
    return Change(f"client.log_event({event(given)})", note)


def operations(method: str, properties: ast.expr | None) -> str | None:
    """`antinode.Identify()` with an operation for each key of a dict; None where that is not written out."""
    if properties is None:
        return None
    if not isinstance(properties, ast.Dict) or not all(
        isinstance(key, ast.Constant) and isinstance(key.value, str) for key in properties.keys
    ):
        return None
    calls = [
        f".{method}({ast.unparse(key)}, {ast.unparse(value)})"
        for key, value in zip(properties.keys, properties.values, strict=True)
        if key is not None
    ]
    return f"antinode.Identify(){''.join(calls)}" if calls else None


def identify(
    given: Given,
    method: str,
    properties: str,
    *,
    user: str = "distinct_id",
    device: str | None = None,
    note: str = "",
) -> Change:
    """A call of `identify`; where the properties are not written out, the event that it makes."""
    user_id = given.text(user)
    device_id = None if device is None else given.text(device)
    chain = operations(method, given.node(properties))
    if chain is None:
        source = given.text(properties)
        inner = None if source is None else event({OPERATIONS[method]: source})
        return log_event(
            {
                "event_type": "'$identify'",
                "user_id": user_id,
                "device_id": device_id,
                "user_properties": inner,
            },
            note,
        )
    ids = user_id if device_id is None else f"{user_id}, device_id={device_id}"
    if user_id is None:
        ids = f"device_id={device_id}, identify={chain}"
        return Change(f"client.identify({ids})", note)
    return Change(
        f"client.identify({user_id}, {chain})"
        if device_id is None
        else f"client.identify({ids}, identify={chain})",
        note,
    )


def group_identify(kind: str, name: str, properties: ast.expr | None, method: str, note: str = "") -> Change:
    """A call of `group_identify`; where the properties are not written out, the event that it makes."""
    chain = operations(method, properties)
    if chain is not None:
        return Change(f"client.group_identify({kind}, {name}, {chain})", note)
    inner = None if properties is None else event({OPERATIONS[method]: ast.unparse(properties)})
    return log_event(
        {"event_type": "'$groupidentify'", "groups": f"{{{kind}: {name}}}", "group_properties": inner}, note
    )


def nothing(note: str, *parameters: str) -> Call:
    """A call that has no counterpart."""
    return Call(parameters, lambda given: Change(note=note))  # noqa: ARG005 - whatever was given


def plain(write: str, note: str = "") -> Call:
    """A call without arguments that matter."""
    return Call((), lambda given: Change(write, note))  # noqa: ARG005 - as above


def make_client(settings: Mapping[str, SdkSetting], key: str) -> Rule:
    """Making a client: `antinode.init` with the options that stand for the arguments."""

    def rule(given: Given) -> Change:
        options, notes = [], []
        for name, source in given.named().items():
            setting = settings.get(name)
            if name != key and setting is not None:
                if setting.option:
                    options.append(setting.option.format(source))
                if setting.note:
                    notes.append(f"{name}: {setting.note}")
        arguments = [given.text(key) or "API_KEY", *options]
        return Change(f"client = antinode.init({', '.join(arguments)})", "; ".join([KEY_NOTE, *notes]))

    return rule


KEY_NOTE: Final = "the key is the Amplitude project's"

OPERATIONS: Final = {
    "set": "$set",
    "set_once": "$setOnce",
    "add": "$add",
    "append": "$append",
    "post_insert": "$postInsert",
    "remove": "$remove",
    "unset": "$unset",
}
"""The methods of `Identify`, and the operations that they write."""

# What is an option of several SDKs under the same name.
DEBUG: Final = SdkSetting("debug={}")
HOST: Final = SdkSetting(
    note="antinode sends to Amplitude; server_zone='EU' for a project whose data lives there"
)
ON_ERROR: Final = SdkSetting(
    "on_outcome={}", "called with each delivery that has ended; see delivery.outcome"
)
SEND: Final = SdkSetting("enabled={}")
SYNC: Final = SdkSetting(
    note="log_event never waits: call client.flush(), or .result() of what log_event returns"
)
THREAD: Final = SdkSetting(note="not needed: see `connections`")
RETRIES: Final = SdkSetting(note="not needed: attempts are not limited; see `retry_timeouts`")
TIMEOUT: Final = SdkSetting("request_timeout_millis={} * 1000")
GZIP: Final = SdkSetting("compress={}")
QUEUE: Final = SdkSetting("max_queue_events={}")
BATCH: Final = SdkSetting("max_cached_events={}")
INTERVAL: Final = SdkSetting("upload_interval_in_sec={}")
PROXIES: Final = SdkSetting(note="proxy='http://host:port', or the environment's HTTPS_PROXY")
