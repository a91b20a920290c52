"""Whom a connection over TLS trusts."""

from __future__ import annotations

import socket
import ssl
import subprocess
from pathlib import Path

import pytest
import trustme

from antinode._delivery.http.transport import HttpTransport
from antinode._delivery.messages import Request, TransportError
from tests import needs
from tests.delivery.http.exchanges import BODY, Make, causes, handler_that_sends, server_tls
from tests.delivery.rawserver import OK, Peer, RawServer, answering


def test_own_authority_is_accepted_from_a_bundle(make: Make, authority: trustme.CA, bundle: Path) -> None:
    """A certificate of the authority in `ca_bundle` is trusted, and the connection is kept."""
    with RawServer(answering(), server_tls(authority)) as server:
        client = make(ca_bundle=bundle)
        assert [client.send(Request(server.tls_url, BODY)).status for _ in range(3)] == [200] * 3
    assert server.connections == 1


def test_bundle_may_be_a_directory(make: Make, authority: trustme.CA, bundle: Path, tmp_path: Path) -> None:
    """A directory of certificates, named by their hashes as OpenSSL wants them, is a bundle too."""
    command = [needs.program("openssl"), "x509", "-hash", "-noout", "-in", str(bundle)]
    name = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    (tmp_path / f"{name}.0").write_bytes(bundle.read_bytes())
    with RawServer(answering(), server_tls(authority)) as server:
        assert make(ca_bundle=tmp_path).send(Request(server.tls_url, BODY)).status == 200


def test_a_dot_at_the_end_of_a_name_is_none_of_the_certificate(
    make: Make, authority: trustme.CA, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that is complete has one, and certificates do not."""
    find = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest: find(host.rstrip("."), *rest))
    with RawServer(answering(), server_tls(authority)) as server:
        url = server.tls_url.replace("localhost", "localhost.")
        assert make(ca_bundle=bundle).send(Request(url, BODY)).status == 200


def test_unknown_authority_is_refused(make: Make, authority: trustme.CA) -> None:
    """A certificate that the system's store does not vouch for ends the request before anything is sent."""
    with (
        RawServer(answering(), server_tls(authority)) as server,
        pytest.raises(TransportError, match=r"certificate of localhost:.* not accepted") as caught,
    ):
        make().send(Request(server.tls_url, BODY))
    assert any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes(caught.value))
    assert server.requests == []


def test_other_host_name_is_refused(make: Make, authority: trustme.CA, bundle: Path) -> None:
    """A trusted certificate for another name ends the request before anything is sent."""
    with (
        RawServer(answering(), server_tls(authority, "other.example")) as server,
        pytest.raises(TransportError, match=r"not accepted: .*localhost"),
    ):
        make(ca_bundle=bundle).send(Request(server.tls_url, BODY))
    assert server.requests == []


def test_plain_server_behind_https_is_refused(make: Make, bundle: Path) -> None:
    """A server that does not speak TLS is named as such."""
    with RawServer(handler_that_sends(OK)) as server:

        def handle(peer: Peer) -> None:
            peer.send(OK)

        server.handler = handle
        with pytest.raises(TransportError, match=r"TLS with localhost:.* failed"):
            make(ca_bundle=bundle).send(Request(server.tls_url, BODY))


def test_bundle_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """A bundle that is missing, or holds no certificate, is refused where it is named."""
    with pytest.raises(ValueError, match="cannot be read"):
        HttpTransport(ca_bundle=tmp_path / "missing.pem")
    (tmp_path / "empty.pem").touch()
    with pytest.raises(ValueError, match="holds no certificate"):
        HttpTransport(ca_bundle=tmp_path / "empty.pem")


def test_bundle_with_damaged_certificates_raises(make: Make, tmp_path: Path) -> None:
    """A bundle in which no certificate can be decoded raises at the first request."""
    (tmp_path / "bad.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    with pytest.raises(TransportError, match="no certificates could be read from ca_bundle"):
        make(ca_bundle=tmp_path / "bad.pem").send(Request("https://localhost:1/", BODY))
