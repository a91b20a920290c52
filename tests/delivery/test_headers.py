"""Headers that an application adds: one check, in `init` and in the transport; what passes arrives."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from antinode import ConfigurationError
from antinode._delivery._headers import OURS
from antinode._delivery.http.transport import HttpTransport
from antinode._delivery.messages import Request
from antinode._options import read_options
from tests.delivery.rawserver import Peer, RawServer

BAD: list[dict[Any, Any]] = [
    {"X-Team": "café"},
    {"X.Team": "data"},
    {"X Team": "data"},
    {"X:Team": "data"},
    {"é": "data"},
    {"Ⅷ": "data"},
    {"": "data"},
    {"X-Team\r\nX-Other": "data"},
    {"X-Team\n": "data"},
    {"X-Team": 7},
    {7: "data"},
    {"X-Team": "data", "x-TEAM": "sales"},
    *[{"X-Team": f"secret{control}"} for control in "\0\t\r\n\x1b\x7f\x80\x9b\xa0\xff\u202e\u2028\ud800"],
    *[{name: "x"} for name in sorted(OURS)],
    *[{name.swapcase(): "x"} for name in sorted(OURS)],
]


def verdict_of_init(headers: dict[Any, Any]) -> str:
    try:
        read_options({"headers": headers})
    except ConfigurationError as error:
        return str(error)
    return ""


def verdict_of_transport(headers: dict[Any, Any]) -> str:
    try:
        HttpTransport(headers=headers).close()
    except ValueError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("headers", BAD, ids=ascii)
def test_init_refuses_what_the_transport_would(headers: dict[Any, Any]) -> None:
    """A header that cannot be sent is told of in `init`, by name and never by value."""
    told = verdict_of_init(headers)
    assert told.startswith("headers: ")
    assert told == verdict_of_transport(headers)
    assert "secret" not in told
    assert told.isprintable()


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3))
@example({"X-Team": "data"})
@example({"connection": "close"})
def test_both_judge_alike(headers: dict[str, str]) -> None:
    """Whatever the headers are, `init` and the transport accept and refuse the same."""
    assert verdict_of_init(headers) == verdict_of_transport(headers)


def test_what_init_accepts_arrives() -> None:
    """Every name and value of the letters that pass goes over the wire as it was written."""

    def handle(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    headers = {
        "X-Team_7": "".join(map(chr, range(33, 127))),
        "Authorization": "Bearer abc",
        "X-Empty": "",
        "User-Agent": "shop/1",
    }
    checked = read_options({"headers": headers}).headers
    with RawServer(handle) as server:
        transport = HttpTransport(headers=checked)
        transport.send(Request(server.url, b"{}"))
        transport.close()
    (request,) = server.requests
    assert {name: request.headers[name.lower()] for name in headers} == headers
