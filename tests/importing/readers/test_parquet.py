"""Parquet: every value as JSON has it, and only the columns that are used."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pytest

from antinode._importing.columns import Columns
from antinode._importing.readers.detect import SourceReading
from antinode._importing.sources import find_sources
from tests.importing.runs import look

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

NS = 1_700_000_000_123_456_789
YEAR_10000 = 253_402_300_800_000_000
LATE = "+10000-01-01T00:00:00"
COLUMNS = Columns(fields={"event_type": "event_type", "user_id": "user_id", "time": "time"})


def written(path: Path, columns: dict[str, Any], **more: Any) -> Path:
    parquet.write_table(pyarrow.table(columns), path, **more)
    return path


def values(path: Path, used: set[str] | None = None) -> list[dict[str, Any]]:
    (source,) = find_sources([str(path)]).sources
    reading = SourceReading(source, used=used)
    return [json.loads(text) for chunk in reading.chunks() for text in chunk.texts]


@pytest.mark.parametrize(
    ("value", "kind", "wanted"),
    [
        (NS, pyarrow.timestamp("ns"), "2023-11-14T22:13:20.123456"),
        (NS, pyarrow.timestamp("ns", "UTC"), "2023-11-14T22:13:20.123456+00:00"),
        (NS // 1000, pyarrow.timestamp("us", "Nowhere/Such"), "2023-11-14T22:13:20.123456+00:00"),
        (YEAR_10000, pyarrow.timestamp("us"), LATE),
        (-62_135_596_800_000_001, pyarrow.timestamp("us"), "+00000-12-31T23:59:59.999999"),
        (YEAR_10000 // 10**6, pyarrow.timestamp("s"), LATE),
        (2_932_897, pyarrow.date32(), "+10000-01-01"),
        (86_399_123_456_789, pyarrow.time64("ns"), "23:59:59.123456"),
        (5, pyarrow.duration("ns"), 0.0),
        (1_500_000_001, pyarrow.duration("ns"), 1.5),
        ([("a", 1), ("b", 2), ("a", 3)], pyarrow.map_(pyarrow.string(), pyarrow.int64()), {"a": 3, "b": 2}),
        (
            [(1, NS)],
            pyarrow.map_(pyarrow.int64(), pyarrow.timestamp("ns")),
            {"1": "2023-11-14T22:13:20.123456"},
        ),
        ([NS], pyarrow.list_(pyarrow.timestamp("ns")), ["2023-11-14T22:13:20.123456"]),
        ([YEAR_10000], pyarrow.list_(pyarrow.timestamp("us")), [LATE]),
        ({"at": YEAR_10000}, pyarrow.struct([("at", pyarrow.timestamp("us"))]), {"at": LATE}),
        ([("k", YEAR_10000)], pyarrow.map_(pyarrow.string(), pyarrow.timestamp("us")), {"k": LATE}),
        (2**64 - 1, pyarrow.uint64(), 2**64 - 1),
        (b"\xff", pyarrow.binary(), "/w=="),
        (float("nan"), pyarrow.float64(), None),
    ],
)
def test_each_value_is_one_of_json(tmp_path: Path, value: Any, kind: Any, wanted: Any) -> None:
    """Of nanoseconds the last digits are cut; what Python has no time for is text; none costs another row."""
    column = pyarrow.array([value, None], kind)
    path = written(tmp_path / "a.parquet", {"v": column, "n": [1, 2]})
    assert values(path) == [{"v": wanted, "n": 1}, {"v": None, "n": 2}]


def test_times_of_the_old_form_are_read_beyond_its_range(tmp_path: Path) -> None:
    """As Spark and Impala write them."""
    moments = [datetime.datetime(9999, 12, 31), datetime.datetime(2024, 5, 1, 10)]
    column = pyarrow.array(moments, pyarrow.timestamp("us"))
    path = written(tmp_path / "a.parquet", {"v": column}, use_deprecated_int96_timestamps=True)
    assert [row["v"] for row in values(path)] == ["9999-12-31T00:00:00", "2024-05-01T10:00:00"]


@pytest.mark.parametrize("name", ["time", "unused"])
def test_a_time_that_is_none_costs_its_row_at_most(tmp_path: Path, name: str) -> None:
    """And nothing where its column is not used."""
    columns = {
        "event_type": ["A"] * 3,
        "user_id": ["user-1"] * 3,
        "time": pyarrow.array([1_700_000_000_000_000] * 3, pyarrow.timestamp("us")),
        name: pyarrow.array([1_700_000_000_000_000, YEAR_10000, None], pyarrow.timestamp("us")),
    }
    survey = look([written(tmp_path / "a.parquet", columns)], tmp_path, columns=COLUMNS)
    assert survey.good == (1 if name == "time" else 3)
    assert survey.samples[0][2]["time"] == 1_700_000_000_000


def test_only_used_columns_are_read(tmp_path: Path) -> None:
    """Unless the whole row is needed: for its id, or for a pattern that takes whatever there is."""
    columns = {
        "event": ["A"],
        "user": ["user-1"],
        "id": ["x"],
        "p": [{"a": 1, "b": 2}],
        "large": ["…" * 1000],
    }
    path = written(tmp_path / "a.parquet", columns)
    fields = {"event_type": "event", "user_id": "user", "insert_id": "id"}
    for mapping, wanted in (
        (Columns(fields=fields, properties=("p.*",)), {"event", "user", "id", "p"}),
        (Columns(fields=fields, properties=("*",)), set(columns)),
        (Columns(fields={"event_type": "event", "user_id": "user"}), set(columns)),
        (Columns(), set(columns)),
    ):
        used = mapping.used()
        assert set(values(path, None if used is None else set(used))[0]) == wanted
    survey = look([path], tmp_path, columns=Columns(fields=fields, properties=("p.*",), undated="now"))
    assert survey.samples[0][2]["event_properties"] == {"a": 1, "b": 2}
