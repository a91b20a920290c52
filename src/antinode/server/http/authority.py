"""A certificate authority for this machine alone: made on first use, kept in a folder of its user's.

It can vouch for localhost and loopback addresses and, by constraints in its own certificate, for nothing
else: who trusts it trusts no stranger's page. What it issues lives for a month and is kept in memory.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
import stat
import sys
import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import PKCS12Certificate, serialize_java_truststore
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

TRUST_STORE_PASSWORD: Final = "changeit"  # noqa: S105 - Java's own; the file holds nothing secret
"""Of the trust store for Java."""

_AUTHORITY_LASTS: Final = timedelta(days=3650)
_CERTIFICATE_LASTS: Final = timedelta(days=30)
_CLOCKS_DIFFER: Final = timedelta(hours=1)
_ADDRESSES: Final = ("127.0.0.1", "::1")


class AuthorityError(Exception):
    """The authority cannot be used; says what to do."""


class Authority:
    """The authority in `folder`, which is made if there is none. Raises `AuthorityError` and OSError."""

    def __init__(self, folder: Path) -> None:
        self.certificate = folder / "authority.pem"
        """The file that clients are told to trust, in PEM."""
        self.trust_store = folder / "authority.p12"
        """The same for Java; its password is `TRUST_STORE_PASSWORD`."""
        self._folder = folder
        self._secret = folder / "authority-key.pem"
        self._context: ssl.SSLContext | None = None
        self._renewed_at = datetime.min.replace(tzinfo=timezone.utc)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = self._load() if self._secret.exists() else None
        if found is None or found[1].not_valid_after_utc < _now() + _CERTIFICATE_LASTS:
            self._make(is_replaced=found is not None)
            found = self._load()
        self._key, self._own = found
        self._publish()

    def context(self) -> ssl.SSLContext:
        """The TLS context to serve with. Ask for it at each connection, so that it is renewed in time."""
        if self._context is None or _now() > self._renewed_at + _CERTIFICATE_LASTS / 2:
            self._renewed_at = _now()
            self._context = self._issued()
        return self._context

    def _load(self) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        if sys.platform != "win32" and stat.S_IMODE(self._secret.stat().st_mode) & 0o077:
            raise AuthorityError(
                f"{self._secret} can be read by others than its owner: delete {self._folder}, "
                "and trust the authority that is made instead"
            )
        text = self._secret.read_bytes()
        try:
            key = load_pem_private_key(text, None)
            certificate = x509.load_pem_x509_certificate(text)
        except (ValueError, TypeError) as error:
            raise AuthorityError(f"{self._secret} cannot be read: delete {self._folder} ({error})") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise AuthorityError(f"{self._secret} holds another kind of key: delete {self._folder}")
        return key, certificate

    def _make(self, *, is_replaced: bool) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = _named("antinode's local authority")
        permitted = [
            x509.DNSName("localhost"),
            x509.IPAddress(ipaddress.ip_network("127.0.0.0/8")),
            x509.IPAddress(ipaddress.ip_network("::1/128")),
        ]
        certificate = (
            _builder(name, name, key.public_key(), _AUTHORITY_LASTS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(is_authority=True), critical=True)
            .add_extension(x509.NameConstraints(permitted, None), critical=True)
            .sign(key, hashes.SHA256())
        )
        made = _temporary(self._folder, _pem(key) + certificate.public_bytes(Encoding.PEM))
        try:
            if is_replaced:
                os.replace(made, self._secret)
            else:
                # Of two servers that start at once, the second takes what the first has made.
                os.link(made, self._secret)
        except FileExistsError:
            pass
        except OSError:
            os.replace(made, self._secret)  # a file system without links
        finally:
            made.unlink(missing_ok=True)

    def _publish(self) -> None:
        """Write the files that clients are told to trust, unless they are there."""
        own = self._own.public_bytes(Encoding.PEM)
        if _content(self.certificate) == own and self.trust_store.exists():
            return
        encryption = BestAvailableEncryption(TRUST_STORE_PASSWORD.encode())
        for_java = serialize_java_truststore([PKCS12Certificate(self._own, b"antinode")], encryption)
        for path, content in ((self.trust_store, for_java), (self.certificate, own)):
            os.replace(_temporary(self._folder, content), path)

    def _issued(self) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = [x509.DNSName("localhost")]
        names += [x509.IPAddress(ipaddress.ip_address(each)) for each in _ADDRESSES]
        certificate = (
            _builder(_named("localhost"), self._own.subject, key.public_key(), _CERTIFICATE_LASTS)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(is_authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )
        # The standard library takes a key from a file alone.
        pair = _temporary(self._folder, _pem(key) + certificate.public_bytes(Encoding.PEM))
        try:
            return serving_with(pair, None)
        finally:
            pair.unlink()


def serving_with(certificate: Path, key: Path | None) -> ssl.SSLContext:
    """A context that serves with a certificate and its key, in one PEM file or in two. Raises OSError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    # Without an empty password, OpenSSL would ask for one at the terminal.
    context.load_cert_chain(certificate, key, password="")
    return context


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, lasts: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(_now() - _CLOCKS_DIFFER)
        .not_valid_after(_now() + lasts)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _temporary(folder: Path, content: bytes) -> Path:
    """A new file with this content, which its owner alone can read."""
    descriptor, name = tempfile.mkstemp(dir=folder, prefix=".new-")
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    return Path(name)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _now() -> datetime:
    return datetime.now(timezone.utc)
