"""What `log_event` costs its caller beyond encoding the event, as a ratio within one run."""

from __future__ import annotations

import sys
import timeit
from collections.abc import Callable

import orjson
from workload import event, rows

import antinode
from antinode import HttpResponse, Request


class Nowhere:
    """Takes every request."""

    def send(self, request: Request) -> HttpResponse:  # noqa: ARG002 - the protocol's
        return HttpResponse(200)

    def close(self) -> None:
        return


def best(call: Callable[[], object], number: int = 20_000) -> float:
    """The least of several timings: what interferes only ever adds."""
    return min(timeit.repeat(call, number=number, repeat=9)) / number * 1e9


def main() -> None:
    client = antinode.init(
        "benchmark", transport=Nowhere(), upload_interval_in_sec=3600, max_cached_events=10**9
    )
    logged = event(rows(1)[0], 0)
    bare = {key: value for key, value in logged.items() if key not in {"time", "insert_id"}}
    encoding = best(lambda: orjson.dumps(logged))
    lines = [f"encoding alone                      {encoding:7.0f} ns"]
    for name, given in (("log_event", logged), ("log_event, time and id to be added", bare)):
        cost = best(lambda given=given: client.log_event(given))  # type: ignore[misc]
        lines.append(f"{name:36}{cost:7.0f} ns   {cost / encoding:.2f} times")
    sys.stdout.write("\n".join(lines) + "\n")
    client.shutdown(60)


if __name__ == "__main__":
    main()
