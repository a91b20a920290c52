"""Whatever raises for one record, wherever: it ends told, the others are delivered, and a flush is honest."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import antinode._deadletters
from antinode import Client, HttpResponse
from antinode._delivery.core import (
    backlog,
    batch,
    dispatcher,
    envelope,
    recovered,
    response_handler,
    settlement,
    spooled_queue,
)
from antinode._delivery.shell import exchange
from antinode._factory import fingerprint
from antinode._protocol import responses
from antinode._spool import DELIVERED, Spool, reading, recovering
from antinode._spool.inspection import inspect
from tests.memory import KEY, Memory
from tests.native.comparing import PYTHON
from tests.spool.files import LIMIT

GOOD, BAD = b'{"event_type":"good","user_id":"user-%d"}', b'{"event_type":"bad","user_id":"user-x"}'
COUNT = 7


class Fault(Exception):
    """Nobody has foreseen it."""


def concerns_bad(given: object) -> bool:
    """Whether the bad record is among what a function was given, however it lies there."""
    if isinstance(given, (bytes, memoryview)):
        return bytes(given) == BAD
    if hasattr(given, "body"):
        return bool(given.body == BAD)
    if isinstance(given, (list, tuple)):
        return any(concerns_bad(each) for each in given)
    return False


def failing(sound: Callable[..., Any]) -> Callable[..., Any]:
    def called(*arguments: Any, **named: Any) -> Any:
        if any(concerns_bad(each) for each in [*arguments, *named.values()]):
            raise Fault
        return sound(*arguments, **named)

    return called


class Judging(Memory):
    """Answers in the way of the test's choice, until it accepts everything."""

    def __init__(self, *answers: HttpResponse) -> None:
        super().__init__()
        self.answers = list(answers)
        self.given = answers[0] if answers else None

    def send(self, request: Any) -> HttpResponse:
        if self.answers:
            return self.answers.pop(0)
        return super().send(request)


REFUSED = HttpResponse(400, {}, b'{"code":400,"error":"bad","events_with_invalid_fields":{"time":[0]}}')
THROTTLED = HttpResponse(
    429,
    {},
    b'{"code":429,"error":"slow","eps_threshold":9,"throttled_users":{"user-1":20},"throttled_events":[1]}',
)
UNWELL = HttpResponse(503, {}, b"{}")
TOO_LARGE = HttpResponse(413, {}, b"{}")

POINTS: list[tuple[object, str]] = [
    (recovered, "plain_records"),
    (recovered, "ids_of"),
    (recovered, "is_event"),
    (recovered, "SpooledRecord"),
    (spooled_queue.SpooledQueue, "_recover"),
    (recovering, "Recovered"),
    (backlog, "ids_of"),
    (backlog.Backlog, "keys_of"),
    (batch, "fitting"),
    (dispatcher, "streams_of"),
    (envelope, "join"),
    (exchange, "ids_of"),
    (response_handler, "ids_of"),
    (response_handler, "most_attempts"),
    (settlement, "total_size"),
    (settlement, "deliver"),
    (settlement.Settlement, "settle"),
    (antinode._deadletters, "encode"),
]


SERVERS: dict[str, tuple[list[HttpResponse], float | None]] = {
    "well": ([], None),
    "well, paced": ([], 1000.0),
    "bad": ([REFUSED], None),
    "throttled, paced": ([THROTTLED], 1000.0),
    "unwell": ([UNWELL], None),
    "too large": ([TOO_LARGE], None),
}


def leave(directory: Path) -> None:
    """What a dead process left: good records, with a bad one in their midst."""
    spool = Spool(directory, max_bytes=LIMIT, fingerprint=fingerprint(KEY))
    spool.open()
    for number in range(COUNT):
        spool.append(BAD if number == COUNT // 2 else GOOD % number, time.monotonic(), direct=True)
    spool.close()


@pytest.mark.parametrize("answers", SERVERS)
@pytest.mark.parametrize(("place", "name"), POINTS, ids=lambda value: getattr(value, "__name__", value))
def test_an_exception_for_one_record_costs_no_other(
    tmp_path: Path,
    place: object,
    name: str,
    answers: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """In each function that a record passes from the spool to its outcome, whatever is answered."""
    leave(tmp_path / "spool")
    monkeypatch.setattr(responses, "ID_HOLD_SECONDS", 0.1)
    if place is recovered and name != "plain_records":
        # Only where the Python code looks.
        monkeypatch.setattr(recovered, "plain_records", PYTHON["plain_records"])
    monkeypatch.setattr(place, name, failing(getattr(place, name)))
    given, pace = SERVERS[answers]
    server = Judging(*given)
    letters = tmp_path / "dead.jsonl"
    ends: list[tuple[bytes, str]] = []
    client = Client().init(
        KEY,
        transport=server,
        storage=tmp_path / "spool",
        dead_letters=letters,
        pace=pace,
        on_outcome=lambda each: ends.append((each.body, each.outcome.kind)) if each.outcome else None,
    )
    try:
        report = client.flush(120)
        stats = client.stats()
    finally:
        client.shutdown()
    assert report.complete
    assert stats.balanced
    assert stats.pending == 0
    undelivered = sum(stats.dropped.values()) + sum(stats.rejected.values())
    if name == "Recovered":
        # It never got out of the spool: set aside there, as what is damaged.
        assert len(list((tmp_path / "spool" / "damaged").glob("*.bin"))) == 1
        ends.append((BAD, "damaged"))
    assert len(ends) == COUNT, "each is told of once"
    good = [kind for body, kind in ends if body not in (BAD, b"")]
    refused = sum(stats.rejected.values())
    assert good.count("delivered") >= COUNT - 1 - refused
    assert refused <= (1 if server.given is REFUSED else 0)
    assert undelivered <= 1 + refused
    assert len(letters.read_bytes().splitlines() if letters.exists() else []) == undelivered
    assert not any("coordinator failed" in record.getMessage() for record in caplog.records)
    assert inspect.survey(str(tmp_path / "spool")) == [], "none of it comes again"


@pytest.mark.parametrize("is_mapped", [True, False])
def test_an_end_that_cannot_be_written_down_keeps_no_other_from_it(
    tmp_path: Path, is_mapped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One event may come again after a restart; the others do not."""
    leave(tmp_path)
    acknowledge = Spool.acknowledge

    def refusing(self: Spool, places: list[int], code: int) -> None:
        if any(place & 0xFF == 2 for place in places):
            raise Fault
        acknowledge(self, places, code)

    monkeypatch.setattr(Spool, "acknowledge", refusing)
    client = Client().init(KEY, transport=Memory(), storage=tmp_path)
    assert client.flush(120).complete
    client.shutdown()
    assert [each.pending for each in inspect.survey(str(tmp_path))] == [1]


@pytest.mark.parametrize("place", [reading.AdoptedReader, reading.OwnReader])
def test_a_file_that_cannot_be_scanned_is_set_aside_whole(
    tmp_path: Path, place: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After three tries; what lies in others is delivered, and nothing is deleted."""
    leave(tmp_path / "spool")
    leave(tmp_path / "spool")
    now = 0.0
    spool = Spool(tmp_path / "spool", max_bytes=LIMIT, fingerprint=fingerprint(KEY), clock=lambda: now)
    spool.open()
    spool.adopt()
    spool.append(b"own", 0.0, direct=False)
    sound, broken = place._next_stretch, []

    def next_stretch(self: object, *arguments: object) -> object:
        broken[:] = broken or [self.segment]  # type: ignore[attr-defined]
        if self.segment is broken[0]:  # type: ignore[attr-defined]
            raise Fault
        return sound(self, *arguments)

    monkeypatch.setattr(place, "_next_stretch", next_stretch)
    given: list[bytes] = []
    for _ in range(20):
        now += 60
        batch = spool.read(100, 1 << 20)
        given += [record.body for record in batch]
        spool.acknowledge([record.place for record in batch], DELIVERED)
        spool.prepare()
    assert not spool.has_unread
    assert len(given) == COUNT + 1 if place is reading.AdoptedReader else 2 * COUNT
    assert any("Fault" in str(each) for each in spool.take_refusals())
    spool.close()
    assert len(list((tmp_path / "spool" / "damaged").glob("*"))) > 0
