"""The number of a stream is fixed for ever: it is in what is stored, and says in which partition."""

from __future__ import annotations

import re
from hashlib import blake2b
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antinode.relay.streams import stream_of

PAGE = Path(__file__).parents[2] / "docs" / "relay.md"
ROW = re.compile(r"^\| (`[^`]+`|none) \| (`[^`]+`|none) \| `([0-9a-f]{16})` \|$", re.MULTILINE)


def vectors() -> list[tuple[str | None, str | None, int]]:
    """The table of the page."""
    return [
        (None if user == "none" else user[1:-1], None if device == "none" else device[1:-1], int(number, 16))
        for user, device, number in ROW.findall(PAGE.read_text(encoding="utf-8"))
    ]


def test_the_page_has_vectors() -> None:
    """For whoever writes the same in another language there are some of each kind."""
    assert len(vectors()) >= 6


@pytest.mark.parametrize(("user_id", "device_id", "number"), vectors())
def test_the_vectors_of_the_page_hold(user_id: str | None, device_id: str | None, number: int) -> None:
    """The numbers that the page gives are those that this version computes."""
    assert stream_of(user_id, device_id) == number


@given(st.text(), st.text())
def test_the_rule_of_the_page_holds(user_id: str, device_id: str) -> None:
    """BLAKE2b-8, big-endian, over both ids with the lengths of their UTF-8 before them."""
    text = b"".join(
        len(each).to_bytes(4, "big") + each
        for each in (user_id.encode("utf-8", "surrogatepass"), device_id.encode("utf-8", "surrogatepass"))
    )
    assert stream_of(user_id, device_id) == int.from_bytes(blake2b(text, digest_size=8).digest(), "big")


def test_a_missing_id_is_an_empty_one() -> None:
    """None and "" are the same stream, as they are the same user to Amplitude; the two ids are not."""
    assert stream_of(None, "device-1") == stream_of("", "device-1")
    assert stream_of("someone", None) != stream_of(None, "someone")
    assert stream_of("ab", "c") != stream_of("a", "bc")
