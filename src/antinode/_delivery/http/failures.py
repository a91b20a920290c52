"""What an exception on the way to a server means, in a few words.

The words never hold what was sent, nor a line that the server answered: both could carry an API key.
"""

from __future__ import annotations

import errno
import socket
import sys
from typing import TYPE_CHECKING, Any

from antinode._delivery.http.answers import CutShort, MalformedAnswer, NoAnswer
from antinode._delivery.http.compression import DamagedGzip
from antinode._delivery.http.connection import ConnectTimeout
from antinode._delivery.messages import TransportError, TransportTimeout

if TYPE_CHECKING:
    from collections.abc import Iterator

# Everything that opening a connection, asking and reading raise; anything else is a defect to be seen.
FAILURES = (OSError, CutShort, MalformedAnswer, ValueError)

# What OpenSSL calls bytes that are no TLS.
_NO_TLS_THERE = frozenset(
    {
        "WRONG_VERSION_NUMBER",
        "HTTP_REQUEST",
        "RECORD_LAYER_FAILURE",
        "PACKET_LENGTH_TOO_LONG",
        "UNKNOWN_PROTOCOL",
    }
)
_PLAIN_HTTP = "; is that server plain http? Then write http:// in server_url"


def died_while_idle(error: BaseException) -> bool:
    """Whether the failure is that of a connection which the server had closed before it was used."""
    return not _is_out_of_time(error) and any(isinstance(cause, OSError) for cause in _causes(error))


def to_transport_error(error: BaseException, peer: str) -> TransportError:
    """The one exception that leaves the transport for `error`; `peer` names the other end."""
    if _is_out_of_time(error):
        return TransportTimeout(f"out of time waiting for {peer}")
    return TransportError(_describe(error, peer))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """`error` and what it was raised from, outermost first."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _is_out_of_time(error: BaseException) -> bool:
    # ETIMEDOUT is the network's own verdict on a peer that is gone, and may come at any time.
    return any(isinstance(cause, TimeoutError) and cause.errno != errno.ETIMEDOUT for cause in _causes(error))


def _describe(error: BaseException, peer: str) -> str:
    # Not imported for a plain server: of what is not loaded there are no errors.
    ssl = sys.modules.get("ssl")
    for cause in reversed(list(_causes(error))):
        if ssl is not None and isinstance(cause, ssl.SSLError):
            return _describe_tls(cause, peer)
        match cause:
            case ConnectTimeout():
                return f"connecting to {peer} took too long"
            case DamagedGzip() | MalformedAnswer():
                return f"malformed answer from {peer}: {cause}"
            case socket.gaierror():
                return f"cannot resolve the name of {peer}: {cause.strerror}"
            case ConnectionRefusedError():
                return f"connection refused by {peer}"
            case NoAnswer():
                return f"connection closed by {peer} without an answer"
            case ConnectionError():
                return f"connection reset by {peer}"
            case CutShort():
                return f"answer of {peer} cut short"
            case OSError():
                return f"{peer}: {_first_line(cause)}"
    return f"request to {peer} failed: {type(error).__name__}"


def _describe_tls(error: Any, peer: str) -> str:
    if hasattr(error, "verify_message"):
        return (
            f"TLS certificate of {peer} not accepted: {error.verify_message}; if a proxy of your "
            "network signs connections anew, give its certificate with ca_bundle"
        )
    reason = error.reason or "connection closed"
    hint = _PLAIN_HTTP if reason in _NO_TLS_THERE else ""
    return f"TLS with {peer} failed: {reason}{hint}"


def _first_line(error: OSError) -> str:
    return (error.strerror or str(error)).partition("\n")[0][:120]
