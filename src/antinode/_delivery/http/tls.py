"""Connections over TLS, always verified. Apart from the plain ones, since it loads `ssl`."""

from __future__ import annotations

import os
import ssl

from antinode._delivery.http.connection import BoundedConnect, BoundedIO, Direct
from antinode._delivery.http.descriptors import is_bare_tls, wait_within


def make_context(bundle: str | None) -> ssl.SSLContext:
    """A context that trusts a PEM file or a directory of them, or else what the system trusts.

    Raises `OSError` for certificates that cannot be read.
    """
    context = ssl.create_default_context(
        cafile=bundle if bundle and not os.path.isdir(bundle) else None,
        capath=bundle if bundle and os.path.isdir(bundle) else None,
    )
    context.set_alpn_protocols(["http/1.1"])
    return context


def is_usable(context: ssl.SSLContext | None) -> bool:
    """Whether there is one, and it is of the class that goes by the name now.

    gevent may have put its own in the place since: one of the former class recurses without end when a
    connection is set up.
    """
    return type(context) is ssl.SSLContext


class OverTLS(BoundedIO):
    """Mixed into a class that connects, and then speaks TLS."""

    is_tls = True
    would_block = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)

    def _receive(self, size: int, seconds: float) -> bytes:
        """Wait apart from TLS, which would give up the interpreter's lock at each of its steps."""
        while is_bare_tls(self.sock):
            self.wait_never()
            if not self.sock.pending():
                wait_within(self.sock, self.exchange.remaining())
            try:
                received: bytes = self.sock.recv(size)
            except ssl.SSLWantReadError:
                continue  # what has come is no whole record yet
            except ssl.SSLWantWriteError:
                break
            return received
        return super()._receive(size, min(seconds, self.exchange.remaining()))


class _DirectTLS(Direct):
    def __init__(self, host: str, port: int, context: ssl.SSLContext) -> None:
        super().__init__(host, port)
        self._context = context

    def connect(self) -> None:
        super().connect()
        # Certificates have neither the dot that ends a name nor the zone of an address.
        name = self.host.rstrip(".").partition("%")[0]
        self.sock = self._context.wrap_socket(self.sock, server_hostname=name)


class TLSConnection(OverTLS, BoundedConnect, _DirectTLS):
    """A TLS connection, straight to the server."""
