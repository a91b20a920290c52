"""`antinode serve` over HTTPS: who is trusted, by what, and what is kept where."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import socket
import ssl
import stat
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12

from antinode.server.http import authority
from antinode.server.http.authority import Authority, AuthorityError
from tests import needs
from tests.cli.nursery import run
from tests.cli.serving import Serving

HOSTS = ["127.0.0.1", "localhost"]


def strict(path: Path) -> ssl.SSLContext:
    """Trusts the certificate alone, and takes the standard by its word as newer versions of Python do."""
    context = ssl.create_default_context(cafile=str(path))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


def health(url: str, trusted: Path, host: str = "127.0.0.1") -> int:
    address = urlsplit(url)
    connection = http.client.HTTPSConnection(host, address.port, timeout=120, context=strict(trusted))
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize("host", HOSTS)
def test_the_authority_is_made_on_first_use_and_kept(tmp_path: Path, host: str) -> None:
    """In the user's folder, or beside the data; the next server is trusted by the same certificate."""
    kept = {
        tmp_path / "home" / "antinode" / "tls": (),
        tmp_path / "events.db-tls": ("--data", str(tmp_path / "events.db")),
    }
    for folder, options in kept.items():
        certificates = []
        for _ in range(2):
            more = {"XDG_DATA_HOME": str(tmp_path / "home"), "LOCALAPPDATA": str(tmp_path / "home")}
            with Serving("--tls", *options, **more) as serving:
                assert serving.url.startswith("https://127.0.0.1:")
                assert health(serving.url, folder / "authority.pem", host) == 200
                certificates.append((folder / "authority.pem").read_bytes())
                code, _, errors = serving.stop()
                assert (code, errors) == (0, "")
        assert certificates[0] == certificates[1]


def test_the_banner_says_how_to_be_trusted(tmp_path: Path) -> None:
    """A line each for antinode, Python, Node, Java and curl, which names the file; JSON lines name it too."""
    folder = tmp_path / "a b" / "events.db-tls"
    folder.parent.mkdir()
    data = str(tmp_path / "a b" / "events.db")
    with Serving("--tls", "--data", data) as serving:
        serving.line_with("curl --cacert")
        banner = "".join(serving.lines)
        for beginning in (
            "ca_bundle=",
            "SSL_CERT_FILE=",
            "REQUESTS_CA_BUNDLE=",
            "NODE_EXTRA_CA_CERTS=",
            "--cacert ",
        ):
            assert re.search(rf"{beginning}['\"]{re.escape(str(folder / 'authority.pem'))}['\"]", banner)
        assert re.search(rf"trustStore=['\"]{re.escape(str(folder / 'authority.p12'))}['\"]", banner)
        assert f'client.setServerUrl("{serving.url}/2/httpapi");' in banner
    with Serving("--tls", "--data", data, "--json") as serving:
        assert json.loads(serving.lines[0])["authority"] == str(folder / "authority.pem")
    with Serving() as serving:
        serving.line_with("Ctrl-C")
        assert "trust" not in "".join(serving.lines)


def test_curl_trusts_it_by_the_line_that_is_printed(tmp_path: Path) -> None:
    """And without that line it does not."""
    with Serving("--tls", "--data", str(tmp_path / "events.db")) as serving:
        pem = tmp_path / "events.db-tls" / "authority.pem"
        command = [needs.program("curl"), "-sS", "--noproxy", "*", f"{serving.url}/healthz"]
        assert subprocess.run([*command, "--cacert", pem], capture_output=True, check=True).stdout
        assert subprocess.run(command, capture_output=True, check=False).returncode == 60


def test_antinode_delivers_over_it(tmp_path: Path) -> None:
    """By `ca_bundle`, as printed, and not without."""
    script = (
        "import antinode, sys; url, pem = sys.argv[1:];"
        "client = antinode.init('any-key', server_url=url, ca_bundle=pem);"
        "sent = client.log_event({'event_type': 'Song Played', 'user_id': 'user-20391'});"
        "client.flush(timeout=120); print(sent.outcome.kind)"
    )
    with Serving("--tls", "--data", str(tmp_path / "events.db")) as serving:
        pem = tmp_path / "events.db-tls" / "authority.pem"
        command = [sys.executable, "-c", script, f"{serving.url}/2/httpapi", str(pem)]
        assert subprocess.run(command, capture_output=True, check=True, text=True).stdout == "delivered\n"
        connection = http.client.HTTPSConnection(
            "127.0.0.1", urlsplit(serving.url).port, timeout=120, context=strict(pem)
        )
        connection.request("GET", "/api/events")
        assert [each["event_type"] for each in json.load(connection.getresponse())["events"]] == [
            "Song Played"
        ]
        connection.close()


def test_a_certificate_that_is_given_is_served(tmp_path: Path) -> None:
    """With its key in a file of its own, or in the same; nothing is made, nor said of trust."""
    theirs = trustme.CA()
    pair = theirs.issue_cert("127.0.0.1")
    theirs.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    pair.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    for blob in pair.cert_chain_pems:
        blob.write_to_path(str(tmp_path / "cert.pem"), append=True)
    pair.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "both.pem"))
    home = {"XDG_DATA_HOME": str(tmp_path / "home")}
    cert, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    for options in (["--cert", cert, "--key", key], ["--tls", "--cert", str(tmp_path / "both.pem")]):
        with Serving(*options, **home) as serving:
            serving.line_with("Ctrl-C")
            assert "trust" not in "".join(serving.lines)
            assert health(serving.url, tmp_path / "ca.pem") == 200
    assert not (tmp_path / "home").exists()


def test_what_cannot_be_served_with_is_said(tmp_path: Path) -> None:
    """No certificate in a file, a missing or a wrong key, a host that the local authority cannot name."""
    theirs = trustme.CA()
    cert, key, other = tmp_path / "cert.pem", tmp_path / "key.pem", tmp_path / "other.pem"
    theirs.cert_pem.write_to_path(str(cert))
    theirs.private_key_pem.write_to_path(str(key))
    trustme.CA().private_key_pem.write_to_path(str(other))
    (tmp_path / "no.pem").write_text("no certificate")
    for options in (
        ["--cert", str(tmp_path / "no.pem"), "--key", str(key)],
        ["--cert", str(cert)],
        ["--cert", str(cert), "--key", str(other)],
    ):
        code, _, errors = run("serve", "--port", "0", *options)
        assert code == 1
        assert "cannot be served with" in errors
        assert "Traceback" not in errors
    for options in (
        ["--key", str(key)],
        ["--tls", "--host", "192.0.2.7"],
        ["--tls", "--host", "dev.example.org"],
    ):
        code, _, errors = run("serve", "--port", "0", *options)
        assert code == 2
        assert "--cert" in errors


class TestAuthority:
    """What it makes, and for whom it can vouch."""

    def test_keys_are_for_their_owner_alone(self, tmp_path: Path) -> None:
        """The folder and the key, whatever the umask; nothing else is left there."""
        before = os.umask(0)
        try:
            Authority(tmp_path / "tls").context()
        finally:
            os.umask(before)
        names = sorted(each.name for each in (tmp_path / "tls").iterdir())
        assert names == ["authority-key.pem", "authority.p12", "authority.pem"]
        if sys.platform != "win32":
            assert stat.S_IMODE((tmp_path / "tls").stat().st_mode) == 0o700
            assert stat.S_IMODE((tmp_path / "tls" / "authority-key.pem").stat().st_mode) == 0o600
        for public in ("authority.p12", "authority.pem"):
            assert b"PRIVATE KEY" not in (tmp_path / "tls" / public).read_bytes()

    @pytest.mark.skipif(sys.platform == "win32", reason="permissions are others there")
    def test_a_key_that_others_can_read_is_not_used(self, tmp_path: Path) -> None:
        """It may be in their hands; the message says what to do."""
        Authority(tmp_path)
        (tmp_path / "authority-key.pem").chmod(0o640)
        with pytest.raises(AuthorityError, match="delete"):
            Authority(tmp_path)

    @pytest.mark.parametrize(
        "content", [b"", b"nothing", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
    )
    def test_a_damaged_key_is_told(self, tmp_path: Path, content: bytes) -> None:
        """It is not replaced in silence: clients trust the old one."""
        Authority(tmp_path)
        (tmp_path / "authority-key.pem").write_bytes(content)
        with pytest.raises(AuthorityError, match="delete"):
            Authority(tmp_path)

    def test_public_files_that_were_deleted_are_written_again(self, tmp_path: Path) -> None:
        """From the key, so that who trusts it still does."""
        first = Authority(tmp_path)
        content = first.certificate.read_bytes()
        first.certificate.unlink()
        first.trust_store.unlink()
        again = Authority(tmp_path)
        assert again.certificate.read_bytes() == content
        assert again.trust_store.exists()

    def test_java_reads_the_trust_store(self, tmp_path: Path) -> None:
        """It holds the certificate, under the password that is printed."""
        made = Authority(tmp_path)
        store = pkcs12.load_pkcs12(made.trust_store.read_bytes(), authority.TRUST_STORE_PASSWORD.encode())
        own = x509.load_pem_x509_certificate(made.certificate.read_bytes())
        assert [each.certificate for each in store.additional_certs] == [own]

    def test_it_vouches_for_this_machine_alone(self, tmp_path: Path) -> None:
        """Its constraints are critical, and what it issues for another name is trusted by nobody."""
        made = Authority(tmp_path)
        own = x509.load_pem_x509_certificate(made.certificate.read_bytes())
        limits = own.extensions.get_extension_for_class(x509.NameConstraints)
        assert limits.critical
        assert [str(each.value) for each in limits.value.permitted_subtrees or ()] == [
            "localhost",
            "127.0.0.0/8",
            "::1/128",
        ]

    def test_a_name_outside_of_its_limits_is_not_trusted(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whoever stole the key could not play another server with it."""
        monkeypatch.setattr(authority, "_ADDRESSES", ("127.0.0.1", "192.0.2.7"))
        made = Authority(tmp_path)
        with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
            shake_hands(made.context(), strict(made.certificate), "127.0.0.1")

    def test_a_server_that_runs_for_months_renews_its_certificate(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Before it ends, and not with each connection."""
        made = Authority(tmp_path)
        now = authority._now()
        first = made.context()
        assert made.context() is first
        monkeypatch.setattr(authority, "_now", lambda: now + timedelta(days=16))
        second = made.context()
        assert second is not first
        assert made.context() is second

    def test_an_authority_that_ends_is_made_anew(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """In time for the last certificate that it could issue."""
        first = Authority(tmp_path).certificate.read_bytes()
        now = authority._now()
        monkeypatch.setattr(authority, "_now", lambda: now + timedelta(days=3630))
        assert Authority(tmp_path).certificate.read_bytes() != first


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> None:
    """A handshake in memory. Raises what the client makes of the certificate."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    serving = server.wrap_bio(to_server, to_client, server_side=True)
    asking = client.wrap_bio(to_client, to_server, server_hostname=name)
    for _ in range(4):
        for side in (asking, serving):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()


def test_connections_whose_handshake_hangs_do_not_keep_it_from_ending(tmp_path: Path) -> None:
    """Nor do clients that speak plain HTTP, or trust nobody; others are answered meanwhile."""
    with Serving("--tls", "--data", str(tmp_path / "events.db")) as serving:
        address = ("127.0.0.1", urlsplit(serving.url).port or 0)
        hanging = [socket.create_connection(address, timeout=120) for _ in range(5)]
        plain = socket.create_connection(address, timeout=120)
        plain.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with pytest.raises(ssl.SSLCertVerificationError):
            ssl.create_default_context().wrap_socket(
                socket.create_connection(address, timeout=120), server_hostname="localhost"
            )
        assert health(serving.url, tmp_path / "events.db-tls" / "authority.pem") == 200
        code, rest, errors = serving.stop()
        assert (code, errors) == (0, "")
        assert "Stopped after" in rest
        for each in (*hanging, plain):
            each.close()


def test_faults_cut_connections_over_tls_too(tmp_path: Path) -> None:
    """A client sees its connection end instead of an answer, and the server goes on."""
    with Serving("--tls", "--data", str(tmp_path / "events.db"), "--faults", "drop-after@next=1") as serving:
        pem = tmp_path / "events.db-tls" / "authority.pem"
        address = urlsplit(serving.url)
        connection = http.client.HTTPSConnection("127.0.0.1", address.port, timeout=120, context=strict(pem))
        body = json.dumps({"api_key": "k" * 32, "events": [{"event_type": "a", "user_id": "user-20391"}]})
        connection.request("POST", "/2/httpapi", body, {"Content-Type": "application/json"})
        with pytest.raises((ConnectionError, http.client.HTTPException, ssl.SSLError)):
            connection.getresponse()
        connection.close()
        assert health(serving.url, pem) == 200
