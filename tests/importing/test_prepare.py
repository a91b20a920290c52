"""What is told of rows that become events: their times, and JSON that is nearly JSON."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from antinode._importing.chunks import Chunk
from antinode._importing.columns import Columns
from antinode._importing.prepare import Prepared, Preparer, Recipe

MAPPED = Columns(fields={"event_type": "what", "user_id": "who", "time": "at"})


def prepared(*rows: bytes, columns: Columns = MAPPED) -> Prepared:
    return Preparer(Recipe(columns, "", None, 1_000_000)).prepare(Chunk(1, list(rows)))


def events(made: Prepared) -> list[dict[str, Any]]:
    return [orjson.loads(each) for each in made.bodies]


@pytest.mark.parametrize(
    ("written", "milliseconds"), [("1971-06-01 12:00:00", 44_625_600_000), ("1955-01-01", -473_385_600_000)]
)
def test_times_before_2000_are_told_and_scaled_once(written: str, milliseconds: int) -> None:
    """Milliseconds that look like seconds are not taken for them."""
    made = prepared(b'{"what":"A","who":"user-1","at":"%b"}' % written.encode())
    assert events(made)[0]["time"] == milliseconds
    ((_, note),) = made.notes
    assert note.startswith(f"the event is dated {written[:10]}, before 2000")


def test_nan_is_null_and_told() -> None:
    """As Python and pandas write what JSON has no word for; the row keeps all else."""
    text = b'{"event_type":"A","user_id":"user-1","time":1700000000000,"event_properties":{"a":%b,"b":"NaN"}}'
    made = prepared(*(text % each for each in (b"NaN", b"-Infinity", b"1")), columns=Columns())
    assert [each["event_properties"] for each in events(made)] == [
        {"a": None, "b": "NaN"},
        {"a": None, "b": "NaN"},
        {"a": 1, "b": "NaN"},
    ]
    assert [position for position, note in made.notes if "NaN" in note] == [0, 1]


def test_half_a_character_is_replaced_and_told() -> None:
    """As JavaScript leaves it where it cuts text."""
    text = (
        b'{"event_type":"A","user_id":"user-1","time":1700000000000,"event_properties":{"a":"cut \\ud83d"}}'
    )
    made = prepared(text, columns=Columns())
    assert events(made)[0]["event_properties"] == {"a": "cut \ufffd"}
    assert "half of a character" in made.notes[0][1]


def test_rows_that_are_left_out_are_neither_events_nor_refused() -> None:
    """A condition leaves them out in silence, a call that no event stands for with the reason."""
    rows = (b'{"what":"A","who":"user-1","at":1700000000,"n":1}', b'{"what":"A","who":"user-1","at":1,"n":2}')
    made = prepared(*rows, columns=Columns(fields=MAPPED.fields, where=("n=1",)))
    assert (made.positions, made.left_out, made.refused, made.notes) == ([0], [1], [], [])
    made = prepared(b'{"type":"alias","userId":"user-1","messageId":"m"}', columns=Columns())
    assert made.left_out == [0]
    assert "alias" in made.notes[0][1]
    assert made.unmatched == []
