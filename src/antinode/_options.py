"""The options of `init`: one frozen value, checked where the caller wrote it."""

# No postponed annotations here, as in `_events`: evaluating them is cheaper than forward references.
import logging
import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypedDict

import msgspec

from antinode._consent import Consent, ConsentFunction, ConsentStore
from antinode._delivery.messages import Transport
from antinode._delivery.outcome import Delivery
from antinode._delivery.retry import Response, RetryPolicy
from antinode._errors import ConfigurationError
from antinode._events import IngestionMetadata, IngestionMetadataDict, Plan, PlanDict
from antinode._protocol.limits import DEDUPLICATION_WINDOW_SECONDS
from antinode._protocol.urls import split_url
from antinode._protocol.words import with_article
from antinode._public import public

Zone = Literal["US", "EU"]
Overflow = Literal["drop_oldest", "drop_newest", "block"]
EndpointName = Literal["http-v2", "batch", "auto"]
Durability = Literal["process", "interval", "strict"]


@public
class OptionsDict(TypedDict, total=False):
    """The keyword options of `init`, for type checkers and editors. `docs/options.md` explains each."""

    server_url: str | None
    """Another server than Amplitude's: a whole URL, or `http://host:port`, which gets the API's path."""
    server_zone: Zone
    """"EU" for projects whose data lives in the EU, which have keys of their own. Default: "US"."""
    use_batch: bool
    """Send to the Batch API: larger requests, shown later. Default: False."""
    endpoint: EndpointName | None
    """"http-v2", "batch", or "auto": HTTP V2, and Batch while there is a backlog. Default: by `use_batch`."""
    max_cached_events: int
    """So many queued events are sent at once, whatever the interval. Default: 16,000."""
    upload_interval_in_sec: float
    """Seconds for which the first event may wait for others. Default: 0, at once."""
    min_id_length: int | None
    """The shortest `user_id` and `device_id`; the server is told. Default: the API's 5."""
    consent: Consent | ConsentFunction | ConsentStore | None
    """Whose events may be logged and sent, asked at both moments; see `docs/privacy.md`. Default: all."""
    opt_out: bool
    """Skip every event; `client.opt_out` changes it later. Default: False."""
    retry_timeouts: Sequence[float] | None
    """Milliseconds before each repetition, after which an event is given up. Default: without an end."""
    max_event_age: float | None
    """Seconds after which an unsent event is dropped; None: never. Default: seven days."""
    on_retry: Callable[[Response, int, bool], object] | None
    """`on_retry(response, attempt, is_last)`, called when a repeated request was answered."""
    request_timeout_millis: float
    """Milliseconds for one request, connecting included. Default: 10,000."""
    connections: int
    """Uploads that may run at once; one user's events never do. Default: 4."""
    compress: bool | None
    """gzip for bodies over 2 KB. Default: to Amplitude's own hosts."""
    compress_level: int | None
    """From 1, the fastest, to 9, the smallest. Default: a cheap one of the library that compresses."""
    proxy: str | Literal[False] | None
    """A URL such as `http://user:password@host:3128`; False for none. Default: the environment's."""
    ca_bundle: str | os.PathLike[str] | None
    """A file or directory of CA certificates. Default: the system's."""
    headers: Mapping[str, str] | None
    """Extra request headers."""
    plan: Plan | PlanDict | None
    """The tracking plan of each event; an event's own keys win."""
    ingestion_metadata: IngestionMetadata | IngestionMetadataDict | None
    """The source of each event; an event's own keys win."""
    debug: bool
    """Log each event and each upload at DEBUG, to standard error unless logging is set up. Default: False."""
    log_level: int | str | None
    """The level of `logging.getLogger("antinode")`, over that of `debug`."""
    strict: bool
    """Raise `EventError` for a bad event, key or value: for development. Default: False."""
    enabled: bool
    """False: skip every event and start nothing, for tests and local runs. Default: True."""
    max_queue_events: int
    """Events that may be pending in memory. Default: 1,000,000."""
    max_queue_bytes: int
    """Bytes that they may have, encoded. Default: 128 MiB."""
    overflow: Overflow
    """When the queue is full: "drop_oldest" (the default), "drop_newest", or "block" until there is room."""
    shutdown_timeout: float
    """Seconds that an exit may take to send what is queued. Default: 5."""
    flush_patience: float
    """Seconds for which `flush()` without a timeout waits while all uploads fail. Default: 10."""
    on_outcome: Callable[[Delivery], object] | None
    """`on_outcome(delivery)`, called on antinode's thread for each accepted event that has settled."""
    transport: Transport | None
    """What carries requests, in place of HTTP; see `antinode.Transport`."""
    retry: RetryPolicy | None
    """`next_delay(attempt, response)` decides about repetitions; see `antinode.RetryPolicy`."""
    pace: float | None
    """Events a second of one user or device at most, from the start. Default: learned from the server."""
    drain_on_sigterm: bool
    """On SIGTERM, send what is queued, then go on as before. Default: False."""
    storage: str | os.PathLike[str] | None
    """A directory that keeps every event until it has ended: nothing is lost with the process."""
    durability: Durability
    """What an event survives: "process" (the default), "interval", or "strict"; see `docs/spool.md`."""
    sync_interval: float
    """Seconds between two syncs with `durability="interval"`. Default: 1."""
    max_spool_bytes: int
    """Bytes of the whole directory, at which `overflow` decides. Default: 1 GiB."""
    dead_letters: str | os.PathLike[str] | None
    """A file that keeps every event that ends rejected or dropped, with its reason, as JSON lines."""


# A Struct rather than a dataclass, which would add milliseconds to `import antinode`.
@public
class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The options in force. Times in seconds unless a name says otherwise, sizes in bytes."""

    server_url: str | None = None
    server_zone: Zone = "US"
    use_batch: bool = False
    endpoint: EndpointName | None = None
    max_cached_events: int = 16_000
    upload_interval_in_sec: float = 0.0
    min_id_length: int | None = None
    consent: Consent | None = None
    opt_out: bool = False
    retry_timeouts: Sequence[float] | None = None
    max_event_age: float | None = DEDUPLICATION_WINDOW_SECONDS
    on_retry: Callable[[Response, int, bool], object] | None = None
    request_timeout_millis: float = 10_000
    connections: int = 4
    compress: bool | None = None
    compress_level: int | None = None
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
    flush_patience: float = 10.0
    on_outcome: Callable[[Delivery], object] | None = None
    transport: Transport | None = None
    retry: RetryPolicy | None = None
    pace: float | None = None
    drain_on_sigterm: bool = False
    storage: str | None = None
    durability: Durability = "process"
    sync_interval: float = 1.0
    max_spool_bytes: int = 1024 * 1024 * 1024
    dead_letters: str | None = None

    def __repr__(self) -> str:
        # URLs and headers may hold credentials, so only the names of what was changed are shown.
        defaults = zip(self.__struct_fields__, self.__struct_defaults__, strict=True)
        changed = [name for name, default in defaults if getattr(self, name) != default]
        return f"<Options {', '.join(changed) or 'defaults'}>"


_NAMES = Options.__struct_fields__


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


# The Node SDK's names that are not ours in another spelling, and what other SDKs call our options.
_OTHER_NAMES = {
    "transport_class": "transport",
    "transport_provider": "transport",
    "retry_class": "retry",
    "flush_interval_millis": "upload_interval_in_sec",
    "flush_queue_size": "max_cached_events",
    "flush_max_retries": "retry_timeouts",
    "callback": "on_outcome",
}


def _unknown(name: str) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - only for the message

    spelled = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
    close = [_OTHER_NAMES[spelled]] if spelled in _OTHER_NAMES else get_close_matches(spelled, _NAMES, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else f"; the options are {', '.join(sorted(_NAMES))}"
    return f"there is no option {name!r:.60}{hint}"


def _wrong(name: str, value: object, wanted: str) -> ConfigurationError:
    shown = "" if name in {"proxy", "headers", "server_url"} else f" {value!r:.60}"
    return ConfigurationError(f"{name} must be {wanted}, not {with_article(type(value).__name__)}{shown}")


Check = Callable[[str, Any], Any]


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _wrong(name, value, "True or False")
    return value


def _maybe(check: Check) -> Check:
    return lambda name, value: None if value is None else check(name, value)


# No option needs more, and beyond it some platforms' clocks and timeouts overflow.
_LARGEST = 1e15
_YEAR = 366 * 86_400


def _number(
    minimum: float, unit: str, *, whole: bool = False, above: bool = False, maximum: float = _LARGEST
) -> Check:
    wanted = f"a {'whole ' if whole else ''}number of {unit}, {'above' if above else 'at least'} {minimum:g}"
    if maximum < _LARGEST:
        wanted += f" and at most {maximum:,.0f}"

    def check(name: str, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
            raise _wrong(name, value, wanted)
        # Written so that NaN fails it too.
        if not minimum <= value <= maximum or (above and value == minimum):
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
        import inspect  # noqa: PLC0415 - only for those who give a callback

        if inspect.iscoroutinefunction(value) or inspect.iscoroutinefunction(type(value).__call__):
            raise ConfigurationError(
                f"{name} must be a plain function {signature}: an async one would never be awaited"
            )
        return value

    return check


def _consent(_: str, value: Any) -> Consent:
    return value if isinstance(value, Consent) else Consent(value)


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
    try:
        parts = split_url(value)
        is_usable = parts.scheme in {"http", "https"} and bool(parts.host) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable or parts.fragment or not value.isascii() or not value.isprintable() or " " in value:
        from antinode._protocol.secrets import public_url  # noqa: PLC0415 - only for the message

        # What is no URL tells nothing of where a password in it ends.
        shown = "" if "@" in value else f" {public_url(value)!r:.100}"
        raise ConfigurationError(
            f"{name}{shown} is not an http(s) URL: write the whole of it, "
            'such as "https://api2.amplitude.com/2/httpapi"'
        )
    return value


def _proxy(name: str, value: Any) -> str | Literal[False]:
    if value is False:
        return False
    if not isinstance(value, str):
        raise _wrong(name, value, 'a URL such as "http://host:port", or False for no proxy')
    from antinode._delivery.http.proxies import parse_proxy  # noqa: PLC0415 - only with a proxy

    try:
        parse_proxy(value)
    except (ValueError, ImportError) as error:
        raise ConfigurationError(f"{name}: {error}") from None
    return value


def _ca_bundle(name: str, value: Any) -> str:
    try:
        path = os.fsdecode(value)
    except TypeError:
        raise _wrong(name, value, "a path to a file or directory of CA certificates") from None
    import ssl  # noqa: PLC0415 - only with certificates of one's own

    is_directory = os.path.isdir(path)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(
            cafile=None if is_directory else path, capath=path if is_directory else None
        )
    except OSError as error:  # ssl.SSLError is one, too
        raise ConfigurationError(
            f"{name} {path!r:.200} cannot be read as CA certificates ({type(error).__name__}): "
            "write the path of a PEM file, or of a directory of them"
        ) from None
    return path


def _headers(name: str, value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise _wrong(name, value, "a dict of header names and values")
    from antinode._delivery._headers import checked_headers  # noqa: PLC0415 - only with headers of one's own

    try:
        return checked_headers(value)
    except ValueError as error:
        raise ConfigurationError(f"{name}: {error}") from None


def _metadata(kind: type[Plan] | type[IngestionMetadata]) -> Check:
    keys = kind.__struct_fields__

    def check(name: str, value: Any) -> dict[str, Any]:
        given: object = value.to_dict() if isinstance(value, kind) else value
        if not isinstance(given, Mapping) or not all(isinstance(text, str) for text in given.values()):
            raise _wrong(name, value, f"a dict of strings, or {kind.__name__}(…)")
        for key, text in given.items():
            if key not in keys:
                raise ConfigurationError(f"{name} has no key {key!r:.60}: its keys are {', '.join(keys)}")
            if any("\ud800" <= letter <= "\udfff" for letter in text):
                raise ConfigurationError(f"{name}: the text of {key!r} holds half a character (a surrogate)")
        return dict(given)

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


def _path(name: str, value: Any) -> str:
    try:
        path = os.fsdecode(value)
    except TypeError:
        raise _wrong(name, value, "a path") from None
    if not path or "\0" in path:
        raise ConfigurationError(f"{name} must be a path, not {path!r:.60}")
    # Later the process may be elsewhere.
    return os.path.abspath(os.path.expanduser(path))


def _directory(name: str, value: Any) -> str:
    path = _path(name, value)
    if os.path.exists(path) and not os.path.isdir(path):
        raise ConfigurationError(f"{name} {path!r:.200} is a file: write the path of a directory of its own")
    return path


def _file(name: str, value: Any) -> str:
    path = _path(name, value)
    if os.path.isdir(path):
        raise ConfigurationError(f"{name} {path!r:.200} is a directory: write the path of a file")
    return path


_CHECKS: Mapping[str, Check] = {
    "server_url": _maybe(_server_url),
    "server_zone": _one_of("US", "EU"),
    "use_batch": _flag,
    "endpoint": _maybe(_one_of("http-v2", "batch", "auto")),
    "max_cached_events": _number(1, "events", whole=True),
    "upload_interval_in_sec": _number(0, "seconds", maximum=_YEAR),
    "min_id_length": _maybe(_number(1, "characters", whole=True)),
    "consent": _maybe(_consent),
    "opt_out": _flag,
    "retry_timeouts": _maybe(_retry_timeouts),
    "max_event_age": _maybe(_number(0, "seconds", above=True)),
    "on_retry": _maybe(_callable("(response, attempt, is_last)")),
    "request_timeout_millis": _number(0, "milliseconds", above=True, maximum=86_400_000),
    "connections": _number(1, "connections", whole=True, maximum=1000),
    "compress": _maybe(_flag),
    "compress_level": _maybe(_number(1, "levels", whole=True, maximum=9)),
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
    "shutdown_timeout": _number(0, "seconds", maximum=_YEAR),
    "flush_patience": _number(0, "seconds", maximum=_YEAR),
    "on_outcome": _maybe(_callable("(delivery)")),
    "transport": _maybe(_has_methods("antinode.Transport", "send", "close")),
    "retry": _maybe(_has_methods("antinode.RetryPolicy", "next_delay")),
    "pace": _maybe(_number(0, "events per second", above=True)),
    "drain_on_sigterm": _flag,
    "storage": _maybe(_directory),
    "durability": _one_of("process", "interval", "strict"),
    "sync_interval": _number(0, "seconds", above=True, maximum=3600),
    "max_spool_bytes": _number(1024 * 1024, "bytes", whole=True),
    "dead_letters": _maybe(_file),
}


def _check_together(options: Options, given: Mapping[str, Any]) -> None:
    for name in ("durability", "sync_interval", "max_spool_bytes"):
        if options.storage is None and given.get(name) is not None:
            raise ConfigurationError(
                f"{name} is about the spool: give storage=, the path of its directory, too"
            )
    if options.durability != "interval" and given.get("sync_interval") is not None:
        raise ConfigurationError('sync_interval is for durability="interval": give that too')
    if options.retry is not None and options.retry_timeouts is not None:
        raise ConfigurationError("retry and retry_timeouts both say when to retry: give one of them")
    if options.use_batch and options.endpoint not in {None, "batch"}:
        raise ConfigurationError(
            f'use_batch=True and endpoint="{options.endpoint}" contradict each other: give one'
        )
    if options.server_url is not None and given.get("server_zone") is not None:
        raise ConfigurationError("server_url and server_zone both say where to send: give one of them")
