"""The cheap benchmark: antinode's cost to the floor's, without the network, in under a minute.

In instructions where valgrind is installed, which a busy machine does not disturb; else in CPU time, as the
median of paired runs. `python -m bench.suite.quick` prints the ratios. It asserts nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from typing import Any

from bench.suite.environment import compile_ours
from bench.suite.peers import KEY
from bench.suite.peers.floor import OPENING
from bench.suite.sink_process import ROOT
from bench.suite.workloads import flights, sized

SIZE = 300
BATCH = 500
FEW, MANY = 500, 2_000
_STEADY = {**os.environ, "PYTHONHASHSEED": "0"}
"""Which strings fall on each other in a dict is chance: a few hundred instructions an event."""
PAIRS, PAIRED_EVENTS = 5, 40_000
ATTEMPT = 120
"""Seconds after which a run under valgrind is given up."""
CONTENDERS = (
    "encoding",
    "floor",
    "log_event",
    "antinode",
    "middleware",
    "three middlewares",
    "Event",
    "spool",
    "flood",
    "flight",
    "typed flight",
)
RATIOS = (
    ("antinode to the floor", "antinode", "floor"),
    ("log_event to encoding alone", "log_event", "encoding"),
    ("a middleware to none", "middleware", "antinode"),
    ("three of them to none", "three middlewares", "antinode"),
    ("an Event object to its dict", "Event", "antinode"),
    ("the spool to none", "spool", "antinode"),
    ("the spool read back to none", "flood", "antinode"),
    ("a typed event to a dict", "typed flight", "flight"),
)


def contend(contender: str, events: int) -> None:
    """Encode; encode and join request bodies; log; log, and have everything delivered to nowhere: plainly,
    through a middleware, given as objects, by way of the spool, and read back from it since memory holds no
    more than a batch; flights as dicts and as typed events."""
    make: Callable[[int], Any] = sized(SIZE, 1_000)
    if contender in {"encoding", "floor"}:
        _bare(make, events, joins=contender == "floor")
        return
    from bench.suite.hot_path import Nowhere  # noqa: PLC0415 - the same

    import antinode  # noqa: PLC0415 - only its own runs

    options: dict[str, Any] = {}
    if contender in {"spool", "flood"}:
        options["storage"] = tempfile.mkdtemp()
    if contender == "flood":
        options["max_queue_events"] = BATCH
    # Uploads only when asked for, so that the same work is done in the same batches each time.
    client = antinode.init(
        KEY, transport=Nowhere(), upload_interval_in_sec=3600, max_cached_events=10**9, **options
    )
    log: Callable[[Any], object] = client.log_event
    if "middleware" in contender:
        for _ in range(3 if contender == "three middlewares" else 1):
            client.add_event_middleware(_stamp)
    elif contender == "Event":
        log = lambda event: client.log_event(antinode.Event(**event))  # noqa: E731 - the other is no function
    elif "flight" in contender:
        from bench.suite.typed_flights import A_FLIGHT, typed_flights  # noqa: PLC0415 - the same

        make = typed_flights([A_FLIGHT]) if contender == "typed flight" else flights([A_FLIGHT])
    for number in range(events):
        log(make(number))
        if contender not in {"log_event", "flood"} and number % BATCH == BATCH - 1:
            client.flush(60)
    if contender != "log_event":
        client.flush(60)
    if contender in {"spool", "flood"}:
        client.shutdown(60)
        shutil.rmtree(options["storage"])


def _stamp(payload: Any, go_on: Callable[[Any], None]) -> None:
    payload.event["event_properties"]["release"] = "1.4.2"
    go_on(payload)


def _bare(make: Callable[[int], dict[str, Any]], events: int, *, joins: bool) -> None:
    import orjson  # noqa: PLC0415 - only the bare loop's

    body = bytearray(OPENING)
    for number in range(events):
        encoded = orjson.dumps(make(number))
        if not joins:
            continue
        body += encoded
        body += b","
        if number % BATCH == BATCH - 1:
            body[-1:] = b"]}"
            del body[len(OPENING) :]


def instructions() -> dict[str, float] | None:
    """Instructions per event of each contender; None without a valgrind that can run this interpreter."""
    if shutil.which("valgrind") is None:
        return None
    try:
        # Two at a time: counts are the same on a busy machine.
        with ThreadPoolExecutor(2) as pool:
            few, many = (list(pool.map(_counted, CONTENDERS, repeat(events))) for events in (FEW, MANY))
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    per_event = ((most - least) / (MANY - FEW) for least, most in zip(few, many, strict=True))
    return dict(zip(CONTENDERS, per_event, strict=True))


def _counted(contender: str, events: int) -> int:
    valgrind = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
    done = subprocess.run(  # noqa: S603 - our own
        [*valgrind, *_command(contender, events)],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=ATTEMPT, env=_STEADY,
    )  # fmt: skip
    return read_count(done.stderr)


def read_count(output: str) -> int:
    """The instructions that valgrind says it has counted. Raises ValueError if it says nothing."""
    found = re.search(r"I\s+refs:\s+([\d,]+)", output)
    if found is None:
        raise ValueError("valgrind counted nothing")
    return int(found[1].replace(",", ""))


def paired_times() -> dict[str, list[float]]:
    """Microseconds of CPU per event of each contender, in runs that took turns."""
    times: dict[str, list[float]] = {contender: [] for contender in CONTENDERS}
    for _ in range(PAIRS):
        for contender in CONTENDERS:
            output = subprocess.check_output(  # noqa: S603 - our own
                _command(contender, PAIRED_EVENTS), cwd=ROOT, text=True, timeout=ATTEMPT
            )
            times[contender].append(json.loads(output)["cpu"])
    return times


def _command(contender: str, events: int) -> list[str]:
    return [sys.executable, "-m", "bench.suite.quick", "--run", contender, "--events", str(events)]


def measure(*, in_time: bool = False) -> list[str]:
    """The lines to print."""
    compile_ours()
    counts = None if in_time else instructions()
    if counts is not None:
        unit, digits, rounds = "instructions", 0, {name: [count] for name, count in counts.items()}
    else:
        unit, digits, rounds = "µs of CPU", 2, paired_times()

    def ratio(name: str, to: str) -> float:
        return statistics.median(a / b for a, b in zip(rounds[name], rounds[to], strict=True))

    shown = (f"{name} {statistics.median(values):,.{digits}f}" for name, values in rounds.items())
    return [
        f"{unit} per event of about {SIZE} B, building it included, no network: {', '.join(shown)}",
        *(f"{what}: {ratio(name, to):.2f}" for what, name, to in RATIOS),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.suite.quick", description=__doc__)
    parser.add_argument("--time", action="store_true", help="CPU time, even where valgrind is installed")
    parser.add_argument("--run", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--events", type=int, default=MANY, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run is None:
        sys.stdout.write("\n".join(measure(in_time=arguments.time)) + "\n")
        return
    contend_and_tell(arguments.run, arguments.events)


def contend_and_tell(contender: str, events: int) -> None:
    cpu = time.process_time()
    contend(contender, events)
    sys.stdout.write(json.dumps({"cpu": (time.process_time() - cpu) / events * 1e6}) + "\n")
    sys.stdout.flush()
    os._exit(0)  # sending what was only to be logged is not part of it


if __name__ == "__main__":
    main()
