"""All rows of a file into a local Amplitude, compared event by event.

`python -m tests.importing.whole shop FILE` and `… flights FILE`, where FILE is CSV, compressed with gzip.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from antinode.server import running
from tests.importing.comparing import check, flight_events, shop_events, stored
from tests.importing.runs import FLIGHT_COLUMNS, SHOP_COLUMNS, run

KINDS = {"shop": (SHOP_COLUMNS, shop_events), "flights": (FLIGHT_COLUMNS, flight_events)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.importing.whole")
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("file", type=Path)
    given = parser.parse_args()
    columns, events = KINDS[given.kind]
    with tempfile.TemporaryDirectory() as folder, running(max_events=1_000_000) as server:
        began = time.perf_counter()
        report = run([given.file], Path(folder), server.url, columns=columns)
        seconds = time.perf_counter() - began
        wanted = list(events(given.file))
        assert report.delivered == len(wanted)
        check(stored(server.api), wanted)
    sys.stdout.write(
        f"{report.delivered:,} events are there as the file says, {report.rejected:,} rows were rejected; "
        f"{seconds:.0f} s\n"
    )


if __name__ == "__main__":
    main()
