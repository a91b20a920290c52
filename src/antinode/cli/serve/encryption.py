"""HTTPS for `antinode serve`: with a certificate that is given, or one of this machine's own authority."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from antinode.cli.ui.errors import Failed

if TYPE_CHECKING:
    import ssl


@dataclass(frozen=True, kw_only=True)
class Encryption:
    """How to serve over TLS, and how to be trusted."""

    context: Callable[[], ssl.SSLContext]
    authority: Path | None = None
    """What clients have to trust, in PEM; None: the certificate was given, and so is who trusts it."""
    trust_store: Path | None = None
    """The same for Java."""
    password: str = ""
    """Of the trust store."""

    @property
    def trust_lines(self) -> list[tuple[str, str]]:
        """For each kind of client, what makes it trust this server."""
        if self.authority is None or self.trust_store is None:
            return []
        path, store = _quoted(self.authority), _quoted(self.trust_store)
        return [
            ("antinode", f'antinode.init(…, ca_bundle="{self.authority.as_posix()}")'),
            ("Python", f"SSL_CERT_FILE={path} REQUESTS_CA_BUNDLE={path} python …"),
            ("Node", f"NODE_EXTRA_CA_CERTS={path} node …"),
            (
                "Java",
                f"java -Djavax.net.ssl.trustStore={store} "
                f"-Djavax.net.ssl.trustStorePassword={self.password} …",
            ),
            ("curl", f"curl --cacert {path} …"),
        ]


def given(certificate: Path, key: Path | None) -> Encryption:
    """Encryption with a certificate of the user's. Raises `Failed`."""
    from antinode.server.http.authority import serving_with  # noqa: PLC0415 - only serving needs the extra

    try:
        context = serving_with(certificate, key)
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        which = f"{certificate}" if key is None else f"{certificate} with the key {key}"
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise Failed(
            f"{which} cannot be served with: {reason}; write --cert CERTIFICATE.pem --key KEY.pem, "
            "both in PEM, the key without a password"
        ) from None
    return Encryption(context=lambda: context)


def local(data: Path | None) -> Encryption:
    """Encryption by this machine's authority, kept beside `data` or in the user's folder. Raises `Failed`."""
    from antinode.server.http.authority import TRUST_STORE_PASSWORD, Authority, AuthorityError  # noqa: PLC0415

    folder = _user_folder() if data is None else data.absolute().with_name(f"{data.name}-tls")
    try:
        authority = Authority(folder)
        authority.context()
    except AuthorityError as error:
        raise Failed(str(error)) from None
    except OSError as error:
        raise Failed(f"no certificate can be kept in {folder}: {error.strerror or error}") from None
    return Encryption(
        context=authority.context,
        authority=authority.certificate,
        trust_store=authority.trust_store,
        password=TRUST_STORE_PASSWORD,
    )


def _user_folder() -> Path:
    if sys.platform == "win32":
        home = os.environ.get("LOCALAPPDATA") or str(Path.home())
    else:
        home = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(home).absolute() / "antinode" / "tls"


def _quoted(path: Path) -> str:
    return f'"{path}"' if sys.platform == "win32" else shlex.quote(str(path))
