"""Rows judged by the rules that the local Amplitude answers by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

import msgspec
import orjson

from antinode._protocol import exact
from antinode._protocol.endpoints import Endpoint
from antinode._protocol.values import depth
from antinode.server.ingest.apis import IngestApi
from antinode.server.ingest.form_events import no_object
from antinode.server.ingest.parsing import RequestReading
from antinode.server.ingest.validation import find_problems
from antinode.server.models import Problem
from antinode.server.rules import Rules

_AT_A_TIME: Final = 1_000
_UNREADABLE_DEPTH: Final = 200
"""Layers that no encoder writes, and no server reads."""
# Bytes of JSON that are judged together; decoded, they take many times that.
_BYTES_AT_A_TIME: Final = 1024 * 1024
_RULES: Final = Rules()
_ENVELOPE_BYTES: Final = 100
"""Of a request that holds one event: its brackets, the API key, and what is between them."""


class Row(NamedTuple):
    """One row of a file."""

    number: int
    """As a person counts them, from 1."""
    event: Any
    """What it says, in JSON values; not yet looked at."""
    objection: str | None = None
    """Why it says nothing that can be read; `event` is None then."""
    size: int = 0
    """Bytes of its text."""


class Judged(NamedTuple):
    """A row, and what is wrong with it."""

    number: int
    insert_id: str | None
    problems: list[Problem]


def judge(rows: Iterable[Row], *, min_id_length: int, endpoint: Endpoint) -> Iterator[list[Judged]]:
    """The rows in batches, each row with its problems; none for most."""
    batch: list[Row] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += row.size
        if len(batch) >= _AT_A_TIME or size >= _BYTES_AT_A_TIME:
            yield _judge_batch(batch, min_id_length, endpoint)
            batch, size = [], 0
    if batch:
        yield _judge_batch(batch, min_id_length, endpoint)


def _judge_batch(batch: list[Row], min_id_length: int, endpoint: Endpoint) -> list[Judged]:
    texts = [_text(row.event) for row in batch]
    events = [
        row.event if isinstance(row.event, dict) and text else {}
        for row, text in zip(batch, texts, strict=True)
    ]
    reading = RequestReading(
        api=IngestApi.BATCH if endpoint is Endpoint.BATCH else IngestApi.HTTP_V2,
        api_key="",
        events=events,
        texts=[msgspec.Raw(text) for text in texts],
        min_id_length=min_id_length,
        client_upload_time=None,
        body_size=0,
    )
    found = find_problems(reading, _RULES)
    judged = []
    for at, (row, text) in enumerate(zip(batch, texts, strict=True)):
        problems = found.get(at, [])
        if row.objection is not None:
            problems = [Problem("unreadable", "error", "event", row.objection)]
        elif not isinstance(row.event, dict):
            problems = [no_object(row.event)]
        elif not text:
            problems = [_TOO_DEEP]
        elif len(text) >= endpoint.body_limit - _ENVELOPE_BYTES:
            problems = [_too_large(len(text), endpoint), *problems]
        judged.append(Judged(row.number, _insert_id(row.event), problems))
    return judged


def _text(event: Any) -> bytes:
    try:
        return orjson.dumps(event)
    except TypeError:  # long digits, or too many layers
        is_too_deep = depth(event, stop_after=_UNREADABLE_DEPTH) >= _UNREADABLE_DEPTH
        return b"" if is_too_deep else exact.dumps(event)


_TOO_DEEP: Final = Problem(
    "nested_too_deep", "error", "event", "the event is nested more than 40 layers deep: flatten it"
)


def _too_large(size: int, endpoint: Endpoint) -> Problem:
    return Problem(
        "too_large",
        "error",
        "event",
        f"the event is {size:,} bytes of JSON, and a whole request on {endpoint.path} must stay under "
        f"{endpoint.body_limit:,}: write fewer or shorter properties",
    )


def _insert_id(event: Any) -> str | None:
    value = event.get("insert_id") if isinstance(event, dict) else None
    return value if isinstance(value, str) else None
