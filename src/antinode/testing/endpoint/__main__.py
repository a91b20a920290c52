"""`python -m antinode.testing.endpoint`: the endpoint in a process of its own, steered through `/_/…`."""

from __future__ import annotations

import argparse
import gc
import sys
import threading

from antinode import _json
from antinode.testing.endpoint._control import Control
from antinode.testing.endpoint._server import Endpoint
from antinode.testing.faults import FAULTS, Fault, from_spec


def main() -> int:
    """Serve until told to stop. 1 if something failed in the endpoint's own threads."""
    options = _arguments()
    # Events are trees and die by reference count; the collector would walk millions of them for nothing.
    gc.disable()
    with Endpoint(keep=options.keep, api_key=options.api_key, port=options.port) as endpoint:
        endpoint.answer = options.script
        endpoint.control = control = Control(endpoint)
        ready = {"url": endpoint.url, "batch_url": endpoint.batch_url, "port": endpoint.port}
        sys.stdout.write(_json.dumps(ready).decode() + "\n")
        sys.stdout.flush()
        if options.down:
            endpoint.down(options.down)
        if options.follow_stdin:
            threading.Thread(target=_wait_for_end, args=(control.stopped,), daemon=True).start()
        control.stopped.wait()
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m antinode.testing.endpoint",
        description="A local ingestion endpoint with accidents on demand.",
    )
    parser.add_argument("--port", type=int, default=0, help="0 (the default): any free one")
    parser.add_argument("--keep", choices=("all", "ids"), default="all", help="ids: no events, for long runs")
    parser.add_argument("--api-key", help="refuse every other key as unknown")
    parser.add_argument("--script", type=_fault, help=f"a fault's name or JSON; names: {', '.join(FAULTS)}")
    parser.add_argument("--down", type=float, metavar="SECONDS", help="refuse connections at first")
    parser.add_argument("--follow-stdin", action="store_true", help="stop when standard input ends")
    return parser.parse_args()


def _fault(text: str) -> Fault | None:
    try:
        return from_spec(_json.loads(text) if text.lstrip().startswith("{") else text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _wait_for_end(stopped: threading.Event) -> None:
    sys.stdin.buffer.read()
    stopped.set()


if __name__ == "__main__":
    sys.exit(main())
