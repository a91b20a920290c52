"""insert_ids that are made of rows."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from antinode._importing.identity import insert_ids

rows = st.tuples(st.text(max_size=5), st.integers(1, 10**9), st.text(max_size=5), st.binary(max_size=20))


def test_ids_stay_what_they_are() -> None:
    """What a row's id is must never change: an import is repeated with a later version."""
    assert insert_ids()(1, "Play", b'{"a": 1}') == "d2672d88fd4fe41445bf3f0dc71dbb0e"


@given(rows, rows)
def test_ids_differ_where_rows_do(
    one: tuple[str, int, str, bytes], other: tuple[str, int, str, bytes]
) -> None:
    """Two ids are equal exactly if namespace, number, event type and text are."""
    ids = [insert_ids(namespace)(number, kind, text) for namespace, number, kind, text in (one, other)]
    assert (ids[0] == ids[1]) == (one == other)
