"""The compiled reading of an ordinary answer: what it reads it reads as the Python code does."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from antinode._delivery.http import answers as reading
from tests.delivery.http.test_answers import answers, read

ORDINARY = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Tue, 01 Jul 2025 10:00:00 GMT\r\n"
    b'Content-Length: 12\r\nConnection: keep-alive\r\n\r\n{"code":200}'
)


def both(native: Any, data: bytes) -> tuple[Any, Any]:
    """What is read of it by the compiled part, or None, and what by the Python code, or why nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "plain_answer", lambda _: None)
        by_python: Any
        try:
            by_python = read(data)
        except (reading.CutShort, reading.MalformedAnswer, reading.NoAnswer) as error:
            by_python = error
    found = native.plain_answer(data)
    return None if found is None else reading.RawAnswer(*found), by_python


def test_an_ordinary_answer_is_read(native: Any) -> None:
    """With its headers' names in lower case; the body may hold anything."""
    found, by_python = both(native, ORDINARY)
    assert found == by_python
    assert found.headers["date"] == "Tue, 01 Jul 2025 10:00:00 GMT"
    assert native.plain_answer(b"HTTP/1.1 429\r\nContent-length:\t3 \r\nA:\r\n\r\n\r\n\0")[1] == {
        "content-length": "3",
        "a": "",
    }


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"HTTP/1.1", b"HTTP/1.0"),
        (b" 200 ", b" 204 "),
        (b" 200 ", b" 100 "),
        (b"keep-alive", b"close"),
        (b"Connection", b"Transfer-Encoding"),
        (b"Connection", b"Content-Length"),
        (b"Date", b" Date"),
        (b"Date:", b"Date"),
        (b"GMT\r\n", b"GMT\n"),
        (b"GMT", b"\xe9t\xe9"),
        (b": 12", b": 11"),
        (b": 12", b": 13"),
        (b": 12", b": +12"),
        (b"Content-Length", b"Length"),
        (b'{"code":200}', b""),
    ],
)
def test_what_is_unusual_is_left_to_the_python_code(native: Any, old: bytes, new: bytes) -> None:
    """Another protocol, another framing, more or less than the length, other letters, folded lines."""
    assert native.plain_answer(ORDINARY.replace(old, new, 1)) is None


@given(
    answers(), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=2), st.integers(0, 400)
)
@example(ORDINARY, [], 400)
def test_what_is_read_is_as_by_the_python_code(
    native: Any, data: bytes, changes: list[tuple[int, int]], size: int
) -> None:
    """Whatever comes: nothing else, and nothing that the Python code would not have read."""
    changed = bytearray(data)
    for place, byte in changes:
        changed[place % len(changed)] = byte
    for given_bytes in (bytes(changed), bytes(changed[:size])):
        found, by_python = both(native, given_bytes)
        assert found is None or found == by_python


def test_reading_leaks_nothing(native: Any) -> None:
    """Neither what is read nor what is given up on the way."""
    data = ORDINARY.replace(b"keep-alive", b"close")
    for each in (ORDINARY, data, ORDINARY[:-1]):
        native.plain_answer(each)
        before = sys.getallocatedblocks()
        for _ in range(1000):
            native.plain_answer(each)
        assert sys.getallocatedblocks() - before < 100
