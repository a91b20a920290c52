"""SHA-256, from wherever it is taken."""

from __future__ import annotations

import hashlib
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antinode import _digests


@given(data=st.binary(max_size=300))
def test_digests_are_those_of_hashlib(data: bytes) -> None:
    """An id made of a fact is the same in every version and on every interpreter."""
    assert _digests.sha256(data).hexdigest() == hashlib.sha256(data).hexdigest()


def test_an_interpreter_without_its_own_uses_hashlib(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where only OpenSSL's implementations were built."""
    for name in ("_sha2", "_sha256"):
        monkeypatch.setitem(sys.modules, name, None)
    assert _digests._find() is hashlib.sha256
