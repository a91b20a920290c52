"""The look at the first rows: what stops an import before anything is sent, and what does not."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from antinode._importing.columns import Columns
from antinode._importing.errors import Unclear
from antinode._importing.mapper import UNDATED
from antinode.server import Running, running
from tests.importing.runs import look, run, song, write_lines

MAPPED = {"event_type": "event", "user_id": "user", "time": "at"}
TABLE = "event,user,at,order_id,shop,song\nOrder,user-20391,2024-05-01 10:00:00,o-1,s1,Blue\n"


@pytest.fixture
def server() -> Any:
    with running() as server:
        yield server


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (
            {"fields": {**MAPPED, "insert_id": "orderid"}},
            ["no column orderid, which --insert-id orderid names: is it order_id?"],
        ),
        ({"fields": {**MAPPED, "platform": "device"}}, ["--field platform=device"]),
        ({"fields": MAPPED, "groups": {"shop": "shop_id"}}, ["--group shop=shop_id", "is it shop?"]),
        ({"fields": MAPPED, "properties": ("title=song_name",)}, ["--properties title=song_name"]),
        ({"fields": MAPPED, "where": ("kind=x",)}, ["--where kind=x"]),
        ({"fields": {**MAPPED, "event_type": "Event", "time": "When"}}, ["is it event?", "--time When"]),
    ],
)
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_column_that_is_nowhere_stops_before_anything_is_sent(
    server: Running, tmp_path: Path, form: str, columns: dict[str, Any], words: list[str]
) -> None:
    """With the nearest name and all names; it goes on if that is allowed, and tells it at the end."""
    path = tmp_path / f"a.{form}"
    head, cells = (line.split(",") for line in TABLE.splitlines())
    path.write_text(TABLE if form == "csv" else json.dumps(dict(zip(head, cells, strict=True))) + "\n")
    with pytest.raises(Unclear) as caught:
        run([path], tmp_path, server.url, columns=Columns(**columns))
    for each in [*words, "event, user, at, order_id, shop, song", "--allow-missing"]:
        assert each in str(caught.value)
    assert server.api.uploads() == []
    assert not (tmp_path / "checkpoint").exists()
    allowed = look([path], tmp_path, columns=Columns(**columns), allows_missing=True)
    assert allowed.remarks


def test_a_key_that_is_in_some_rows_is_there(tmp_path: Path) -> None:
    """JSON need not have every key in every row, nor in every file; a table has its header."""
    columns = Columns(fields={**MAPPED, "insert_id": "id"})
    rows = [{"event": "A", "user": "user-1", "at": 1_700_000_000}] * 1500
    write_lines(tmp_path / "a.jsonl", [*rows, {**rows[0], "id": "x"}])
    write_lines(tmp_path / "b.jsonl", rows[:2])
    survey = look([tmp_path / "a.jsonl", tmp_path / "b.jsonl"], tmp_path, columns=columns)
    assert survey.good == 1503
    assert survey.remarks == ()
    (tmp_path / "c.csv").write_text("event,user,at\nA,user-1,1700000000\n")
    with pytest.raises(Unclear, match=r"c\.csv has no column id"):
        look([tmp_path / "a.jsonl", tmp_path / "c.csv"], tmp_path, columns=columns)


@pytest.mark.parametrize(
    ("name", "text", "options"),
    [
        ("shop.csv", TABLE, "--event-type event --user-id user --time at --properties '*'"),
        (
            "mixpanel.jsonl",
            '{"event":"A","properties":{"time":1700000000,"distinct_id":"user-1","$insert_id":"x","plan":"pro"}}',
            "--event-type event --user-id properties.distinct_id --time properties.time "
            "--insert-id 'properties.$insert_id' --properties 'properties.*'",
        ),
        (
            "posthog.jsonl",
            '{"uuid":"x","event":"A","distinct_id":"user-1","timestamp":"2024-05-01","properties":"{\\"a\\":1}"}',
            "--event-type event --user-id distinct_id --time timestamp --insert-id uuid "
            "--properties 'properties.*'",
        ),
        (
            "ga4.json",
            '{"event_name":"A","event_timestamp":"1714557600123456","user_pseudo_id":"1.2",'
            '"event_params":[{"key":"a","value":{"int_value":"1"}}],"user_properties":[{"key":"b","value":{}}]}',
            "--event-type event_name --device-id user_pseudo_id --time event_timestamp "
            "--properties 'event_params.*' --user-properties 'user_properties.*'",
        ),
        ("odd.csv", "x,y\n1,2\n", "--event-type COLUMN --user-id COLUMN --time COLUMN --properties '*'"),
    ],
)
def test_rows_that_do_not_say_what_they_are(tmp_path: Path, name: str, text: str, options: str) -> None:
    """The answer has their columns, and the options that would fit."""
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(Unclear) as caught:
        look([path], tmp_path)
    assert f"{options} --dry-run" in str(caught.value)
    assert "Columns: " in str(caught.value)


def test_a_file_without_any_time_is_asked_about(server: Running, tmp_path: Path) -> None:
    """One row with a time is enough; `now` is an answer."""
    undated = [{"event_type": "A", "user_id": "user-1", "timestamp": "2024-05-01"}] * 3
    write_lines(tmp_path / "a.jsonl", undated)
    with pytest.raises(Unclear, match=r"no row has a time.*Write --time timestamp, or --time now"):
        run([tmp_path / "a.jsonl"], tmp_path, server.url)
    assert server.api.uploads() == []
    assert look([tmp_path / "a.jsonl"], tmp_path, columns=Columns(undated="now")).good == 3
    dated = look([tmp_path / "a.jsonl"], tmp_path, columns=Columns(fields={"time": "timestamp"}))
    assert dated.samples[0][2]["time"] == 1_714_521_600_000
    write_lines(tmp_path / "b.jsonl", [*undated * 500, song(1)])
    survey = look([tmp_path / "b.jsonl"], tmp_path)
    counts = {note.message: note.count for note in survey.notes.most_frequent()}
    assert counts[UNDATED] == 1500
    with pytest.raises(Unclear, match=r"a\.jsonl: no row has a time"):
        look([tmp_path / "b.jsonl", tmp_path / "a.jsonl"], tmp_path)
    columns = Columns(fields={"event_type": "event_type", "user_id": "user_id"})
    with pytest.raises(Unclear, match="no row has a time"):
        look([tmp_path / "a.jsonl"], tmp_path, columns=columns)


def test_what_is_refused_anyway_is_not_asked_about(tmp_path: Path) -> None:
    """Times that are none, rows that are none: they are told with their reasons."""
    path = write_lines(tmp_path / "a.jsonl", [{"event_type": "A", "user_id": "user-1", "time": "soon"}])
    assert look([path], tmp_path).findings.count == 1
    path.write_text("nonsense\n")
    assert look([path], tmp_path, format="jsonl").findings.count == 1
    path.write_text("")
    assert look([path], tmp_path).rows == 0
    write_lines(path, [{"event_type": "$identify", "user_id": "user-1", "user_properties": {"a": 1}}])
    assert look([path], tmp_path).good == 1


def test_packed_files_are_looked_at_too(tmp_path: Path) -> None:
    """And read from their beginning afterwards."""
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b"".join(json.dumps(song(n)).encode() + b"\n" for n in range(3000))))
    assert look([path], tmp_path).good == 3000


def test_the_look_has_an_end(tmp_path: Path) -> None:
    """However many lines hold nothing, and whatever else is missed."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"event":"A","user":"user-1","at":1700000000}\n' + b"\n" * 300_000 + b'{"id":1}\n')
    columns = Columns(fields={**MAPPED, "insert_id": "id"})
    with pytest.raises(Unclear, match="no column id"):
        look([path], tmp_path, columns=columns)


def test_the_last_of_many_files_is_looked_at_too(server: Running, tmp_path: Path) -> None:
    """However many there are, one without any time stops the import before a row of another is sent."""
    (tmp_path / "many").mkdir()
    for number in range(130):
        write_lines(tmp_path / "many" / f"{number:03}.jsonl", [song(number)])
    undated = {key: value for key, value in song(1).items() if key != "time"}
    write_lines(tmp_path / "many" / "zzz.jsonl", [undated] * 3)
    with pytest.raises(Unclear, match=r"zzz\.jsonl: no row has a time"):
        run([tmp_path / "many"], tmp_path, server.url)
    assert server.api.uploads() == []
