"""All flights of a file into a local Amplitude, compared event by event.

`python -m tests.importing.flights FILE`, where FILE is `flights.csv`, compressed with gzip.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from antinode.server import running
from tests.importing.comparing import check, flight_events, stored
from tests.importing.runs import FLIGHT_COLUMNS, run


def main() -> None:
    path = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder, running(max_events=1_000_000) as server:
        began = time.perf_counter()
        report = run([path], Path(folder), server.url, columns=FLIGHT_COLUMNS)
        seconds = time.perf_counter() - began
        wanted = list(flight_events(path))
        assert report.delivered == len(wanted)
        check(stored(server.api), wanted)
    sys.stdout.write(
        f"{report.delivered:,} flights are there as the file says, {report.rejected:,} without a tail number "
        f"were rejected; {seconds:.0f} s\n"
    )


if __name__ == "__main__":
    main()
