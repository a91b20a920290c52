"""Which ids the API refuses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antinode._protocol.ids import INVALID_IDS, is_good_id, is_invalid_id


@given(st.sampled_from(sorted(INVALID_IDS)), st.sampled_from(["", " ", "\t ", "\n"]))
def test_a_placeholder_is_known_in_any_case_and_padding(value: str, padding: str) -> None:
    """Case and spaces around a placeholder do not make it an id."""
    assert is_invalid_id(padding + value.upper() + padding)


@pytest.mark.parametrize(
    "value", ["nobody", "anonymous1", "null-0001", "00000000-0000-0000-0000-000000000001"]
)
def test_what_only_resembles_a_placeholder_is_an_id(value: str) -> None:
    """The whole value is compared, not its beginning."""
    assert not is_invalid_id(value)


def test_the_length_counts_code_points_before_trimming() -> None:
    """Five code points are enough, whatever they are, and spaces count."""
    assert is_good_id("😀😀😀😀😀")
    assert not is_good_id("😀😀😀😀")
    assert is_good_id("ab   ")


def test_the_minimum_can_be_set() -> None:
    """A request's own minimum replaces the default of five."""
    assert is_good_id("7", 1)
    assert not is_good_id("12345678", 10)
