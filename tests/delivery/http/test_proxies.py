"""Proxies: by option and by environment, plain, tunnelled and SOCKS."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import Any

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from antinode._delivery.http.proxies import parse_proxy
from antinode._delivery.http.transport import HttpTransport
from antinode._delivery.messages import Request, TransportError, TransportTimeout
from tests.delivery.http.exchanges import BODY, SHORT, Make, causes, server_tls
from tests.delivery.rawserver import RawServer, answering, deaf, socks5, tunnel


def test_plain_requests_are_forwarded(make: Make) -> None:
    """An HTTP proxy gets the whole URL, and its credentials in a header of each request."""
    with RawServer(answering()) as proxy:
        client = make(proxy=f"http://us%65r:p%40ss@{proxy.address}")
        for _ in range(2):
            assert client.send(Request("http://api.example/2/httpapi?a=1", BODY)).status == 200
    for request in proxy.requests:
        assert request.target == "http://api.example:80/2/httpapi?a=1"
        assert request.headers["host"] == "api.example:80"
        assert request.headers["proxy-authorization"] == "Basic dXNlcjpwQHNz"
    assert proxy.connections == 1


@pytest.mark.parametrize("is_tls_proxy", [False, True], ids=["http", "https"])
def test_tls_goes_through_a_tunnel(
    make: Make, authority: trustme.CA, bundle: Path, is_tls_proxy: bool
) -> None:
    """TLS is end to end through CONNECT; the proxy's credentials go to the proxy only."""
    with (
        RawServer(answering(), server_tls(authority)) as server,
        RawServer(tunnel, server_tls(authority) if is_tls_proxy else None) as proxy,
    ):
        scheme = "https" if is_tls_proxy else "http"
        client = make(proxy=f"{scheme}://user:p%40ss@localhost:{proxy.port}", ca_bundle=bundle)
        assert [client.send(Request(server.tls_url, BODY)).status for _ in range(2)] == [200] * 2
    (opened,) = proxy.requests
    assert (opened.method, opened.target) == ("CONNECT", f"localhost:{server.port}")
    assert opened.headers["proxy-authorization"] == "Basic dXNlcjpwQHNz"
    assert all("proxy-authorization" not in request.headers for request in server.requests)
    assert (len(server.requests), server.connections) == (2, 1)


def test_certificates_are_verified_behind_a_proxy(make: Make, authority: trustme.CA, bundle: Path) -> None:
    """A proxy does not weaken TLS: the server's name must be right."""
    with (
        RawServer(answering(), server_tls(authority, "other.example")) as server,
        RawServer(tunnel) as proxy,
        pytest.raises(TransportError, match=r"certificate of localhost:.* not accepted"),
    ):
        make(proxy=f"http://{proxy.address}", ca_bundle=bundle).send(Request(server.tls_url, BODY))
    assert server.requests == []


def test_refusing_proxy_is_named(make: Make) -> None:
    """A proxy that opens no tunnel is named with its reason, without its password."""
    with RawServer(
        lambda peer: (peer.read_head(), peer.send(b"HTTP/1.1 407 Auth Required\r\n\r\n"))
    ) as proxy:
        client = make(proxy=f"http://user:secret@{proxy.address}")
        with pytest.raises(TransportError, match=rf"proxy http://{proxy.address}: .*407") as caught:
            client.send(Request("https://localhost:1/", BODY))
    assert not any("secret" in str(cause) for cause in causes(caught.value))


@pytest.mark.parametrize("url", ["http://api.example/", "https://api.example/"])
def test_unreachable_proxy_is_named(make: Make, url: str) -> None:
    """A proxy that is not there is not mistaken for the server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(TransportError, match=f"refused by proxy http://127.0.0.1:{port}"):
        make(proxy=f"127.0.0.1:{port}").send(Request(url, BODY))


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "ALL_PROXY"])
def test_environment_names_the_proxy(make: Make, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """Without `proxy`, the usual environment variables are followed."""
    with RawServer(answering()) as proxy:
        monkeypatch.setenv(variable, f"http://{proxy.address}")
        assert make().send(Request("http://api.example/", BODY)).status == 200
    assert len(proxy.requests) == 1


def test_environment_names_the_proxy_for_https(
    make: Make, monkeypatch: pytest.MonkeyPatch, authority: trustme.CA, bundle: Path
) -> None:
    """HTTPS_PROXY is for https URLs only."""
    with RawServer(answering(), server_tls(authority)) as server, RawServer(tunnel) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.address}")
        client = make(ca_bundle=bundle)
        client.send(Request(server.tls_url, BODY))
        with RawServer(answering()) as plain:
            client.send(Request(plain.url, BODY))
    assert (len(proxy.requests), len(server.requests), len(plain.requests)) == (1, 1, 1)


@pytest.mark.parametrize("exception", ["127.0.0.1", "*", "example.com,127.0.0.1", "127.0.0.1:{port}"])
def test_no_proxy_excepts_hosts(make: Make, monkeypatch: pytest.MonkeyPatch, exception: str) -> None:
    """A host that NO_PROXY names, with or without its port, is reached straight."""
    with RawServer(answering()) as server, RawServer(answering()) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://{proxy.address}")
        monkeypatch.setenv("NO_PROXY", exception.format(port=server.port))
        make().send(Request(server.url, BODY))
    assert (len(server.requests), proxy.connections) == (1, 0)


@pytest.mark.parametrize("none", ["", False])
def test_no_proxy_by_choice(make: Make, monkeypatch: pytest.MonkeyPatch, none: Any) -> None:
    """An empty `proxy`, or `False`, leaves the environment out of it."""
    with RawServer(answering()) as server, RawServer(answering()) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://{proxy.address}")
        make(proxy=none).send(Request(server.url, BODY))
    assert (len(server.requests), proxy.connections) == (1, 0)


def test_unusable_proxy_in_the_environment_raises(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the environment that cannot be used is a failure of the request, not a way around it."""
    monkeypatch.setenv("HTTP_PROXY", "gopher://user:secret@127.0.0.1:70")
    with (
        RawServer(answering()) as server,
        pytest.raises(TransportError, match="proxy URL cannot be used") as caught,
    ):
        make().send(Request(server.url, BODY))
    assert "secret" not in str(caught.value)
    assert server.connections == 0


@pytest.mark.parametrize(
    "text", ["gopher://h:1", "http://", "http://h:port", "http://[::1", "http://h:70000"]
)
def test_unusable_proxies_are_refused(text: str) -> None:
    """A `proxy` that cannot be understood is refused where it is written."""
    with pytest.raises(ValueError, match="write http://host:port"):
        HttpTransport(proxy=text)


@pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "tls"])
def test_socks_proxies_carry_requests(make: Make, authority: trustme.CA, bundle: Path, is_tls: bool) -> None:
    """With PySocks, a SOCKS proxy carries plain and TLS connections; `socks5h` lets it resolve the name."""
    pytest.importorskip("socks")
    with (
        RawServer(answering(), server_tls(authority) if is_tls else None) as server,
        RawServer(socks5) as proxy,
    ):
        client = make(proxy=f"socks5h://{proxy.address}", ca_bundle=bundle)
        url = f"{'https' if is_tls else 'http'}://localhost:{server.port}/"
        assert [client.send(Request(url, BODY)).status for _ in range(2)] == [200] * 2
    assert [request.target for request in proxy.requests] == [f"localhost:{server.port}"]
    assert (len(server.requests), server.connections) == (2, 1)


def test_dead_socks_proxy_is_named(make: Make) -> None:
    """A SOCKS proxy that is not there is not mistaken for the server."""
    pytest.importorskip("socks")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(TransportError, match=rf"proxy socks5://{address}"):
        make(proxy=f"socks5://{address}").send(Request("http://127.0.0.1:1/", BODY))


def test_silent_socks_proxy_is_left_in_time(make: Make) -> None:
    """A SOCKS proxy that never answers cannot hold a request beyond its time."""
    pytest.importorskip("socks")
    with RawServer(deaf) as proxy, pytest.raises(TransportTimeout):
        make(proxy=f"socks5://{proxy.address}").send(Request("http://127.0.0.1:1/", BODY, timeout=SHORT))


def test_socks_without_pysocks_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """A SOCKS proxy without PySocks is refused with what to install."""
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "socks", raising=False)
    with pytest.raises(ImportError, match=r"antinode\[socks\]"):
        HttpTransport(proxy="socks5://127.0.0.1:1080")


@given(
    user=st.text(min_size=1, max_size=20),
    password=st.text(max_size=20),
    port=st.integers(1, 65535),
    scheme=st.sampled_from(["http", "https"]),
)
def test_credentials_of_a_proxy_are_unquoted_and_hidden(
    user: str, password: str, port: int, scheme: str
) -> None:
    """Any user and password can be written in a proxy URL, and neither shows in its text."""
    from urllib.parse import quote

    proxy = parse_proxy(f"{scheme}://{quote(user, safe='')}:{quote(password, safe='')}@proxy.example:{port}")
    assert (proxy.user, proxy.password, proxy.port) == (user, password, port)
    assert str(proxy) == f"{scheme}://proxy.example:{port}"
    assert repr(proxy) == f"<Proxy {scheme}://proxy.example:{port}>"
