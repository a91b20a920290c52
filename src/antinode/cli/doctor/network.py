"""The way to the server, a step at a time: name, connection, TLS, a request, and the server's clock."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timezone
from email.utils import parsedate_to_datetime
from typing import Any, Final, Literal, TypeVar

from antinode._delivery.http.environment import proxy_from_environment
from antinode._delivery.http.proxies import Proxy, parse_proxy
from antinode._delivery.http.transport import HttpTransport
from antinode._delivery.messages import HttpResponse, Request, TransportError
from antinode._protocol.endpoints import is_amplitude_host
from antinode._protocol.responses import Action, judge
from antinode._protocol.words import counted
from antinode.cli.doctor.findings import DoctorFinding
from antinode.cli.serve.banner import is_loopback

STEPS: Final = ("proxy", "name", "connection", "TLS", "request", "clock")

_EXPIRES_SOON_SECONDS: Final = 14 * 86_400
_OFF_SECONDS: Final = 60.0
_SLOW_SECONDS: Final = 2.0
_Found = TypeVar("_Found")


@dataclass(frozen=True)
class Route:
    """Where requests go, and how."""

    url: str
    scheme: str
    host: str
    port: int
    proxy: str | Literal[False] | None = None
    """As `init` takes it."""
    ca_bundle: str | None = None
    timeout: float = 10.0

    @property
    def peer(self) -> str:
        return f"{self.host}:{self.port}"


def check_way(way: Route) -> Iterator[DoctorFinding]:
    """A finding for each of `STEPS`, as it is made. What an earlier failure makes moot is unchecked."""
    checks = _Checks(way)
    steps: dict[str, Callable[[], DoctorFinding]] = {
        "proxy": checks.proxy,
        "name": checks.name,
        "connection": checks.connection,
        "TLS": checks.tls,
        "request": checks.request,
        "clock": checks.clock,
    }
    for step in STEPS:
        yield steps[step]()


def skip_way(why: str) -> list[DoctorFinding]:
    """A finding for each of `STEPS` that says why the way was not checked."""
    return [DoctorFinding(step, "unchecked", why) for step in STEPS]


class _Checks:
    """One run of all checks; each leaves what the next one needs."""

    def __init__(self, way: Route) -> None:
        self._way = way
        self._proxy: Proxy | None = None
        self._blocked = ""
        """Why the steps to come cannot be taken."""
        self._socket: socket.socket | None = None
        self._response: HttpResponse | None = None
        self._answered_at = 0.0

    @property
    def _target(self) -> tuple[str, int]:
        """The host and port to connect to first: the proxy's, if there is one."""
        return (self._proxy.host, self._proxy.port) if self._proxy else (self._way.host, self._way.port)

    def proxy(self) -> DoctorFinding:
        way = self._way
        try:
            if way.proxy:
                self._proxy, whence = parse_proxy(way.proxy), "as the option says"
            elif way.proxy is None:
                self._proxy = proxy_from_environment(way.scheme, way.host, way.port)
                whence = f"as the environment says ({self._proxy.source})" if self._proxy else ""
        except (ValueError, ImportError) as error:
            self._blocked = "the proxy cannot be used"
            return DoctorFinding(
                "proxy", "problem", str(error), "Mend HTTPS_PROXY (or ALL_PROXY, or --proxy)."
            )
        if self._proxy is None:
            why = "none, as the option says" if way.proxy is False else "none is set for this server"
            return DoctorFinding("proxy", "ok", why)
        return DoctorFinding("proxy", "ok", f"through {self._proxy}, {whence}")

    def name(self) -> DoctorFinding:
        host, port = self._target
        if self._blocked:
            return self._moot("name")
        started = time.monotonic()
        try:
            found = _within(
                self._way.timeout, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            )
        except OSError as error:
            self._blocked = f"{host} was not found"
            why = "in time" if isinstance(error, TimeoutError) else f"({error.strerror or error})"
            return DoctorFinding(
                "name",
                "problem",
                f"{host} cannot be resolved {why}",
                "Is there a network, and a DNS server that knows this name?",
            )
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        passed = time.monotonic() - started
        more = f" and {len(addresses) - 1} more" if len(addresses) > 1 else ""
        text = "" if addresses[0] == host else f"{host} is {addresses[0]}{more}, found in {_ms(passed)}"
        if passed > _SLOW_SECONDS:
            return DoctorFinding(
                "name", "warning", text, "The DNS server is slow: each new connection waits for it."
            )
        return DoctorFinding("name", "ok", text or f"{host} is an address")

    def connection(self) -> DoctorFinding:
        if self._blocked:
            return self._moot("connection")
        host, port = self._target
        started = time.monotonic()
        try:
            self._socket = socket.create_connection((host, port), timeout=self._way.timeout)
        except OSError as error:
            self._blocked = f"there is no connection to {host}"
            refused = isinstance(error, ConnectionRefusedError)
            why = (
                "nobody listens there"
                if refused
                else "no answer in time"
                if isinstance(error, TimeoutError)
                else str(error)
            )
            is_theirs = is_amplitude_host(self._way.url) and self._proxy is None
            return DoctorFinding(
                "connection",
                "problem",
                f"no connection to {host} port {port}: {why}",
                "A firewall may be in the way: allow connections to this host and port, or name a proxy."
                if is_theirs
                else f"Start what should listen there{'' if self._proxy else ', such as `antinode serve`'}, "
                "or correct the address.",
            )
        passed = time.monotonic() - started
        text = f"{host} port {port}, made in {_ms(passed)}"
        if passed > _SLOW_SECONDS:
            return DoctorFinding(
                "connection", "warning", text, "That is slow: requests may run into their timeout."
            )
        return DoctorFinding("connection", "ok", text)

    def tls(self) -> DoctorFinding:
        connected, self._socket = self._socket, None
        if self._blocked or connected is None:
            return self._moot("TLS")
        with connected:
            if self._way.scheme != "https":
                return self._clear()
            if self._proxy is not None:
                return DoctorFinding(
                    "TLS", "unchecked", "made through the proxy: the request below needs it, too"
                )
            return self._handshake(connected)

    def _clear(self) -> DoctorFinding:
        if is_loopback(self._way.host):
            return DoctorFinding("TLS", "ok", "none, and none is needed on this machine")
        return DoctorFinding(
            "TLS",
            "warning",
            "none: the API key and all events can be read on their way",
            "Write https:// in server_url.",
        )

    def _handshake(self, connected: socket.socket) -> DoctorFinding:
        try:
            context = _context(self._way.ca_bundle)
            with context.wrap_socket(connected, server_hostname=self._way.host) as secured:
                certificate: dict[str, Any] = dict(secured.getpeercert() or {})
                version = secured.version()
        except ssl.SSLCertVerificationError as error:
            self._blocked = "the certificate is not accepted"
            return DoctorFinding(
                "TLS",
                "problem",
                f"the certificate of {self._way.host} is not accepted: {error.verify_message}",
                "If a proxy of your network signs connections anew, give its certificate with ca_bundle "
                "(--ca-bundle). Otherwise look at this machine's certificates and its clock.",
            )
        except OSError as error:
            self._blocked = "TLS failed"
            why = getattr(error, "reason", None) or error.strerror or "connection closed"
            return DoctorFinding(
                "TLS",
                "problem",
                f"no TLS with {self._way.peer}: {why}",
                "Something that speaks no TLS answers there: check the port, and what is in between.",
            )
        return _judge_certificate(certificate, version or "TLS", time.time())

    def request(self) -> DoctorFinding:
        if self._blocked:
            return self._moot("request")
        way = self._way
        transport = HttpTransport(proxy=way.proxy, ca_bundle=way.ca_bundle, user_agent="antinode-doctor")
        started = time.monotonic()
        try:
            # Empty and without the key: enough to be answered, nothing that could be kept.
            self._response = transport.send(Request(way.url, b"{}", timeout=way.timeout))
        except TransportError as error:
            self._blocked = "no request was answered"
            return DoctorFinding(
                "request",
                "problem",
                str(error),
                "The proxy does not let it through: check its address, its password and what it allows."
                if self._proxy
                else "Something on the way ends connections: a firewall, or a proxy that has to be named.",
            )
        finally:
            transport.close()
        self._answered_at = time.time()
        return _judge_answer(self._response, time.monotonic() - started)

    def clock(self) -> DoctorFinding:
        date = self._response.headers.get("date") if self._response else None
        if self._response is not None and is_loopback(self._way.host):
            return DoctorFinding("clock", "ok", "the server's own: it is on this machine")
        if date is None:
            why = self._blocked or "the server's answer names no time"
            return DoctorFinding("clock", "unchecked", f"{why}, so that there is nothing to compare with")
        return judge_clock(date, self._answered_at)

    def _moot(self, topic: str) -> DoctorFinding:
        return DoctorFinding(topic, "unchecked", self._blocked)


def _judge_certificate(certificate: dict[str, Any], version: str, now: float) -> DoctorFinding:
    names = {key: value for part in certificate.get("issuer", ()) for key, value in part}
    issuer = names.get("organizationName") or names.get("commonName") or "an unnamed authority"
    try:
        left = ssl.cert_time_to_seconds(str(certificate.get("notAfter"))) - now
    except ValueError:
        return DoctorFinding("TLS", "ok", f"{version}, certificate of {issuer}")
    text = f"{version}, certificate of {issuer}, good for {counted(round(left / 86_400), 'day')}"
    if left < _EXPIRES_SOON_SECONDS:
        return DoctorFinding(
            "TLS", "warning", text, "It ends soon: whoever runs this server has to renew it."
        )
    return DoctorFinding("TLS", "ok", text)


def _judge_answer(response: HttpResponse, passed: float) -> DoctorFinding:
    status, text = response.status, f"answered {response.status} to an empty request, in {_ms(passed)}"
    verdict = judge(status, response.headers, response.body, 0, lambda _: (None, None))
    body = verdict.body or {}
    # Amplitude answers a request without key and events by naming the field that it misses first.
    if status == 400 and (body.get("missing_field") or body.get("code") == 400) and "path" not in _said(body):
        return DoctorFinding("request", "ok", f"{text}, as it should")
    if status >= 500 or status in (408, 429):
        return DoctorFinding(
            "request",
            "warning",
            f"{text}: {verdict.message}",
            "The server, or a proxy before it, is in trouble at the moment: events wait and are sent later.",
        )
    if verdict.action is Action.STOP:
        why, _, advice = verdict.message.rpartition("; ")
        return DoctorFinding("request", "problem", f"{text}: {why or advice}", _sentence(advice))
    return DoctorFinding(
        "request",
        "warning" if 200 <= status < 300 else "problem",
        f"{text}: Amplitude's ingestion API would say 400, in JSON of its own",
        "Something else answers: check server_url (its path, too), and proxies and firewalls on the way.",
    )


def _said(body: Mapping[str, Any]) -> str:
    return str(body.get("error", "")).lower()


def _sentence(advice: str) -> str:
    return f"{advice[:1].upper()}{advice[1:]}."


def judge_clock(date: str, now: float) -> DoctorFinding:
    """This machine's clock beside the `Date` of an answer that came at `now`."""
    try:
        theirs = parsedate_to_datetime(date)
    except ValueError:
        return DoctorFinding("clock", "unchecked", "the server's answer names no readable time")
    # `Date` is cut to whole seconds, so it is half a second early on average.
    off = now - (theirs if theirs.tzinfo else theirs.replace(tzinfo=timezone.utc)).timestamp() - 0.5
    if abs(off) < _OFF_SECONDS:
        return DoctorFinding(
            "clock", "ok", "agrees with the server's" if abs(off) < 2 else f"off by {abs(off):.0f} s"
        )
    amount = f"{abs(off):,.0f} s" if abs(off) < 7200 else f"{abs(off) / 3600:,.1f} hours"
    return DoctorFinding(
        "clock",
        "warning" if abs(off) < 86_400 else "problem",
        f"{amount} {'ahead of' if off > 0 else 'behind'} the server's",
        "Events get this clock's time: have it set by NTP (timedatectl set-ntp true).",
    )


def _context(ca_bundle: str | None) -> ssl.SSLContext:
    import os  # noqa: PLC0415 - beside its only use

    is_directory = ca_bundle is not None and os.path.isdir(ca_bundle)
    return ssl.create_default_context(
        cafile=None if is_directory else ca_bundle, capath=ca_bundle if is_directory else None
    )


def _within(timeout: float, call: Callable[[], _Found]) -> _Found:
    """The result of `call`, or TimeoutError: resolving a name cannot be told how long it may take."""
    results: list[_Found] = []
    errors: list[OSError] = []

    def run() -> None:
        try:
            results.append(call())
        except OSError as error:
            errors.append(error)
        except UnicodeError:
            errors.append(OSError(0, "it is no name"))

    thread = threading.Thread(target=run, name="antinode-doctor", daemon=True)
    thread.start()
    thread.join(timeout)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError
    return results[0]


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
