"""The Export API's archive, and who may have it."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from antinode.server.engine import Amplitude
from antinode.server.ingest.requests import IngestResponse
from antinode.server.queries.export import archive
from antinode.server.rules import KNOWN_API_KEY, KNOWN_SECRET, ApiKey, Rules
from tests.server.ingesting import AT_MS, event, fixed, identify, send

HOUR = "20261104T18"


def opened(found: Path | IngestResponse) -> dict[str, list[dict[str, Any]]]:
    """The rows of an archive by its entries' names; the file is gone afterwards."""
    assert isinstance(found, Path)
    body = found.read_bytes()
    found.unlink()
    with zipfile.ZipFile(io.BytesIO(body)) as whole:
        assert whole.testzip() is None
        return {
            name: [json.loads(line) for line in gzip.decompress(whole.read(name)).splitlines()]
            for name in whole.namelist()
        }


def status(found: Path | IngestResponse) -> int:
    assert isinstance(found, IngestResponse)
    return found.status


def test_an_archive_has_a_gzipped_entry_an_hour() -> None:
    """By the time of receipt, oldest first, ordinary events only, of the project of the key."""
    clock = fixed()
    with Amplitude(clock=clock) as amplitude:
        send(amplitude, event(1), identify(2, {"plan": "pro"}), event(3))
        send(amplitude, event(9), api_key="1" * 32)
        send(amplitude, event(1), event(4, time="bad"))
        clock.advance(3_600_000)
        send(amplitude, event(5))
        clock.advance(3_600_000)
        send(amplitude, event(6))
        found = opened(amplitude.export(KNOWN_API_KEY, "any", HOUR, "20261104T19"))
    assert list(found) == ["300001/300001_2026-11-04_18#1.json.gz", "300001/300001_2026-11-04_19#1.json.gz"]
    ids = [[row["$insert_id"] for row in rows] for rows in found.values()]
    assert ids == [["insert-1", "insert-3"], ["insert-5"]]
    properties = [row["user_properties"] for rows in found.values() for row in rows]
    assert properties == [{}, {"plan": "pro"}, {"plan": "pro"}]


def test_hours_without_a_leading_zero() -> None:
    """The hour in an entry's name is a plain number."""
    with Amplitude(clock=fixed(AT_MS - 14 * 3_600_000)) as amplitude:
        send(amplitude, event(1))
        found = opened(amplitude.export(KNOWN_API_KEY, "any", "20261104T00", "20261104T23"))
    assert list(found) == ["300001/300001_2026-11-04_4#1.json.gz"]


def test_groups_are_exported_as_they_stood() -> None:
    """A row has the group's properties of its moment."""
    with Amplitude(clock=fixed()) as amplitude:
        describe = {"event_type": "$groupidentify", "groups": {"org": "15"}}
        send(amplitude, event(1, groups={"org": "15"}))
        send(
            amplitude,
            {**describe, "group_properties": {"tier": "gold"}},
            event(2, groups={"org": ["15", "16"]}),
        )
        send(amplitude, {**describe, "group_properties": {"tier": "lead"}})
        (rows,) = opened(amplitude.export(KNOWN_API_KEY, "any", HOUR, HOUR)).values()
    assert [row["group_properties"] for row in rows] == [{}, {"org": {"15": {"tier": "gold"}}}]


def test_who_may_export() -> None:
    """Anyone while no keys are named; then the keys that are named, with the secret they have."""
    with Amplitude(clock=fixed()) as amplitude:
        send(amplitude, event(1))
        assert status(amplitude.export("", "", HOUR, HOUR)) == 401
        assert status(amplitude.export("x" * 32, "", HOUR, HOUR)) == 404
        opened(amplitude.export(KNOWN_API_KEY, "", HOUR, HOUR))
        own = ApiKey(key="2" * 32, secret="s", project_id=7)
        amplitude.rules = Rules(api_keys=(KNOWN_API_KEY, "1" * 32, own))
        opened(amplitude.export(KNOWN_API_KEY, KNOWN_SECRET, HOUR, HOUR))
        assert status(amplitude.export(KNOWN_API_KEY, "any", HOUR, HOUR)) == 401
        assert status(amplitude.export("3" * 32, "any", HOUR, HOUR)) == 401
        assert status(amplitude.export("2" * 32, "any", HOUR, HOUR)) == 401
        assert status(amplitude.export("1" * 32, "any", HOUR, HOUR)) == 404
        send(amplitude, event(1), api_key="2" * 32)
        assert list(opened(amplitude.export("2" * 32, "s", HOUR, HOUR))) == ["7/7_2026-11-04_18#1.json.gz"]


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("", ""),
        (HOUR, ""),
        ("2026-11-04T18", HOUR),
        ("20261104T24", HOUR),
        ("20261304T18", HOUR),
        ("٢0261104T18", HOUR),
        (HOUR, "20261104T17"),
        ("20251104T18", HOUR),
    ],
)
def test_hours_that_cannot_be_read(start: str, end: str) -> None:
    """Both are needed, in order, at most 365 days apart; the answer says which is wrong."""
    with Amplitude(clock=fixed()) as amplitude:
        found = amplitude.export(KNOWN_API_KEY, "any", start, end)
    assert isinstance(found, IngestResponse)
    assert found.status == 400
    assert b"start" in found.body or b"end" in found.body


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    """Without rows, or when they fail, there is no file."""

    def failing() -> Any:
        yield AT_MS, {"a": 1}
        raise RuntimeError("broken")

    assert archive([], 1, folder=lambda: str(tmp_path)) is None
    with pytest.raises(RuntimeError, match="broken"):
        archive(failing(), 1, folder=lambda: str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_the_same_data_makes_the_same_archive(tmp_path: Path) -> None:
    """Byte for byte: nothing in it depends on when it was made."""
    rows = [(AT_MS, {"a": 1}), (AT_MS + 3_600_000, {"a": 2}), (-(10**13), {"a": 3})]
    one, two = (archive(rows, 1, folder=lambda: str(tmp_path)) for _ in range(2))
    assert one is not None
    assert two is not None
    assert one.read_bytes() == two.read_bytes()
