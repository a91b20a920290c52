"""What a server said, as a message may quote it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antinode._protocol.texts import one_line

KEY = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("<html>\n<head><title>502 Bad Gateway</title></head><body>x</body></html>", "502 Bad Gateway"),
        ("<html><script>var a = '<b>';</script><p>Not&nbsp;here</p></html>", "Not&nbsp;here"),
        ("if a < b and b > c", "if a < b and b > c"),
        ("two\r\nlines \x1b[31mred", "two lines [31mred"),
        (b"\xff\xfe", "��"),
        ("", ""),
    ],
)
def test_a_page_becomes_one_plain_line(text: str | bytes, expected: str) -> None:
    """Markup, line breaks and control characters do not reach a message."""
    assert one_line(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        f"Invalid API key: {KEY}",
        f"INVALID API KEY {KEY}",
        f'{{"api_key":"{KEY}","events":[]}}',
        f"the key {KEY} is unknown",
        f"<title>Invalid API key: {KEY}</title>",
    ],
)
def test_a_key_is_masked_wherever_it_stands(text: str) -> None:
    """No message holds more of a key than its last four characters."""
    assert KEY[:-4] not in one_line(text)
    assert KEY[:16] not in one_line(text)


def test_a_key_that_is_no_hex_is_masked_too() -> None:
    """What follows "Invalid API key" is masked whatever it looks like, short keys entirely."""
    assert one_line("Invalid API key: my-secret-production-key") == "Invalid API key: …-key"
    assert one_line("Invalid API key: secret") == "Invalid API key: …"


@settings(deadline=None)
@given(st.one_of(st.text(), st.binary()), st.integers(1, 3000))
def test_a_line_is_short_and_printable(text: str | bytes, times: int) -> None:
    """Whatever is quoted has at most 200 characters, all printable."""
    line = one_line(text * times)
    assert len(line) <= 200
    assert line.isprintable()
