"""The options of `init`: one frozen value, checked where the caller wrote it."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from antinode._errors import ConfigurationError
from antinode._events import IngestionMetadata, Plan
from antinode.delivery.messages import Transport
from antinode.delivery.record import Delivery
from antinode.delivery.retry import Response, RetryPolicy
from antinode.protocol.limits import DEDUPLICATION_WINDOW

if TYPE_CHECKING:
    from antinode._events import IngestionMetadataDict, PlanDict

Zone = Literal["US", "EU"]
Overflow = Literal["drop_oldest", "drop_newest", "block"]
EndpointName = Literal["http-v2", "batch", "auto"]


class OptionsDict(TypedDict, total=False):
    """The keyword options of `init`, for type checkers and editors. `docs/options.md` explains each."""

    server_url: str | None
    server_zone: Zone
    use_batch: bool
    endpoint: EndpointName | None
    max_cached_events: int
    upload_interval_in_sec: float
    min_id_length: int | None
    opt_out: bool
    retry_timeouts: Sequence[float] | None
    max_event_age: float | None
    on_retry: Callable[[Response, int, bool], object] | None
    request_timeout_millis: float
    connections: int
    compress: bool | None
    proxy: str | Literal[False] | None
    ca_bundle: str | os.PathLike[str] | None
    headers: Mapping[str, str] | None
    plan: Plan | PlanDict | None
    ingestion_metadata: IngestionMetadata | IngestionMetadataDict | None
    debug: bool
    log_level: int | str | None
    strict: bool
    enabled: bool
    max_queue_events: int
    max_queue_bytes: int
    overflow: Overflow
    shutdown_timeout: float
    on_outcome: Callable[[Delivery], object] | None
    transport: Transport | None
    retry: RetryPolicy | None
    pace: float | None
    drain_on_sigterm: bool


@dataclass(frozen=True)
class Options:
    """The options in force. Times in seconds unless a name says otherwise, sizes in bytes."""

    server_url: str | None = None
    server_zone: Zone = "US"
    use_batch: bool = False
    endpoint: EndpointName | None = None
    max_cached_events: int = 16_000
    upload_interval_in_sec: float = 0.0
    min_id_length: int | None = None
    opt_out: bool = False
    retry_timeouts: Sequence[float] | None = None
    max_event_age: float | None = DEDUPLICATION_WINDOW
    on_retry: Callable[[Response, int, bool], object] | None = None
    request_timeout_millis: float = 10_000
    connections: int = 4
    compress: bool | None = None
    proxy: str | Literal[False] | None = None
    ca_bundle: str | os.PathLike[str] | None = None
    headers: Mapping[str, str] | None = None
    plan: Mapping[str, Any] | None = None
    ingestion_metadata: Mapping[str, Any] | None = None
    debug: bool = False
    log_level: int | str | None = None
    strict: bool = False
    enabled: bool = True
    max_queue_events: int = 1_000_000
    max_queue_bytes: int = 128 * 1024 * 1024
    overflow: Overflow = "drop_oldest"
    shutdown_timeout: float = 5.0
    on_outcome: Callable[[Delivery], object] | None = None
    transport: Transport | None = None
    retry: RetryPolicy | None = None
    pace: float | None = None
    drain_on_sigterm: bool = False

    def __repr__(self) -> str:
        # URLs and headers may hold credentials, so only the names of what was changed are shown.
        changed = [field.name for field in fields(self) if getattr(self, field.name) != field.default]
        return f"<Options {', '.join(changed) or 'defaults'}>"


_NAMES = tuple(field.name for field in fields(Options))


def read_options(given: Mapping[str, Any]) -> Options:
    """Check the keyword options of `init`. Raises `ConfigurationError` about the first that is wrong."""
    checked: dict[str, Any] = {}
    for name, value in given.items():
        if name not in _NAMES:
            raise ConfigurationError(_unknown(name))
        checked[name] = _CHECKS[name](name, value)
    options = Options(**checked)
    _check_together(options, given)
    return options


def check_api_key(api_key: object) -> str:
    """The key, or that of the environment variable AMPLITUDE_API_KEY. It never appears in a message."""
    if api_key is None:
        api_key = os.environ.get("AMPLITUDE_API_KEY")
        if not api_key:
            raise ConfigurationError(
                'there is no API key: write init("YOUR_KEY"), or set the environment variable AMPLITUDE_API_KEY'
            )
    if not isinstance(api_key, str):
        raise ConfigurationError(f"the API key must be a string, not {_article(type(api_key).__name__)}")
    if not api_key.strip() or api_key != api_key.strip():
        raise ConfigurationError(
            "the API key is blank or has white space around it: copy it from the project settings"
        )
    return api_key


def _unknown(name: str) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - only for the message

    spelled = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
    nodes = {"transport_class": "transport", "retry_class": "retry"}
    close = [nodes[spelled]] if spelled in nodes else get_close_matches(spelled, _NAMES, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else f"; the options are {', '.join(sorted(_NAMES))}"
    return f"there is no option {name!r}{hint}"


def _wrong(name: str, value: object, wanted: str) -> ConfigurationError:
    shown = "" if name in {"proxy", "headers", "server_url"} else f" {value!r:.60}"
    return ConfigurationError(f"{name} must be {wanted}, not {_article(type(value).__name__)}{shown}")


def _article(noun: str) -> str:
    return f"{'an' if noun[:1] in 'aeiou' else 'a'} {noun}"


Check = Callable[[str, Any], Any]


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _wrong(name, value, "True or False")
    return value


def _maybe(check: Check) -> Check:
    return lambda name, value: None if value is None else check(name, value)


def _number(minimum: float, unit: str, *, whole: bool = False, above: bool = False) -> Check:
    wanted = f"a {'whole ' if whole else ''}number of {unit}, {'above' if above else 'at least'} {minimum:g}"

    def check(name: str, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
            raise _wrong(name, value, wanted)
        if not math.isfinite(value) or value < minimum or (above and value == minimum):
            raise _wrong(name, value, wanted)
        return value

    return check


def _one_of(*choices: str) -> Check:
    def check(name: str, value: Any) -> str:
        if not isinstance(value, str) or value not in choices:
            raise _wrong(name, value, " or ".join(f'"{choice}"' for choice in choices))
        return value

    return check


def _callable(signature: str) -> Check:
    def check(name: str, value: Any) -> Any:
        if not callable(value):
            raise _wrong(name, value, f"a function {signature}")
        return value

    return check


def _has_methods(protocol: str, *methods: str) -> Check:
    def check(name: str, value: Any) -> Any:
        missing = [method for method in methods if not callable(getattr(value, method, None))]
        if isinstance(value, type) or missing:
            raise _wrong(
                name, value, f"an object with {', '.join(f'{m}()' for m in methods)} (see {protocol})"
            )
        return value

    return check


def _server_url(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong(name, value, 'a URL such as "https://api2.amplitude.com/2/httpapi"')
    from urllib.parse import urlsplit  # noqa: PLC0415 - only for custom servers

    try:
        parts = urlsplit(value)
        is_usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable:
        raise ConfigurationError(
            f"{name} {value!r:.100} is not an http(s) URL: write the whole of it, "
            'such as "https://api2.amplitude.com/2/httpapi"'
        )
    return value


def _proxy(name: str, value: Any) -> str | Literal[False]:
    if value is False or (isinstance(value, str) and "://" in value):
        return value
    if isinstance(value, str):
        raise ConfigurationError(f'{name} is not a URL: write "http://host:port", or False for no proxy')
    raise _wrong(name, value, 'a URL such as "http://host:port", or False for no proxy')


def _ca_bundle(name: str, value: Any) -> str:
    try:
        path = os.fspath(value)
    except TypeError:
        raise _wrong(name, value, "a path to a file or directory of CA certificates") from None
    if not os.path.exists(path):
        raise ConfigurationError(
            f"{name} {str(path)!r:.200} does not exist: write the path of a PEM file or directory"
        )
    return os.fsdecode(path)


_OURS = frozenset({"content-type", "content-encoding", "content-length", "host", "transfer-encoding"})


def _headers(name: str, value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise _wrong(name, value, "a dict of header names and values")
    for key, text in value.items():
        if not isinstance(key, str) or not isinstance(text, str):
            raise ConfigurationError(
                f"{name}: names and values must be strings ({key!r:.60} is not, or its value)"
            )
        if key.lower() in _OURS:
            raise ConfigurationError(f"{name}: {key!r} is set by antinode itself; leave it out")
        if not key.isascii() or any(c in text + key for c in "\r\n\0") or not key.strip() or ":" in key:
            raise ConfigurationError(f"{name}: {key!r:.60} or its value cannot be sent as a header")
    return dict(value)


def _metadata(kind: type[Plan] | type[IngestionMetadata]) -> Check:
    def check(name: str, value: Any) -> dict[str, Any]:
        if isinstance(value, kind):
            return dict(value.to_dict())
        if isinstance(value, Mapping) and all(
            isinstance(k, str) and isinstance(v, str) for k, v in value.items()
        ):
            return dict(value)
        raise _wrong(name, value, f"a dict of strings, or {kind.__name__}(…)")

    return check


def _log_level(name: str, value: Any) -> int | str:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and isinstance(logging.getLevelName(value.upper()), int):
        return value.upper()
    raise _wrong(name, value, 'a level of the logging module such as "INFO" or logging.INFO')


def _retry_timeouts(name: str, value: Any) -> tuple[float, ...]:
    wanted = "a list of waits in milliseconds such as [100, 200, 400], or [] for no retry"
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        raise _wrong(name, value, wanted)
    for wait in value:
        if isinstance(wait, bool) or not isinstance(wait, (int, float)) or not 0 <= wait < math.inf:
            raise ConfigurationError(f"{name} must be {wanted}; {wait!r:.60} is not a wait")
    return tuple(value)


_CHECKS: Mapping[str, Check] = {
    "server_url": _maybe(_server_url),
    "server_zone": _one_of("US", "EU"),
    "use_batch": _flag,
    "endpoint": _maybe(_one_of("http-v2", "batch", "auto")),
    "max_cached_events": _number(1, "events", whole=True),
    "upload_interval_in_sec": _number(0, "seconds"),
    "min_id_length": _maybe(_number(1, "characters", whole=True)),
    "opt_out": _flag,
    "retry_timeouts": _maybe(_retry_timeouts),
    "max_event_age": _maybe(_number(0, "seconds", above=True)),
    "on_retry": _maybe(_callable("(response, attempt, is_last)")),
    "request_timeout_millis": _number(0, "milliseconds", above=True),
    "connections": _number(1, "connections", whole=True),
    "compress": _maybe(_flag),
    "proxy": _maybe(_proxy),
    "ca_bundle": _maybe(_ca_bundle),
    "headers": _maybe(_headers),
    "plan": _maybe(_metadata(Plan)),
    "ingestion_metadata": _maybe(_metadata(IngestionMetadata)),
    "debug": _flag,
    "log_level": _maybe(_log_level),
    "strict": _flag,
    "enabled": _flag,
    "max_queue_events": _number(1, "events", whole=True),
    "max_queue_bytes": _number(1024, "bytes", whole=True),
    "overflow": _one_of("drop_oldest", "drop_newest", "block"),
    "shutdown_timeout": _number(0, "seconds"),
    "on_outcome": _maybe(_callable("(delivery)")),
    "transport": _maybe(_has_methods("antinode.Transport", "send", "close")),
    "retry": _maybe(_has_methods("antinode.RetryPolicy", "next_delay")),
    "pace": _maybe(_number(0, "events per second", above=True)),
    "drain_on_sigterm": _flag,
}


def _check_together(options: Options, given: Mapping[str, Any]) -> None:
    if options.retry is not None and options.retry_timeouts is not None:
        raise ConfigurationError("retry and retry_timeouts both say when to retry: give one of them")
    if options.use_batch and options.endpoint not in {None, "batch"}:
        raise ConfigurationError(
            f'use_batch=True and endpoint="{options.endpoint}" contradict each other: give one'
        )
    if options.server_url is not None and given.get("server_zone") is not None:
        raise ConfigurationError("server_url and server_zone both say where to send: give one of them")
