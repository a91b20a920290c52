"""How deep a JSON text is nested, whatever the interpreter could decode."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antinode._protocol.nesting import MAX_NESTING, is_deep
from antinode._protocol.values import depth

JSON = st.recursive(
    st.none() | st.booleans() | st.text(st.sampled_from('[]{}"\\a,')),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.sampled_from('[]{}"\\')), inner),
)


@pytest.mark.parametrize(("begin", "end"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_the_bound_is_exact(begin: bytes, end: bytes) -> None:
    """So many layers are fine, and one more is not."""
    for layers in (MAX_NESTING, MAX_NESTING + 1, 100_000):
        assert is_deep(begin * layers + b"1" + end * layers) == (layers > MAX_NESTING)


@given(JSON, st.integers(MAX_NESTING - 8, MAX_NESTING + 2))
def test_signs_within_texts_are_no_layers(value: object, layers: int) -> None:
    """Only the brackets of objects and arrays count."""
    text = b"[" * layers + json.dumps([value, "[{" * 300]).encode() + b"]" * layers
    assert is_deep(text) == (layers + 1 + depth(value) > MAX_NESTING)


@given(st.binary(max_size=2000))
def test_other_bytes_are_taken(text: bytes) -> None:
    """Nothing that is no JSON breaks it."""
    assert is_deep(text * 3) in (True, False)
