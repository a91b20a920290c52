"""A third endpoint is a value: its limits, frame and answers go all the way, and nothing else knows it."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Mapping
from typing import Any

from antinode import HttpResponse, Request
from antinode._delivery.core.config import CoreConfig
from antinode._delivery.core.core import Core
from antinode._delivery.core.envelope import Envelope
from antinode._delivery.messages import CompletedTransport
from antinode._delivery.record import Record
from antinode._delivery.shell.config import SenderConfig
from antinode._delivery.shell.exchange import UploadRoute
from antinode._delivery.shell.sender import Sender
from antinode._protocol.endpoints import Endpoint
from antinode._protocol.responses import Action, Verdict
from antinode._protocol.status import Status

KEY = "0123456789abcdef0123456789abcdef"


def framed(api_key: str, min_id_length: int | None) -> tuple[bytes, bytes]:
    return b'{"key":' + json.dumps(api_key).encode() + b',"rows":[', b"]}"


def judged(status: int, headers: Mapping[str, str], body: bytes, count: int, ids: Any) -> Verdict:
    """It says 299 for what it takes, and anything else for what it never will."""
    if status == 299:
        return Verdict(Action.DELIVERED, Status.SUCCESS, 299, "taken")
    return Verdict(Action.BISECT, Status.INVALID, status, "not taken")


PARCEL = Endpoint("/parcel", 200, 5.0, 50.0, events_per_request=3, frame=framed, judge=judged)
URL = "http://localhost/parcel"


def config() -> CoreConfig:
    envelope = Envelope(KEY, PARCEL)
    return CoreConfig(
        max_batch_events=PARCEL.events_per_request,
        max_batch_bytes=PARCEL.body_limit - 1 - envelope.size,
        endpoint=PARCEL,
    )


def body_of(number: int) -> bytes:
    return json.dumps({"user_id": f"user-{number}", "n": number}).encode()


def test_the_core_keeps_to_its_limits() -> None:
    """No upload has more events or bytes than the endpoint takes, and each says where it goes."""
    core = Core(config(), random=lambda: 0.0)
    for number in range(20):
        assert core.admit(Record(body_of(number), number, 0.0))
    now, sent = 0.0, 0
    while not core.is_idle:
        now += 1.0
        for upload in core.next_uploads(now):
            assert upload.endpoint is PARCEL
            assert len(upload.records) <= 3
            assert len(Envelope(KEY, PARCEL).wrap(upload.records)) < PARCEL.body_limit
            sent += len(upload.records)
            core.respond(upload.number, judged(299, {}, b"", len(upload.records), None), now)
    assert sent == core.ledger.delivered == 20


def test_a_sender_speaks_to_it() -> None:
    """Its URL, its frame and its answers, over the usual threads; what it never takes ends alone."""
    requests: list[Request] = []

    class Parcels:
        def send(self, request: Request) -> HttpResponse:
            requests.append(request)
            rows = json.loads(request.body)["rows"]
            return HttpResponse(451 if any(row["n"] == 7 for row in rows) else 299)

        def close(self) -> None:
            pass

    sender = Sender(
        SenderConfig(
            core=config(),
            routes={PARCEL: UploadRoute(URL, Envelope(KEY, PARCEL))},
            make_transport=lambda: CompletedTransport(Parcels()),
        ),
        clock=time.monotonic,
        random=random.random,
    )
    records = [Record(body_of(number), number, time.monotonic()) for number in range(10)]
    for record in records:
        sender.submit(record)
    report = sender.flush(120)
    sender.shutdown(5)
    assert (report.delivered, report.rejected) == (9, 1)
    assert [record.outcome.ok for record in records if record.outcome] == [n != 7 for n in range(10)]
    assert {request.url for request in requests} == {URL}
    assert all(json.loads(request.body)["key"] == KEY for request in requests)
    assert sender.host == "localhost"
