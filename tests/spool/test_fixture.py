"""Every version of antinode reads what earlier ones have written."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from antinode._spool.inspection import inspect
from tests.spool.files import drain, opened, segments

FIXTURES = Path(__file__).parent / "fixtures"
VERSIONS = sorted(path.stem for path in FIXTURES.glob("*.json"))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_stored_segment_is_read(version: str, tmp_path: Path) -> None:
    """Bodies, times, fates, the fingerprint, and what a flipped bit has cost: all as when it was written."""
    told = json.loads((FIXTURES / f"{version}.json").read_text())
    shutil.copytree(FIXTURES / version, tmp_path / "spool")
    (segment,) = segments(tmp_path / "spool")
    assert [
        {"nth": record.nth, "code": record.code, "logged": record.logged, "body": record.body.decode()}
        for record in inspect.records(str(segment))
    ] == told["records"]
    (summary,) = inspect.survey(str(tmp_path / "spool"))
    assert (summary.fingerprint.hex(), summary.damaged_records) == (
        told["fingerprint"],
        told["damaged_records"],
    )

    spool = opened(
        tmp_path / "spool",
        fingerprint=bytes.fromhex(told["fingerprint"]),
        wall=lambda: told["wall"],
        clock=lambda: 1000.0,
    )
    assert spool.adopt() == 1
    pending = [record for record in told["records"] if record["code"] == 0]
    assert [(record.body.decode(), record.logged_at) for record in drain(spool)] == [
        (record["body"], 1000.0 - (told["wall"] - record["logged"])) for record in pending
    ]
    spool.close()


def test_there_is_a_fixture_of_this_version() -> None:
    """A change of the format brings its fixture along."""
    from antinode._spool.format import VERSION

    assert f"v{VERSION}" in VERSIONS
