"""The endpoint itself: a listener, a thread for each connection, and the way of one request."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from antinode import _json
from antinode._protocol.endpoints import Endpoint as UploadApi
from antinode._protocol.words import counted
from antinode.testing._arrival import Arrival, read_body, read_head
from antinode.testing._ledger import AcceptedEvents, Duplicate, Keep, OutOfOrder
from antinode.testing._rules import refusal, rule
from antinode.testing.faults import Answer, Fault, Way

if TYPE_CHECKING:
    from types import TracebackType

_REASONS = {200: "OK", 400: "Bad Request", 413: "Payload Too Large", 429: "Too Many Requests"}
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_DRIP_PIECES = 20
_THREAD_END = 10.0
"""Seconds that a connection's thread is given to end. It waits on nothing that closing does not wake."""


class Controls(Protocol):
    """Answers the requests that steer the endpoint."""

    def __call__(self, arrival: Arrival) -> Answer | None:
        """What to answer; None if it is no such request."""
        ...

    def answered(self, arrival: Arrival) -> None:
        """The answer has been sent."""
        ...


class Endpoint:
    """A local ingestion endpoint on 127.0.0.1 for HTTP V2 and Batch, with accidents on demand.

    A context manager: it listens when `__enter__` returns. Without a script it accepts what is well
    formed and answers as Amplitude does. `answer` is the standing fault, asked about every request;
    `script` queues faults for the next ones, which go first. Both run on the connections' threads, at
    the same time if the client has several.

    `keep="ids"` keeps no event, only what duplicates and order are found with, for runs of millions.
    With `api_key` every other key is refused as unknown. An exception in a fault, or in the endpoint,
    cuts the connection, and is raised by `check`, by the waits, and at the end of the `with` block.
    """

    def __init__(self, *, keep: Keep = "all", api_key: str | None = None, port: int = 0) -> None:
        self.answer: Fault | None = None
        self.control: Controls | None = None
        """Asked before anything else; a request that it answers is in no ledger and meets no fault."""
        self._ledger = AcceptedEvents(keep)
        self._api_key = api_key
        self._port = port
        self._closing = threading.Event()
        # Guarded by the ledger's changed: everything from here on.
        self._script: deque[Fault | None] = deque()
        self._requests = self._connections = 0
        self._failures: list[BaseException] = []
        self._open: dict[int, socket.socket] = {}
        self._threads: dict[int, threading.Thread] = {}
        # Guarded by _listening: what down and up exchange.
        self._listening = threading.RLock()
        self._listener: socket.socket | None = None
        self._reserved: socket.socket | None = None
        self._acceptor: threading.Thread | None = None
        self._is_up = threading.Event()
        self._revival: threading.Timer | None = None

    def __enter__(self) -> Endpoint:
        self.up()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
        if error is None:
            self.check()

    def __repr__(self) -> str:
        books = self.summary()
        seen = f"{counted(books['requests'], 'request')}, {counted(books['events'], 'event')}"
        return f"<Endpoint 127.0.0.1:{self._port} | {seen}>"

    @property
    def port(self) -> int:
        """The port, chosen by the system unless one was given. It stays while the endpoint is down."""
        return self._port

    @property
    def url(self) -> str:
        """Where HTTP V2 requests go: what a client takes as `server_url`."""
        return f"http://127.0.0.1:{self._port}{UploadApi.HTTP_V2.path}"

    @property
    def batch_url(self) -> str:
        """Where Batch requests go."""
        return f"http://127.0.0.1:{self._port}{UploadApi.BATCH.path}"

    # The ledger, as the endpoint shows it.

    @property
    def events(self) -> list[dict[str, Any]]:
        """Accepted events without duplicates, in order of acceptance. RuntimeError with `keep="ids"`."""
        return self._ledger.events

    @property
    def received(self) -> list[dict[str, Any]]:
        """Accepted events with their duplicates, in order of acceptance. RuntimeError with `keep="ids"`."""
        return self._ledger.received

    @property
    def requests(self) -> list[Arrival]:
        """Every request that ended in an answer or an accident, in that order."""
        with self._ledger.changed:
            return list(self._ledger.requests)

    @property
    def connections(self) -> int:
        """How many connections were accepted so far."""
        return self._connections

    @property
    def failures(self) -> list[BaseException]:
        """What went wrong in the endpoint's own threads, without raising it."""
        with self._ledger.changed:
            return list(self._failures)

    def duplicates(self) -> list[Duplicate]:
        """Accepted events whose (device_id or user_id, insert_id) had been accepted before."""
        return self._ledger.duplicates()

    def out_of_order(self) -> list[OutOfOrder]:
        """Events first accepted after a later one of their stream, by `event_properties["seq"]`."""
        return self._ledger.out_of_order()

    def summary(self) -> dict[str, Any]:
        """The ledger in numbers: events, received, duplicates, out_of_order, requests, by_status and more."""
        failures = [type(failure).__name__ for failure in self.failures]
        return {**self._ledger.summary(), "connections": self._connections, "failures": failures}

    def clear(self) -> None:
        """Empty the ledger. The script, `answer` and the running numbers stay."""
        self._ledger.clear()

    def wait_for(self, events: int, timeout: float = 10.0) -> None:
        """Block until so many events were accepted, duplicates not counted. Raises TimeoutError."""
        self._wait(lambda: self._ledger.unique, events, "events", timeout)

    def wait_for_requests(self, requests: int, timeout: float = 10.0) -> None:
        """Block until so many requests were answered or had their accident. Raises TimeoutError."""
        self._wait(lambda: len(self._ledger.requests), requests, "requests", timeout)

    def check(self) -> None:
        """Raise the first failure of the endpoint's own threads, if there was one, and forget them all."""
        with self._ledger.changed:
            failures, self._failures = self._failures, []
        if failures:
            raise failures[0]

    # Accidents.

    def script(self, faults: Iterable[Fault | None]) -> None:
        """Queue a fault for each of the next requests, in the order their heads arrive; None is no fault."""
        with self._ledger.changed:
            self._script.extend(faults)

    def down(self, seconds: float | None = None) -> None:
        """Cut every connection and refuse new ones, until `up` or for so many seconds."""
        self._refuse()
        self._cut_connections()
        with self._listening:
            if seconds is not None and not self._closing.is_set():
                self._revival = threading.Timer(seconds, self._revive)
                self._revival.daemon = True
                self._revival.start()

    def up(self) -> None:
        """Listen (again). Connections are accepted when this returns."""
        with self._listening:
            if self._listener is not None or self._closing.is_set():
                return
            self._cancel_revival()
            listener = self._reserved or self._bind()
            self._reserved = None
            listener.listen(512)
            self._listener = listener
            self._port = listener.getsockname()[1]
            self._acceptor = threading.Thread(
                target=self._accept, args=(listener,), name=f"endpoint {self._port}", daemon=True
            )
            self._acceptor.start()
            self._is_up.set()

    def wait_until_up(self, timeout: float = 10.0) -> None:
        """Block until it listens again. Raises TimeoutError."""
        if not self._is_up.wait(timeout):
            raise TimeoutError(f"still down after {timeout:g} s: {self!r}")

    def close(self) -> None:
        """Stop listening, cut every connection, end every thread. The ledger stays readable."""
        self._closing.set()
        with self._listening:
            self._cancel_revival()
            self._stop_listening()
            if self._reserved is not None:
                self._reserved.close()
                self._reserved = None
        self._cut_connections()
        with self._ledger.changed:
            threads = [t for t in self._threads.values() if t is not threading.current_thread()]
        for thread in threads:
            thread.join(_THREAD_END)
        if any(thread.is_alive() for thread in threads):
            self._fail(RuntimeError(f"a fault still runs {_THREAD_END:.0f} s after the endpoint was closed"))

    # Listening.

    def _bind(self) -> socket.socket:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", self._port))
        except OSError:
            listener.close()
            raise
        return listener

    def _refuse(self) -> None:
        with self._listening:
            self._cancel_revival()
            self._is_up.clear()
            self._stop_listening()
            if self._reserved is None and not self._closing.is_set():
                # Bound and not listening: connections are refused, and nobody else is given the port.
                self._reserved = self._bind()

    def _stop_listening(self) -> None:
        listener, self._listener = self._listener, None
        acceptor, self._acceptor = self._acceptor, None
        if listener is None or acceptor is None:
            return
        # Closing a socket wakes nobody who blocks in accept; a connection does, on every system.
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self._port), timeout=1).close()
        acceptor.join(_THREAD_END)
        listener.close()

    def _cancel_revival(self) -> None:
        revival, self._revival = self._revival, None
        if revival is not None:
            revival.cancel()

    def _revive(self) -> None:
        try:
            self.up()
        except OSError as error:
            self._fail(error)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError as error:
                self._fail(error)
                return
            # Read without the lock: whoever takes the listener away connects afterwards, to be seen here.
            if self._listener is not listener:
                connection.close()
                return
            with contextlib.suppress(OSError):  # some systems refuse it when the client is gone already
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._ledger.changed:
                self._connections += 1
                number = self._connections
                thread = threading.Thread(
                    target=self._serve,
                    args=(connection, number),
                    name=f"endpoint {self._port} connection {number}",
                    daemon=True,
                )
                self._open[number] = connection
                self._threads[number] = thread
            thread.start()

    def _cut_connections(self) -> None:
        # Shut down, not closed: the thread that reads from it wakes, and closes what it owns.
        with self._ledger.changed:
            for connection in self._open.values():
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    # One connection, one request.

    def _serve(self, connection: socket.socket, number: int) -> None:
        with connection:
            # Inside, so that a client which sees the connection end finds the failure kept.
            try:
                self._answer_requests(connection, number)
            except ConnectionError:
                pass  # the client went away, or the endpoint was taken down: the ledger knows what it has to
            except BaseException as error:
                self._fail(error)
            with self._ledger.changed:
                del self._open[number]
        with self._ledger.changed:
            del self._threads[number]

    def _answer_requests(self, connection: socket.socket, number: int) -> None:
        with connection.makefile("rb") as stream:

            def read(headers: Mapping[str, str]) -> bytes:
                if headers.get("expect", "").lower() == "100-continue":
                    connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                return read_body(stream, headers)

            while (head := read_head(stream)) is not None:
                method, target, version, headers = head
                arrival = Arrival(
                    connection=number,
                    method=method,
                    target=target,
                    version=version,
                    headers=headers,
                    read=read,
                )
                if not self._respond(arrival, connection):
                    break

    def _respond(self, arrival: Arrival, connection: socket.socket) -> bool:
        """Answer one request; False when the connection is not to be used again."""
        if self.control is not None and (answer := self.control(arrival)) is not None:
            arrival.load()
            if answer.way is Way.DOWN:
                self._refuse()  # before the answer, so that whoever has it finds the port closed
            connection.sendall(_message(answer.status or 200, answer, answer.body, arrival.keeps_alive))
            self.control.answered(arrival)
            if answer.way is Way.DOWN:
                self.down(answer.delay)
            return arrival.keeps_alive
        with self._ledger.changed:
            self._requests += 1
            arrival.number = self._requests
            fault = self._script.popleft() if self._script else self.answer
        accepted: list[dict[str, Any]] = []
        message = b""
        try:
            answer = (fault(arrival) if fault is not None else None) or Answer()
            if answer.way is Way.CUT_UNREAD:
                with contextlib.suppress(OSError):
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                arrival.let_go(events=True)
            else:
                message, accepted = self._decide(arrival, answer)
        except BaseException:
            arrival.let_go(events=True)
            raise
        finally:
            self._ledger.enter(arrival, accepted)
        return self._send(answer, message, connection) and arrival.keeps_alive

    def _decide(self, arrival: Arrival, answer: Answer) -> tuple[bytes, list[dict[str, Any]]]:
        """The bytes to answer with and the events to accept; sets the arrival's status."""
        ruling = rule(arrival, self._api_key)
        status = ruling.status if answer.status is None else answer.status
        body = answer.body
        if body is None:
            body = ruling.body if status == ruling.status else refusal(status).body
        answered = answer.way in (Way.ANSWER, Way.CUT_SHORT)
        arrival.status = status if answered else 0
        store = answer.store if answer.store is not None else 200 <= status < 300
        accepted = arrival.events if store and ruling.status == 200 else []
        return _message(status, answer, body, arrival.keeps_alive), accepted

    def _send(self, answer: Answer, message: bytes, connection: socket.socket) -> bool:
        """Do to the connection what the answer says; False when it is not to be used again."""
        if answer.way is Way.DOWN:
            self.down(answer.delay)
            return False
        if self._closing.wait(answer.delay) if answer.delay else self._closing.is_set():
            return False
        if answer.way is Way.HANG:
            while connection.recv(64 * 1024):
                continue
            return False
        if answer.way is Way.ANSWER and answer.drip:
            size = -(-len(message) // _DRIP_PIECES)
            for start in range(0, len(message), size):
                if self._closing.wait(answer.drip / _DRIP_PIECES):
                    return False
                connection.sendall(message[start : start + size])
            return True
        if answer.way is Way.ANSWER:
            connection.sendall(message)
            return True
        if answer.way is Way.RAW:
            connection.sendall(_encoded(answer.body))
        elif answer.way is Way.CUT_SHORT:
            head = message.index(b"\r\n\r\n") + 4
            connection.sendall(message[: head + (len(message) - head) // 2])
        return False

    # The waits and what goes wrong.

    def _wait(self, count: Callable[[], int], wanted: int, what: str, timeout: float) -> None:
        met = self._ledger.wait(lambda: count() >= wanted or bool(self._failures), timeout)
        self.check()
        if not met:
            raise TimeoutError(f"{count()} of {wanted} {what} within {timeout:g} s: {self!r}")

    def _fail(self, error: BaseException) -> None:
        with self._ledger.changed:
            self._failures.append(error)
            self._ledger.changed.notify_all()


def _message(status: int, answer: Answer, body: Mapping[str, Any] | str | bytes | None, keep: bool) -> bytes:
    content = b"" if status in (204, 304) else _encoded(body)
    headers = {
        "Content-Type": "application/json" if isinstance(body, Mapping) else "text/html; charset=utf-8",
        "Content-Length": str(len(content)),
        "Connection": "keep-alive" if keep else "close",
        **answer.headers,
    }
    start = f"HTTP/1.1 {status} {_REASONS.get(status, 'Status')}"
    head = "\r\n".join([start, *(f"{name}: {value}" for name, value in headers.items()), "", ""])
    return head.encode("latin-1") + content


def _encoded(body: Mapping[str, Any] | str | bytes | None) -> bytes:
    if isinstance(body, Mapping):
        return _json.dumps(body)
    return body.encode() if isinstance(body, str) else body or b""
