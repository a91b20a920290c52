"""What `log_event` costs its caller beyond encoding the event: both timed in turn, in one process."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

from bench.suite.peers import KEY
from bench.suite.peers.floor import encoder
from bench.suite.workloads import Make

import antinode
from antinode import HttpResponse, Request

CALLS = 2_000
FILLED_IN = ("time", "insert_id")


class Nowhere:
    """Takes every request."""

    def send(self, request: Request) -> HttpResponse:  # noqa: ARG002 - the protocol's
        return HttpResponse(200)

    def close(self) -> None:
        return


def run(make: Make, encoder_name: str, rounds: int) -> dict[str, float]:
    """Median nanoseconds of one call, without uploads; `bare` leaves time and insert_id to antinode."""
    client = antinode.init(KEY, transport=Nowhere(), upload_interval_in_sec=3600, max_cached_events=10**9)
    given: Any = make(0)
    bare: Any = {key: value for key, value in given.items() if key not in FILLED_IN}
    encode = encoder(encoder_name)
    calls: dict[str, Callable[[], object]] = {
        "encode": lambda: encode(given),
        "call": lambda: client.log_event(given),
        "encode_bare": lambda: encode(bare),
        "bare": lambda: client.log_event(bare),
    }
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            times[name].append(_once(call))
        client.flush(60)
    client.shutdown(60)
    medians = {name: statistics.median(values) for name, values in times.items()}
    return medians | {
        "ratio": _paired(times["call"], times["encode"]),
        "bare_ratio": _paired(times["bare"], times["encode_bare"]),
    }


def _once(call: Callable[[], Any]) -> float:
    before = time.perf_counter()
    for _ in range(CALLS):
        call()
    return (time.perf_counter() - before) / CALLS * 1e9


def _paired(times: list[float], others: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(times, others, strict=True))
