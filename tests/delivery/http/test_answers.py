"""How an answer is read from the bytes of a connection, whatever they are and however they come."""

from __future__ import annotations

import http.client
import io
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antinode._delivery.http.answers import (
    MAX_BODY_BYTES,
    CutShort,
    MalformedAnswer,
    NoAnswer,
    RawAnswer,
    read_answer,
)


def coming(pieces: Iterable[bytes]) -> Callable[[int], bytes]:
    """A connection on which these pieces come, and then its end."""
    waiting = [piece for piece in pieces if piece]

    def receive(size: int) -> bytes:
        if not waiting:
            return b""
        piece = waiting.pop(0)
        if len(piece) > size:
            waiting.insert(0, piece[size:])
        return piece[:size]

    return receive


def read(*pieces: bytes) -> RawAnswer:
    return read_answer(coming(pieces))


def told(pieces: Iterable[bytes]) -> Any:
    """What the caller is told, or the kind of exception."""
    try:
        answer = read(*pieces)
    except (CutShort, MalformedAnswer, NoAnswer) as error:
        return type(error)
    return answer.status, answer.headers, answer.body, answer.is_whole


def cut_at(data: bytes, places: Iterable[int]) -> list[bytes]:
    ends = sorted({place % (len(data) + 1) for place in places} | {len(data)})
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]


_tokens = st.text("abcXYZ-09", min_size=1, max_size=12)
_values = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30)
_bodies = st.binary(max_size=200)


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """Answers that http.client understands, framed in each way."""
    names = {"connection", "content-length", "transfer-encoding", "keep-alive"}
    headers = draw(st.lists(st.tuples(_tokens, _values), max_size=8))
    lines = [f"{name}: {value}" for name, value in headers if name.lower() not in names]
    body = draw(_bodies)
    status = draw(st.integers(200, 599))
    # http.client looks for chunks even where there can be none.
    framing = draw(
        st.sampled_from(["length", "end"] if status in {204, 304} else ["length", "chunks", "end"])
    )
    if framing == "length":
        lines.append(f"Content-Length: {len(body)}")
    elif framing == "chunks":
        lines.append("Transfer-Encoding: chunked")
        size = draw(st.integers(1, 50))
        chunks = [body[start : start + size] for start in range(0, len(body), size)]
        body = b"".join(b"%x;a=b\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    if draw(st.booleans()):
        lines.append(f"Connection: {draw(st.sampled_from(['close', 'keep-alive', 'Keep-Alive']))}")
    version = draw(st.sampled_from(["1.0", "1.1"]))
    before = draw(st.sampled_from(["", "HTTP/1.1 100 Continue\r\n\r\n"]))
    head = "\r\n".join([f"{before}HTTP/{version} {status} {draw(_values)}".rstrip(), *lines, "", ""])
    return head.encode() + (b"" if status in {204, 304} else body)


class _Read:
    """What http.client asks of a socket."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def makefile(self, _: str) -> io.BytesIO:
        return io.BytesIO(self.data)


@given(data=answers())
def test_answers_are_read_as_by_the_standard_library(data: bytes) -> None:
    """Status, headers, body, and whether the connection goes on."""
    response = http.client.HTTPResponse(_Read(data), method="POST")  # type: ignore[arg-type]
    response.begin()
    answer = read(data)
    joined: dict[str, str] = {}
    for name, value in response.msg.items():
        key = name.lower()
        joined[key] = f"{joined[key]}, {value}" if key in joined else value
    assert (answer.status, answer.headers, answer.is_last) == (response.status, joined, response.will_close)
    assert (answer.body, answer.is_whole) == (response.read(), True)


@given(data=answers(), places=st.lists(st.integers(0, 10_000), max_size=20))
def test_how_the_bytes_come_does_not_matter(data: bytes, places: list[int]) -> None:
    """In one piece, byte by byte, or cut anywhere, an answer is the same."""
    whole = read(data)
    assert read(*cut_at(data, places)) == whole
    assert read(*(data[at : at + 1] for at in range(len(data)))) == whole


@given(data=answers(), place=st.integers(0, 10_000), garbage=st.binary(max_size=40))
def test_whatever_comes_is_an_answer_or_none(data: bytes, place: int, garbage: bytes) -> None:
    """Bytes put anywhere into an answer, and its end cut off, raise nothing but what is told as no answer."""
    at = place % (len(data) + 1)
    for changed in (data[:at] + garbage + data[at:], data[:at] + garbage, garbage):
        assert told([changed]) == told(cut_at(changed, range(0, len(changed), 3)))


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 099 OK\r\n\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"http/1.1 200 OK\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000,
    ],
)
def test_what_is_no_answer_is_malformed(head: bytes) -> None:
    """Told at once, also where the other side would wait for us to go on, and nothing of it is quoted."""

    def receive(_: int) -> bytes:
        assert sent, "asked for more"
        return sent.pop()

    sent = [head]
    with pytest.raises(MalformedAnswer) as caught:
        read_answer(receive)
    assert head[:12].decode("latin-1") not in str(caught.value)


@pytest.mark.parametrize("size", ["+5", "0x5", "5_0", "-1", " ", "", "5" * 5000, "\u0665"])
def test_a_chunk_of_no_size_is_cut_short(size: str) -> None:
    """Only hexadecimal digits say how long a chunk is."""
    with pytest.raises(CutShort):
        read(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            + size.encode()
            + b"\r\nhello\r\n0\r\n\r\n"
        )


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\nmore",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 2\r\n\r\n{}",
    ],
)
def test_a_connection_with_something_left_on_it_is_not_used_again(data: bytes) -> None:
    """What nobody asked for would be taken for the answer to the next request."""
    assert read(data).is_last


@pytest.mark.parametrize(
    ("lines", "headers"),
    [
        (b"A : 1\r\nB:2", {"a": "1", "b": "2"}),
        (b"A: 1\r\n 2\r\n\t3\r\nB: 4", {"a": "1 2 3", "b": "4"}),
        (b"no header\r\nA: 1\r\n: 2\r\n 3\r\na b: 4", {"a": "1"}),
        (b"A: 1\nB: 2", {"a": "1", "b": "2"}),
        (b"A: \xe9\r\nB:", {"a": "\xe9", "b": ""}),
    ],
)
def test_headers_are_read_as_old_and_odd_servers_write_them(lines: bytes, headers: dict[str, str]) -> None:
    """A folded value is one value; a line that is no header costs no other."""
    assert read(b"HTTP/1.1 204 No Content\r\n" + lines + b"\r\n\r\n").headers == headers


@pytest.mark.parametrize("framing", [b"Content-Length: 99999999999", b"Transfer-Encoding: chunked", b"A: b"])
def test_a_body_without_end_is_cut(framing: bytes) -> None:
    """At 1 MiB, and no more than that is received of it."""
    received = 0

    def receive(size: int) -> bytes:
        nonlocal received
        piece = begun.pop() if begun else b"fff\r\n" + b"x" * 4095 + b"\r\n"
        received += len(piece)
        return piece

    begun = [b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n"]
    answer = read_answer(receive)
    assert (len(answer.body), answer.is_whole, answer.is_last) == (MAX_BODY_BYTES, False, True)
    assert received < MAX_BODY_BYTES * 1.1


def test_trailers_without_end_are_left() -> None:
    """Lines behind the chunks are bounded together."""
    begun = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"]
    with pytest.raises(MalformedAnswer):
        read_answer(lambda _: begun.pop() if begun else b"A: b\r\n")
