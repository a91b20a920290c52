"""Which host, port and target a URL names."""

from __future__ import annotations

import socket

import pytest

from antinode._delivery.http.address import parse_target
from antinode._delivery.messages import Request, TransportError
from tests.delivery.http.exchanges import BODY, Make
from tests.delivery.rawserver import RawServer, answering


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1/", "/2/httpapi", "", "http://", "http://[::1/", f"http://{'a' * 70}.example/"]
)
def test_unusable_urls_raise(make: Make, url: str) -> None:
    """A URL that leads nowhere raises `TransportError`, as every other failure."""
    with pytest.raises(TransportError):
        make().send(Request(url, BODY))


@pytest.mark.parametrize(
    ("url", "host", "port", "target"),
    [
        ("HTTP://API.Example", "api.example", 80, "/"),
        (
            "https://user:word@api.example/2/httpapi?a=b%20c&d#part",
            "api.example",
            443,
            "/2/httpapi?a=b%20c&d",
        ),
        (
            "http://api.example:8300/a b/\N{LATIN SMALL LETTER E WITH ACUTE}/%7E/../~",
            "api.example",
            8300,
            "/a%20b/%C3%A9/%7E/../~",
        ),
        ("http://[::1]:8300?x=\N{EURO SIGN}", "::1", 8300, "/?x=%E2%82%AC"),
        ("http://[fe80::1%25eth0]/", "fe80::1%eth0", 80, "/"),
    ],
)
def test_a_url_names_the_way(url: str, host: str, port: int, target: str) -> None:
    """What may not stand in a request line is escaped; user, fragment and the case of a host mean nothing."""
    address, path = parse_target(url)
    assert (address.host, address.port, path) == (host, port, target)


@pytest.mark.parametrize("url", [f"http://{'é' * 70}.example/", "http://é..example/"])
def test_names_that_cannot_be_written_raise(make: Make, url: str) -> None:
    """A name that is none in the DNS is told as any other URL that leads nowhere."""
    with pytest.raises(TransportError, match="no way to the server"):
        make().send(Request(url, BODY))


def test_names_beyond_ascii_are_sent_as_the_dns_has_them(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Host header names what is connected to."""
    with RawServer(answering()) as server:
        address = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_: [address])
        make().send(Request("http://münchen.example:8300/", BODY))
    assert server.requests[0].headers["host"] == "xn--mnchen-3ya.example:8300"
