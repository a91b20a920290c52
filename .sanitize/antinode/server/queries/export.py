"""The Export API's archive: a ZIP of gzipped JSON lines, one entry an hour (reference, 18.1 and 18.2)."""

from __future__ import annotations

import gzip
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, timezone
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import orjson

from antinode._protocol import exact
from antinode.server.ingest.requests import IngestResponse
from antinode.server.rules import KNOWN_API_KEY, KNOWN_SECRET, ApiKey, Rules

CONTENT_TYPE: Final = "application/zip"

_HOUR: Final = timedelta(hours=1)
_LONGEST: Final = timedelta(days=365)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_HOUR_MS: Final = 3_600_000


def is_known(api_key: str, rules: Rules) -> bool:
    """Whether a key is taken at all."""
    if not api_key or not rules.api_keys:
        return bool(api_key)
    return any(api_key == (known.key if isinstance(known, ApiKey) else known) for known in rules.api_keys)


def is_allowed(api_key: str, secret: str, rules: Rules) -> bool:
    """Whether these credentials open the export.

    Any do as long as the rules name no keys; else the key has to be one of them, with its secret.
    """
    if not api_key:
        return False
    if not rules.api_keys:
        return True
    for known in rules.api_keys:
        key, needed = (known.key, known.secret) if isinstance(known, ApiKey) else (known, None)
        if key == api_key:
            if needed is None and key == KNOWN_API_KEY:
                needed = KNOWN_SECRET
            return needed is None or needed == secret
    return False


def hours(start: str, end: str) -> tuple[int, int] | IngestResponse:
    """From when until when (exclusive), in milliseconds, both hours included; 400 if they cannot be read."""
    moments = []
    for name, text in (("start", start), ("end", end)):
        moment = _hour(text)
        if moment is None:
            return refusal(400, f"{name} is {text[:40]!r}: write an hour such as 20261104T18, in UTC")
        moments.append(moment)
    first, last = moments
    if last < first:
        return refusal(400, f"end ({end}) is before start ({start})")
    if last + _HOUR - first > _LONGEST:
        return refusal(400, "start and end are more than 365 days apart: ask for less at a time")
    return _ms(first), _ms(last) + _HOUR_MS


def _hour(text: str) -> datetime | None:
    if len(text) != 11 or not text.isascii():
        return None
    try:
        return datetime.strptime(text, "%Y%m%dT%H").replace(tzinfo=timezone.utc)
    except ValueError:
        return None


def _ms(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def refusal(status: int, error: str) -> IngestResponse:
    return IngestResponse(status=status, body=orjson.dumps({"code": status, "error": error}))


def archive(
    rows: Iterable[tuple[int, dict[str, Any]]],
    project_id: int,
    *,
    folder: Callable[[], str] = tempfile.gettempdir,
) -> Path | None:
    """Write `rows`, which come with the time of their receipt and in its order, to a temporary file.

    The caller deletes it. None if there are no rows. Takes the memory of one row, however many there are.
    """
    with tempfile.NamedTemporaryFile(
        prefix="antinode-export-", suffix=".zip", dir=folder(), delete=False
    ) as file:
        path = Path(file.name)
        try:
            is_empty = True
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as whole:
                for hour, rows_of_hour in groupby(rows, key=lambda each: each[0] // _HOUR_MS):
                    is_empty = False
                    begin = _EPOCH + timedelta(hours=hour)
                    name = f"{project_id}/{project_id}_{begin:%Y-%m-%d}_{begin.hour}#1.json.gz"
                    # Dated by its hour, so that the same data makes the same archive; ZIP begins in 1980.
                    dated = max(begin, datetime(1980, 1, 1, tzinfo=timezone.utc)).timetuple()[:6]
                    entry = zipfile.ZipInfo(name, date_time=dated)
                    with (
                        whole.open(entry, "w", force_zip64=True) as raw,
                        gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, compresslevel=1) as packed,
                    ):
                        for _, row in rows_of_hour:
                            packed.write(exact.dumps(row) + b"\n")
        except BaseException:
            path.unlink(missing_ok=True)
            raise
    if is_empty:
        path.unlink()
        return None
    return path
