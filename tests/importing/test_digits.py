"""Ids with more digits than a float holds keep them, or are refused when they have lost them already."""

from __future__ import annotations

import decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antinode._importing.chunks import Chunk
from antinode._importing.columns import Columns
from antinode._importing.prepare import Prepared, Preparer, Recipe
from antinode._importing.readers.detect import SourceReading
from antinode._importing.sources import find_sources

WORDS = Columns()
MAPPED = Columns(
    fields={"event_type": "what", "user_id": "who", "insert_id": "id", "time": "at"},
    groups={"org": "org"},
    properties=("tx",),
)
LONG = st.integers(2**53, 10**40)


def prepared(rows: list[bytes], columns: Columns = WORDS, *, has_cells: bool = False) -> Prepared:
    return Preparer(Recipe(columns, "", None, 1_000_000)).prepare(Chunk(1, rows, has_cells=has_cells))


def bodies(made: Prepared) -> list[dict[str, Any]]:
    assert made.refused == []
    return [orjson.loads(each) for each in made.bodies]


@given(LONG, LONG, LONG, LONG)
def test_whole_numbers_keep_their_digits(user: int, insert: int, org: int, tx: int) -> None:
    """As ids, group names and properties, in Amplitude's words and mapped, in JSON and in tables."""
    words = (
        b'{"event_type":"A","user_id":%d,"insert_id":%d,"time":1700000000000,"event_properties":{"tx":%d}}'
    )
    (event,) = bodies(prepared([words % (user, insert, tx)]))
    assert (event["user_id"], event["insert_id"]) == (str(user), str(insert))
    assert int(event["event_properties"]["tx"]) == tx
    row = b'{"what":"A","who":%d,"id":%d,"org":%d,"tx":%d,"at":1700000000000}' % (user, insert, org, tx)
    (event,) = bodies(prepared([row], MAPPED))
    assert (event["user_id"], event["insert_id"]) == (str(user), str(insert))
    assert event["groups"] == {"org": str(org)}
    assert int(event["event_properties"]["tx"]) == tx
    row = b'{"what":"A","who":"%d","id":"%d","org":"%d","at":"1700000000000"}' % (user, insert, org)
    (event,) = bodies(prepared([row], MAPPED, has_cells=True))
    assert (event["user_id"], event["insert_id"], event["groups"]["org"]) == (
        str(user),
        str(insert),
        str(org),
    )


@pytest.mark.parametrize("lost", [b"1.8446744073709552e+19", b"1.8446744073709552e19", b"9007199254740992.0"])
@pytest.mark.parametrize("column", [b"who", b"id", b"org"])
def test_a_number_that_has_lost_digits_is_refused(lost: bytes, column: bytes) -> None:
    """With the name of its column, so that two users do not become one."""
    row = b'{"what":"A","at":1700000000000,"who":"user-1","id":"x","%b":%b}' % (column, lost)
    ((position, reason),) = prepared([row], MAPPED).refused
    assert position == 0
    assert f"`{column.decode()}` " in reason
    assert "lost digits" in reason
    key = {b"who": b"user_id", b"id": b"insert_id"}.get(column)
    if key:
        row = b'{"event_type":"A","time":1700000000000,"user_id":"user-1","%b":%b}' % (key, lost)
        assert "lost digits" in prepared([row]).refused[0][1]


@pytest.mark.parametrize("cell", ["1.84467E+19", "1.8446744073709552e+19", "18446744073709551617.0"])
def test_a_cell_that_a_spreadsheet_has_shortened_is_refused(cell: str) -> None:
    """As an id; a hash of digits and an e is none of these."""
    row = {"what": "A", "who": cell, "at": "1700000000000"}
    ((_, reason),) = prepared([orjson.dumps(row)], MAPPED, has_cells=True).refused
    assert "lost digits" in reason
    (event,) = bodies(prepared([orjson.dumps({**row, "who": "1234e567"})], MAPPED, has_cells=True))
    assert event["user_id"] == "1234e567"


def test_an_id_that_pandas_made_a_float_is_the_number() -> None:
    """A column of ids with gaps is one of floats, in a table as in memory."""
    row = {"what": "A", "who": "20391.0", "at": "1700000000000"}
    assert bodies(prepared([orjson.dumps(row)], MAPPED, has_cells=True))[0]["user_id"] == "20391"
    row = {"what": "A", "who": 20391.0, "at": 1700000000000}
    assert bodies(prepared([orjson.dumps(row)], MAPPED))[0]["user_id"] == "20391"


def test_decimals_of_parquet_keep_their_digits(tmp_path: Path) -> None:
    """As a number where that has them all, as whole digits, or as text."""
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    digits = ["18446744073709551617", "18446744073709551618", "20391"]
    table = pyarrow.table(
        {
            "who": pyarrow.array(map(decimal.Decimal, digits), pyarrow.decimal128(38, 0)),
            "sum": pyarrow.array(
                map(decimal.Decimal, ["12345678901234567890.12", "0.10", "5.00"]), pyarrow.decimal128(38, 2)
            ),
            "what": ["A"] * 3,
        }
    )
    parquet.write_table(table, tmp_path / "a.parquet")
    (source,) = find_sources([str(tmp_path / "a.parquet")]).sources
    (chunk,) = SourceReading(source).chunks()
    columns = Columns(fields={"user_id": "who", "event_type": "what"}, properties=("sum",))
    events = bodies(prepared(chunk.texts, columns))
    assert [event["user_id"] for event in events] == digits
    assert [event["event_properties"]["sum"] for event in events] == ["12345678901234567890.12", 0.1, 5]
