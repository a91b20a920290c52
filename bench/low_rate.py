"""What an event costs where few are logged, beside a bare `sendall` and `recv` of the bytes of its request.

    python bench/low_rate.py

The process's CPU time per event at 30 events a second, less that of a loop that only sleeps, to a server that
is another process and answers at once; the median of rounds in which all take turns. Where valgrind is
installed also the instructions of an exchange (one request out, its answer in). It asserts nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from bench.suite.environment import compile_ours  # noqa: E402
from bench.suite.peers import KEY  # noqa: E402
from bench.suite.quick import read_count  # noqa: E402
from bench.suite.sink_process import SinkProcess  # noqa: E402
from bench.suite.workloads import sized  # noqa: E402

PAUSE_SECONDS = 0.033
EVENTS, ROUNDS = 100, 3
FEW, MANY = 50, 250
_STEADY = {**os.environ, "PYTHONHASHSEED": "0"}
_VALGRIND = ("valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null")
Step = Callable[[int], object]


def sleep(_: str) -> Step:
    """Nothing: what the loop itself costs."""
    return lambda _: None


def bare(url: str) -> Step:
    """The bytes of such a request sent, and what comes received."""
    server = urlsplit(url)
    address = server.hostname or "", server.port or 80
    data = _body()
    head = (
        f"POST /2/httpapi HTTP/1.1\r\nHost: {address[0]}:{address[1]}\r\nUser-Agent: antinode\r\n"
        "Accept: application/json\r\nAccept-Encoding: gzip\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(data)}\r\n\r\n"
    ).encode()
    sock = socket.create_connection(address)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def step(_: int) -> None:
        sock.sendall(head + data)
        sock.recv(16_384)

    return step


def exchange(url: str) -> Step:
    """The same by antinode's transport."""
    from antinode._delivery.http.transport import HttpTransport  # noqa: PLC0415 - only its own runs
    from antinode._delivery.messages import Request  # noqa: PLC0415 - the same

    transport, request = HttpTransport(), Request(f"{url}/2/httpapi", _body())
    return lambda _: transport.send(request)


def upload(url: str) -> Step:
    """An event logged, and all that follows, an upload of its own included."""
    return _logging(url, 0.0)


def upload_each_second(url: str) -> Step:
    """The same with an interval of a second."""
    return _logging(url, 1.0)


def _logging(url: str, interval: float) -> Step:
    import antinode  # noqa: PLC0415 - only its own runs

    client = antinode.init(KEY, server_url=f"{url}/2/httpapi", upload_interval_in_sec=interval)
    make = sized(300, 1_000)
    return lambda number: client.log_event(make(number))


def _body() -> bytes:
    return json.dumps({"api_key": KEY, "events": [sized(300, 1_000)(0)]}).encode()


STEPS = {step.__name__: step for step in (sleep, bare, exchange, upload, upload_each_second)}


def run(name: str, url: str, events: int, pause: float) -> None:
    step = STEPS[name](url)
    step(0)
    time.sleep(0.1)
    cpu = time.process_time()
    for number in range(1, events + 1):
        step(number)
        time.sleep(pause)
    sys.stdout.write(f"{(time.process_time() - cpu) / events * 1e6}\n")
    sys.stdout.flush()
    os._exit(0)


def _command(name: str, url: str, events: int, pause: float) -> list[str]:
    return [
        *(sys.executable, str(Path(__file__)), "--run", name, "--url", url),
        *("--events", str(events), "--pause", str(pause)),
    ]


def microseconds(name: str, url: str) -> float:
    """CPU time of one step and the pause behind it."""
    command = _command(name, url, EVENTS, PAUSE_SECONDS)
    return float(subprocess.check_output(command, cwd=ROOT))  # noqa: S603 - our own


def instructions(name: str, url: str) -> float:
    """Instructions of one step."""
    counts = [
        read_count(
            subprocess.run(  # noqa: S603 - our own
                [*_VALGRIND, *_command(name, url, events, 0.0)],
                capture_output=True, text=True, check=True, cwd=ROOT, env=_STEADY,
            ).stderr
        )
        for events in (FEW, MANY)
    ]  # fmt: skip
    return (counts[1] - counts[0]) / (MANY - FEW)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python bench/low_rate.py", description=__doc__)
    parser.add_argument("--run", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--events", type=int, default=EVENTS, help=argparse.SUPPRESS)
    parser.add_argument("--pause", type=float, default=PAUSE_SECONDS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run is not None:
        run(arguments.run, arguments.url, arguments.events, arguments.pause)
    compile_ours()
    with SinkProcess() as sink:
        rounds = [{name: microseconds(name, sink.url) for name in STEPS} for _ in range(ROUNDS)]
        for name in list(STEPS)[1:]:
            cost = statistics.median(each[name] - each["sleep"] for each in rounds)
            ratios = [(each[name] - each["sleep"]) / (each["bare"] - each["sleep"]) for each in rounds]
            sys.stdout.write(f"{name:20}{cost:8.0f} µs of CPU{statistics.median(ratios):8.2f} times bare\n")
        if shutil.which("valgrind") is not None:
            for name in ("bare", "exchange"):
                sys.stdout.write(f"{name:20}{instructions(name, sink.url):10,.0f} instructions\n")


if __name__ == "__main__":
    main()
