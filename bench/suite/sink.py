"""The server that every peer sends to: speaks just enough HTTP/1.1, and counts the events that arrive.

Run as a process of its own (`SinkProcess` starts it). It counts events without decoding them, by the
occurrences of a key that each event of that API holds once; with --keep it decodes each request and
remembers which event arrived when.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import ssl
import sys
import threading
import time
import zlib
from typing import Any, NamedTuple


class Api(NamedTuple):
    """How one vendor's clients send, and what they take for success."""

    marker: bytes
    """A key that every event holds exactly once, and no other object."""
    answer: bytes
    events: str
    """The key of a request's events."""
    properties: str


APIS = {
    b"/2/httpapi": Api(b'"event_type"', b'{"code":200}', "events", "event_properties"),
    b"/batch": Api(b'"distinct_id"', b'{"status":1}', "batch", "properties"),
    b"/v1/batch": Api(b'"messageId"', b'{"success":true}', "batch", "properties"),
}
RELEASE = b"/release"
_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: %b\r\n\r\n%b"
)


class Sink:
    """What has arrived so far, and how to answer."""

    def __init__(self, *, latency: float = 0.0, keep: bool = False, hold: bool = False) -> None:
        self.latency, self.keep = latency, keep
        self.is_holding = hold
        self.held: list[tuple[asyncio.Transport, bytes]] = []
        self.events = self.requests = self.bytes = self.unknown = 0
        self.arrivals: list[tuple[int, int]] = []
        """(row, monotonic nanoseconds) of each event, in the order of arrival, with `keep`."""

    def take(self, path: bytes, data: bytearray, start: int, end: int, *, is_gzip: bool) -> bytes:
        """Count one request, whose body is `data[start:end]`. Returns the answer's body."""
        now = time.monotonic_ns()
        api = APIS.get(path.rstrip(b"/"))
        self.requests += 1
        self.bytes += end - start
        if api is None:
            self.unknown += 1
            return b"{}"
        if is_gzip:
            data = bytearray(zlib.decompress(bytes(data[start:end]), 16 + zlib.MAX_WBITS))
            start, end = 0, len(data)
        self.events += data.count(api.marker, start, end)
        if self.keep:
            sent = json.loads(data[start:end])[api.events]
            self.arrivals.extend((event[api.properties]["row"], now) for event in sent)
        return api.answer

    def release(self) -> None:
        """Answer what was held back, and everything from now on."""
        self.is_holding = False
        for transport, answer in self.held:
            if not transport.is_closing():
                transport.write(answer)
        self.held.clear()

    def stats(self) -> dict[str, Any]:
        """The books so far."""
        return {
            "events": self.events,
            "requests": self.requests,
            "bytes": self.bytes,
            "unknown": self.unknown,
            "cpu_s": time.process_time(),
        }


class Exchange(asyncio.Protocol):
    """One connection."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._data = bytearray()
        self._awaited = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        buffer = self._data
        buffer += data
        while buffer and len(buffer) >= self._awaited:
            start = buffer.find(b"\r\n\r\n") + 4
            if start < 4:
                return
            request_line, _, fields = bytes(buffer[:start]).partition(b"\r\n")
            headers = fields.lower()
            end = start + _length(headers)
            if len(buffer) < end:
                self._awaited = end
                return
            path = request_line.split(b" ")[1].partition(b"?")[0]
            if path == RELEASE:
                self._sink.release()
                body = b"{}"
            else:
                is_gzip = b"content-encoding: gzip" in headers
                body = self._sink.take(path, buffer, start, end, is_gzip=is_gzip)
            del buffer[:end]
            self._awaited = 0
            self._answer(path, body, is_last=b"connection: close" in headers)

    def _answer(self, path: bytes, body: bytes, *, is_last: bool) -> None:
        ending = b"close" if is_last else b"keep-alive"
        answer = _ANSWER % (len(body), ending, body)
        sink = self._sink
        if sink.is_holding and path != RELEASE:
            sink.held.append((self._transport, answer))
        elif sink.latency:
            asyncio.get_running_loop().call_later(sink.latency, self._transport.write, answer)
        else:
            self._transport.write(answer)


def _length(headers: bytes) -> int:
    at = headers.find(b"content-length:")
    if at < 0:
        return 0
    return int(headers[at + 15 : headers.index(b"\r\n", at)])


def _answer_questions(sink: Sink, loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    # Its own thread: pipes cannot be awaited on every platform. It only reads what the loop's thread counts.
    for line in sys.stdin:
        answer: Any = sink.stats() if line.strip() == "stats" else sink.arrivals
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    loop.call_soon_threadsafe(stop.set)


async def serve(arguments: argparse.Namespace) -> None:
    sink = Sink(latency=arguments.latency, keep=arguments.keep, hold=arguments.hold)
    context = None
    if arguments.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(arguments.certificate)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Exchange(sink), "127.0.0.1", 0, backlog=256, ssl=context)
    port = server.sockets[0].getsockname()[1]
    sys.stdout.write(json.dumps({"port": port}) + "\n")
    sys.stdout.flush()
    stop = asyncio.Event()
    threading.Thread(target=_answer_questions, args=(sink, loop, stop), daemon=True).start()
    await stop.wait()
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--keep", action="store_true", help="remember which event arrived when")
    parser.add_argument("--hold", action="store_true", help="answer nothing until somebody gets /release")
    parser.add_argument("--certificate", help="a PEM file with key and certificate: speak TLS")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
