"""What a call of `antinode.amplitude` costs beside Amplitude's own SDK: an event made and tracked, not sent.

    python bench/drop_in.py

In instructions where valgrind is installed, which a busy machine does not disturb; else in CPU time, as the
median of paired runs. Needs `amplitude-analytics`. It asserts nothing.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from bench.suite.peers import KEY  # noqa: E402
from bench.suite.quick import read_count  # noqa: E402

SDKS = ("amplitude", "antinode.amplitude")
FEW, MANY = 200, 1_000
PAIRS, PAIRED_EVENTS = 5, 20_000
_STEADY = {**os.environ, "PYTHONHASHSEED": "0"}
_VALGRIND = ("valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null")


def track(package: str, events: int) -> None:
    """Make and track so many events, of which none is due to be sent."""
    sdk: Any = import_module(package)
    config = sdk.Config(
        flush_queue_size=10**9, flush_interval_millis=10**8, server_url="http://127.0.0.1:9/2/httpapi"
    )
    client = sdk.Amplitude(KEY, config)
    for number in range(events):
        client.track(
            sdk.BaseEvent(
                "Song Played",
                user_id="user-20391",
                event_properties={"title": "Blue in Green", "seconds": 337, "number": number, "live": False},
            )
        )


def instructions(package: str) -> float:
    """Instructions for one event."""
    few, many = (
        read_count(
            subprocess.run(  # noqa: S603 - our own
                [*_VALGRIND, *_command(package, events)],
                capture_output=True,
                text=True,
                check=True,
                cwd=ROOT,
                env=_STEADY,
            ).stderr
        )
        for events in (FEW, MANY)
    )
    return (many - few) / (MANY - FEW)


def microseconds(package: str) -> float:
    """CPU time for one event."""
    output = subprocess.check_output(_command(package, PAIRED_EVENTS), text=True, cwd=ROOT)  # noqa: S603 - our own
    return float(output)


def _command(package: str, events: int) -> list[str]:
    return [sys.executable, str(Path(__file__)), "--run", package, "--events", str(events)]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python bench/drop_in.py", description=__doc__)
    parser.add_argument("--run", choices=SDKS, help=argparse.SUPPRESS)
    parser.add_argument("--events", type=int, default=MANY, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run is not None:
        began = time.process_time()
        track(arguments.run, arguments.events)
        sys.stdout.write(str((time.process_time() - began) / arguments.events * 1e6))
        sys.stdout.flush()
        os._exit(0)  # sending is not part of it
    if shutil.which("valgrind") is not None:
        rounds, unit = [[instructions(package) for package in SDKS]], "instructions"
    else:
        rounds, unit = [[microseconds(package) for package in SDKS] for _ in range(PAIRS)], "µs of CPU"
    theirs, ours = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratio = statistics.median(one[0] / one[1] for one in rounds)
    sys.stdout.write(
        f"{unit} for an event made and tracked: "
        f"{SDKS[0]} {theirs:,.0f}, {SDKS[1]} {ours:,.0f}: 1 in {ratio:.1f}\n"
    )


if __name__ == "__main__":
    main()
