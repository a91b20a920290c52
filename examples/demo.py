"""A real shop's clickstream, sent through antinode to a local Amplitude that keeps having accidents.

    python examples/demo.py            about 40 seconds, 30 of them one throttled user's
    python examples/demo.py --open     the same, watched in the browser; the server stays up until Ctrl-C
    python examples/demo.py --fast     a few seconds, without the throttled user

It is `antinode demo` with the data beside this file; `--help` tells the rest.
"""

from __future__ import annotations

import sys
from pathlib import Path

from antinode.cli.program import antinode

DATA = Path(__file__).parent / "data" / "ecom.csv.gz"

if __name__ == "__main__":
    antinode.main(["demo", "--data", str(DATA), *sys.argv[1:]], prog_name="antinode")
