"""Compressed requests and answers."""

from __future__ import annotations

import gzip
import sys
import tracemalloc
from importlib.util import find_spec

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from antinode._delivery.http.compression import Compressor, DamagedGzip, decompress
from antinode._delivery.messages import Request, TransportError
from tests import needs
from tests.delivery.http.exchanges import BODY, Make, answer
from tests.delivery.rawserver import RawServer, answering


def test_large_bodies_are_compressed(make: Make) -> None:
    """With `compress`, a body over the threshold is sent as gzip, one at the threshold as it is."""
    with RawServer(answering()) as server:
        client = make(compress=True, compress_above=100)
        client.send(Request(server.url, b"x" * 101))
        client.send(Request(server.url, b"x" * 100))
        make(compress=False).send(Request(server.url, b"x" * 5000))
    squeezed, small, plain = server.requests
    assert squeezed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(squeezed.body) == b"x" * 101
    assert int(squeezed.headers["content-length"]) == len(squeezed.body)
    assert ("content-encoding" in small.headers, small.body) == (False, b"x" * 100)
    assert ("content-encoding" in plain.headers, plain.body) == (False, b"x" * 5000)


@pytest.fixture(params=["ISA-L", "zlib"])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What compresses, with `antinode[fast]` and without."""
    if request.param == "zlib":
        monkeypatch.setitem(sys.modules, "isal.isal_zlib", None)
    elif find_spec("isal") is None:
        needs.absent('needs ISA-L: `pip install "antinode[fast]"`')
    return str(request.param)


compress = Compressor()


@given(st.binary(max_size=5000), st.sampled_from([None, *range(1, 10)]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_compression_is_repeatable_and_lossless(library: str, body: bytes, level: int | None) -> None:
    """The same body always gives the same gzip, with no time in it, and can be got back: at each level."""
    compress = Compressor(level)
    assert compress(body) == compress(body)
    assert compress(body)[4:8] == bytes(4)
    assert gzip.decompress(compress(body)) == body == decompress(compress(body), 5001)


def test_the_quickest_library_is_used_and_named(library: str) -> None:
    """Where it is installed; zlib for the levels at which it makes less of the same."""
    default = {"ISA-L": "ISA-L at level 1", "zlib": "zlib at level 2"}[library]
    assert Compressor().name == default
    assert [Compressor(level).name for level in (3, 4, 9)] == [
        f"{library} at level 3",
        "zlib at level 4",
        "zlib at level 9",
    ]


def test_a_higher_level_makes_less(library: str, make: Make) -> None:
    """`compress_level` is the transport's, for what is sent."""
    body = b",".join(
        b'{"event_type":"Tick","user_id":"user-%d","n":%d}' % (n % 97, n * n) for n in range(500)
    )
    with RawServer(answering()) as server:
        for level in (1, 9):
            make(compress=True, compress_level=level).send(Request(server.url, body))
    quick, small = server.requests
    assert len(small.body) < len(quick.body)
    assert gzip.decompress(small.body) == gzip.decompress(quick.body) == body


@given(st.binary(min_size=1, max_size=5000), st.data())
def test_every_cut_of_a_gzip_stream_is_noticed(body: bytes, data: st.DataObject) -> None:
    """A gzip stream that ends early is damaged, wherever it ends; several in a row are one."""
    whole = compress(body)
    cut = data.draw(st.integers(1, len(whole) - 1))
    with pytest.raises(DamagedGzip):
        decompress(whole[:cut], len(body) + 1)
    assert body.startswith(decompress(whole[:cut], len(body) + 1, was_cut=True))
    assert decompress(whole * 2, 2 * len(body) + 1) == body * 2


@given(st.integers(0, 100), st.integers(1, 50))
def test_decompression_stops_at_its_limit(length: int, limit: int) -> None:
    """No more than the limit is ever produced, so that a small answer cannot fill the memory."""
    assert len(decompress(compress(b"x" * length), limit)) == min(length, limit)


@pytest.mark.parametrize("content", [b"", b"x"])
@pytest.mark.parametrize("was_cut", [False, True])
def test_answers_of_many_members_are_refused(content: bytes, was_cut: bool) -> None:
    """A few members are read as one text; a megabyte of tiny ones is no answer, whatever they hold."""
    member = gzip.compress(content, mtime=0)
    assert decompress(member * 16, 1 << 20, was_cut=was_cut) == content * 16
    with pytest.raises(DamagedGzip, match="too many members"):
        decompress(member * 40_000, 1 << 20, was_cut=was_cut)


def test_a_bomb_fills_no_memory() -> None:
    """Of an answer that would be a thousand times as long, no more than the limit is ever held."""
    bomb = compress(bytes(256 << 20))
    assert len(bomb) < 2 << 20
    tracemalloc.start()
    try:
        assert decompress(bomb, 1 << 20) == bytes(1 << 20)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20


def test_compressed_answers_are_decoded(make: Make) -> None:
    """An answer in gzip is given decompressed; gzip is the one coding asked for."""
    with RawServer(answering(answer(gzip.compress(b'{"code":200}'), "Content-Encoding: GZIP"))) as server:
        assert make().send(Request(server.url, BODY)).body == b'{"code":200}'
    assert server.requests[0].headers["accept-encoding"] == "gzip"


@pytest.mark.parametrize("damaged", [b"not gzip", gzip.compress(b"x" * 100, mtime=0)[:-3]])
def test_damaged_compressed_answers_are_no_answer(make: Make, damaged: bytes) -> None:
    """An answer whose gzip is invalid or ends early raises."""
    with (
        RawServer(answering(answer(damaged, "Content-Encoding: gzip"))) as server,
        pytest.raises(TransportError, match="malformed answer"),
    ):
        make().send(Request(server.url, BODY))
