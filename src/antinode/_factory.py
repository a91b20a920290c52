"""From options to a sender and an encoder: which URL, which limits, which transport."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from antinode._delivery.core.config import CoreConfig
from antinode._delivery.core.envelope import Envelope
from antinode._delivery.core.response_handler import Note
from antinode._delivery.messages import CompletedTransport
from antinode._delivery.outcome import DELIVERED, DROPPED, REJECTED
from antinode._delivery.retry import Backoff, RetryPolicy, Schedule
from antinode._delivery.shell.config import SenderConfig
from antinode._delivery.shell.exchange import UploadRoute
from antinode._delivery.shell.sender import Sender
from antinode._digests import sha256
from antinode._encoding.encoder import EventEncoder
from antinode._errors import ConfigurationError
from antinode._lifecycle.fork import begin_in_process
from antinode._protocol.endpoints import Endpoint, endpoint_of, is_amplitude_host, sibling, url
from antinode._protocol.urls import split_url
from antinode._version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from antinode._delivery.messages import FullTransport
    from antinode._delivery.record import Record
    from antinode._delivery.shell.spooler import Spooler
    from antinode._options import Options
    from antinode._spool import Spool

__all__ = ["fingerprint", "is_in_the_clear", "make_encoder", "make_sender", "upload_urls"]


def make_sender(
    api_key: str,
    options: Options,
    name: str | None,
    *,
    spool: type[Spool] | None = None,
    make: Callable[..., Sender] = Sender,
) -> Sender:
    """The sender for these options. Raises `ConfigurationError` where options do not go together.

    `spool` is for a caller that adopts by rules of its own, `make` for one that sends by other means.
    """
    usual, bulk = upload_urls(options)
    endpoint = _endpoint(options)
    backlog_endpoint = Endpoint.BATCH if usual != bulk else None
    urls = {endpoint: usual} if backlog_endpoint is None else {endpoint: usual, backlog_endpoint: bulk}
    routes = {
        each: UploadRoute(to, Envelope(api_key, each, min_id_length=options.min_id_length))
        for each, to in urls.items()
    }
    clock = time.monotonic
    config = CoreConfig(
        max_batch_events=min(each.events_per_request for each in routes),
        max_batch_bytes=min(each.body_limit - 1 - route.envelope.size for each, route in routes.items()),
        connections=options.connections,
        interval=options.upload_interval_in_sec,
        rush_events=options.max_cached_events,
        max_events=options.max_queue_events,
        max_bytes=options.max_queue_bytes,
        max_age=options.max_event_age,
        pace=options.pace,
        policy=_policy(options),
        flush_patience=options.flush_patience,
        endpoint=endpoint,
        backlog_endpoint=backlog_endpoint,
        waits_for_room=options.overflow != "drop_oldest",
    )
    return make(
        SenderConfig(
            core=config,
            routes=routes,
            make_transport=_transport_maker(options, usual),
            name=f"antinode-{name}" if name else "antinode",
            request_timeout=options.request_timeout_millis / 1000,
            overflow=options.overflow,
            on_retry=options.on_retry,
            on_outcome=options.on_outcome,
            may_log=None if options.consent is None else options.consent.may_log,
            is_debug=options.debug,
            on_start=begin_in_process,
            spooler=_spooler(api_key, options, clock, spool),
            is_strict=options.durability == "strict",
            on_failures=None if options.dead_letters is None else _dead_letters(options.dead_letters),
        ),
        clock=clock,
        random=_random,
    )


def make_encoder(options: Options, sender: Sender) -> EventEncoder:
    """The encoder for these options, with which an event fits into one request of the sender."""
    return EventEncoder(
        min_id_length=options.min_id_length,
        plan=options.plan,
        ingestion_metadata=options.ingestion_metadata,
        max_event_bytes=sender.config.core.max_batch_bytes,
        is_strict=options.strict,
    )


def destination(options: Options) -> tuple[str, Endpoint, Callable[[], FullTransport]]:
    """Where these options send to, which API that is, and what makes the transport: for another shell."""
    usual, _ = upload_urls(options)
    return usual, _endpoint(options), _transport_maker(options, usual)


def _spooler(
    api_key: str, options: Options, clock: Callable[[], float], spool: type[Spool] | None
) -> Spooler | None:
    if options.storage is None:
        return None
    from antinode._delivery.shell.spooler import Spooler  # noqa: PLC0415 - only with a spool
    from antinode._spool import Spool, format  # noqa: PLC0415 - the same

    risks = _risks(options.storage)
    disk = (spool or Spool)(
        options.storage,
        durability=options.durability,
        max_bytes=options.max_spool_bytes,
        fingerprint=fingerprint(api_key),
    )
    spooler = Spooler(
        disk,
        codes={DELIVERED: format.DELIVERED, REJECTED: format.REJECTED, DROPPED: format.DROPPED},
        sync_every=options.sync_interval if options.durability == "interval" else None,
        clock=clock,
    )
    spooler.notes += risks
    return spooler


def _risks(directory: str) -> list[Note]:
    """What to tell of a directory that others can write to. Raises `ConfigurationError` for a stranger's."""
    from antinode._spool import ownership  # noqa: PLC0415 - only with a spool

    try:
        status = os.stat(directory)
    except OSError:
        return []  # not there yet, or a trouble of the disk, which is told like others
    if problem := ownership.refusal(status):
        raise ConfigurationError(
            f"storage {directory!r:.200} cannot be trusted: {problem}, who could put events into it. "
            "Give the directory to the user that this process runs as, or write the path of one of its own"
        )
    if risk := ownership.risk(status):
        text = (
            f"the spool directory {directory!r:.200} is open to others: {risk}, and could hinder or delete "
            "what is in it; `chmod 700` keeps them out"
        )
        return [Note("WARNING", "spool directory", text)]
    return []


def _random() -> float:
    """A number from 0 to 1, for waits; `random` would cost more to load than all of them together."""
    return int.from_bytes(os.urandom(7), "big") / (1 << 56)


def fingerprint(api_key: str) -> bytes:
    """A digest by which a spool tells API keys apart, and which gives none of them away."""
    digest: bytes = sha256(b"antinode spool" + api_key.encode()).digest()
    return digest[:8]


def _dead_letters(path: str) -> Callable[[Sequence[Record]], object]:
    from antinode._deadletters import DeadLetters  # noqa: PLC0415 - only where they are kept

    return DeadLetters(path).bury


def is_in_the_clear(options: Options) -> bool:
    """Whether what is sent could be read on its way: plain HTTP to another machine."""
    if options.server_url is None or options.server_url[:5].lower() != "http:":
        return False
    return not is_on_this_machine(options.server_url)


def is_on_this_machine(server_url: str) -> bool:
    """Whether the host of a URL is a loopback address, or a name that stands for one."""
    host = (split_url(server_url).host or "").rstrip(".")
    if host in {"localhost", "127.0.0.1"}:
        return True
    from ipaddress import ip_address  # noqa: PLC0415 - only for a server of one's own

    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.endswith(".localhost")


def _endpoint(options: Options) -> Endpoint:
    """The API whose limits hold."""
    if options.server_url is not None and options.endpoint is None and not options.use_batch:
        return endpoint_of(options.server_url) or Endpoint.HTTP_V2
    return Endpoint.BATCH if options.use_batch or options.endpoint == "batch" else Endpoint.HTTP_V2


def upload_urls(options: Options) -> tuple[str, str]:
    """Where uploads usually go, and where those of a backlog go. Raises `ConfigurationError`."""
    endpoint = _endpoint(options)
    if options.server_url is None:
        usual = url(endpoint, options.server_zone)
        return usual, url(Endpoint.BATCH, options.server_zone) if options.endpoint == "auto" else usual
    server_url = _with_path(options.server_url, endpoint)
    if options.endpoint == "auto":
        http_v2, batch = sibling(server_url, Endpoint.HTTP_V2), sibling(server_url, Endpoint.BATCH)
        if http_v2 is None or batch is None:
            raise ConfigurationError(
                'endpoint="auto" needs a server_url that ends in /2/httpapi or /batch, to know the other one'
            )
        return http_v2, batch
    named = endpoint_of(server_url)
    if named is not None and named is not endpoint:
        asked = "use_batch=True" if options.use_batch else f'endpoint="{options.endpoint}"'
        raise ConfigurationError(
            f"{asked} and a server_url that ends in {named.path} contradict each other: leave one of them out"
        )
    return server_url, server_url


def _with_path(server_url: str, endpoint: Endpoint) -> str:
    """The URL with the endpoint's path, if it names a host alone."""
    parts = split_url(server_url)
    return parts.with_path(endpoint.path) if parts.path in {"", "/"} else server_url


def _policy(options: Options) -> RetryPolicy:
    if options.retry is not None:
        return options.retry
    return Backoff() if options.retry_timeouts is None else Schedule(options.retry_timeouts)


def _transport_maker(options: Options, server_url: str) -> Callable[[], FullTransport]:
    """What makes the transport when the first upload is made, with nothing left to import then."""
    transport = options.transport
    if transport is not None:
        return lambda: CompletedTransport(transport)
    from antinode._delivery.http.compression import Compressor  # noqa: PLC0415 - loads the same
    from antinode._delivery.http.connection import import_for_names, is_ipv4  # noqa: PLC0415 - the same
    from antinode._delivery.http.environment import import_for_proxies  # noqa: PLC0415 - loads the same
    from antinode._delivery.http.transport import HttpTransport  # noqa: PLC0415 - loads sockets

    if not is_ipv4(split_url(server_url).host or ""):
        import_for_names()
    if server_url[:6].lower() == "https:":
        import antinode._delivery.http.tls  # noqa: F401, PLC0415 - loads ssl
    import_for_proxies(options.proxy)
    compresses = is_amplitude_host(server_url) if options.compress is None else options.compress
    if compresses:
        Compressor(options.compress_level)  # loads its library, as nothing may be loaded later
    return lambda: HttpTransport(
        connections=options.connections,
        compress=compresses,
        compress_level=options.compress_level,
        proxy=options.proxy,
        ca_bundle=options.ca_bundle,
        headers=options.headers,
        user_agent=f"antinode/{__version__}",
    )
