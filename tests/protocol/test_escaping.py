"""What is not plainly seen is written so that it is, and JSON stays the JSON that it was."""

from __future__ import annotations

import json
import unicodedata

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antinode._protocol.escaping import escaped, escaped_json

# Unicode's Default_Ignorable_Code_Point where Python counts a character as printable; not the two selectors
# by which a sign is shown as a picture or as text.
UNSEEN = "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180d\u180f\u3164\ufe00\ufe0d\uffa0\U000e0100\U000e01ef"
SEEN = "plain é 日本語 עברית العربية 🎵 ❤️ … “quoted” \xa0 \u3000 a\tb\nc"
TEXT = st.one_of(st.text(), st.text(st.sampled_from(UNSEEN + SEEN + "\x1b\x9b\x7f\r\u202e\u200d\\u")))
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), TEXT),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
)


def is_plain(text: str) -> bool:
    """By Unicode's own categories: no control, format, separator of lines, surrogate or unknown character."""
    return not any(
        each in UNSEEN or unicodedata.category(each) in {"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"}
        for each in text
        if each not in "\n\t"
    )


@settings(deadline=None)
@given(TEXT)
def test_nothing_hidden_is_left(text: str) -> None:
    """Whatever goes in, no control, no turning mark and nothing invisible comes out; twice is as once."""
    shown = escaped(text)
    assert is_plain(shown)
    assert escaped(shown) == shown
    assert (shown == text) == is_plain(text)


@pytest.mark.parametrize(
    "character", [*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0)), *UNSEEN], ids=ascii
)
def test_each_control_is_named(character: str) -> None:
    """A control is shown by its number, as JSON would, but for line feeds and tabs."""
    expected = character if character in "\n\t" else json.dumps(character).strip('"')
    if character in "\b\r\f\x7f" or len(expected) == 2:
        expected = f"\\u{ord(character):04x}"
    assert escaped(f"a{character}b") == (f"a{character}b" if character in "\n\t" else f"a{expected}b")


def test_what_is_seen_stays() -> None:
    """Letters of all scripts, signs, pictures and spaces are shown as they are."""
    assert escaped(SEEN) == SEEN


@settings(deadline=None)
@given(VALUES, st.booleans())
def test_json_says_the_same(value: object, is_indented: bool) -> None:
    """JSON in UTF-8, on one line or on several, can be printed afterwards and reads as before."""
    raw = json.dumps(value, ensure_ascii=False, indent=2 if is_indented else None)
    text = raw.encode("utf-8", "surrogatepass")
    try:
        text.decode()
    except UnicodeDecodeError:  # half a character is no JSON in UTF-8
        return
    shown = escaped_json(text)
    assert is_plain(shown.decode())
    assert json.loads(shown) == value


@settings(deadline=None)
@given(st.binary())
def test_any_bytes_are_made_plain(text: bytes) -> None:
    """What is no JSON, and no UTF-8, does nothing to a terminal, either."""
    assert is_plain(escaped_json(text).decode("utf-8"))


def test_white_space_of_json_stays_white_space() -> None:
    """A carriage return between two tokens would send the cursor back; a space says the same."""
    shown = escaped_json(b'{"a":\r\n1,\t"b":\r"\xc2\x9b"}')
    assert b"\r" not in shown
    assert orjson.loads(shown) == {"a": 1, "b": "\x9b"}
