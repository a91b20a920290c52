"""What every transport has to do: those of the project, and one written from the documentation alone."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from bench.suite.hot_path import Nowhere

import antinode
from antinode import Client, HttpResponse, Request, Transport, TransportError
from antinode._delivery.http.transport import HttpTransport
from antinode._delivery.messages import CompletedTransport, FullTransport
from antinode.testing import Endpoint, check_transport, faults
from tests.memory import KEY, SONG, Memory


class FromTheDocumentation:
    """What a user writes who has read `antinode.Transport`, and has the standard library."""

    def send(self, request: Request) -> HttpResponse:
        sent = urllib.request.Request(request.url, request.body, dict(request.headers))  # noqa: S310
        sent.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(sent, timeout=request.timeout) as answer:  # noqa: S310
                headers = {name.lower(): value for name, value in answer.headers.items()}
                return HttpResponse(answer.status, headers, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return HttpResponse(error.code, {}, error.read())
        except OSError as error:
            raise TransportError(str(error)) from error

    def close(self) -> None:
        """There are no connections to keep."""


TRANSPORTS: dict[str, Callable[[], Transport]] = {
    "HTTP": HttpTransport,
    "HTTP, compressed": lambda: HttpTransport(compress=True, compress_above=1),
    "the tests'": Memory,
    "the benchmark's": Nowhere,
    "from the documentation": FromTheDocumentation,
    "completed": lambda: CompletedTransport(FromTheDocumentation()),
}


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as running:
        yield running


@pytest.mark.parametrize("name", TRANSPORTS)
def test_a_transport_keeps_the_contract(name: str, endpoint: Endpoint) -> None:
    """It answers, on several threads, and after it was closed."""
    check_transport(TRANSPORTS[name], endpoint.url)


@pytest.mark.parametrize("name", TRANSPORTS)
def test_a_client_delivers_over_it(name: str, endpoint: Endpoint) -> None:
    """Whatever methods it goes without, also through a shutdown that leaves a request under way."""
    client = Client().init(KEY, server_url=endpoint.url, transport=TRANSPORTS[name]())
    assert client.log_event(SONG).result(120).ok  # type: ignore[arg-type]
    assert client.shutdown(5).complete


def answering(answer: Any) -> Callable[[], Any]:
    class Answering:
        def send(self, request: Request) -> Any:
            return answer() if callable(answer) else answer

        def close(self) -> None:
            pass

    return Answering


def refuses_to_go_on() -> Any:
    class OnlyOnce(Memory):
        def close(self) -> None:
            self.gate.clear()

        def send(self, request: Request) -> HttpResponse:
            if not self.gate.is_set():
                raise TransportError("closed")
            return super().send(request)

    return OnlyOnce()


def is_for_one_thread() -> Any:
    class OfOneThread(Memory):
        mine = threading.get_ident()

        def send(self, request: Request) -> HttpResponse:
            if threading.get_ident() != self.mine:
                raise RuntimeError("made on another thread")
            return super().send(request)

    return OfOneThread()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (answering(None), "no HttpResponse"),
        (answering(HttpResponse("200")), "no int"),  # type: ignore[arg-type]
        (answering(HttpResponse(200, {"Retry-After": "1"})), "lower-case"),
        (answering(HttpResponse(200, {}, "{}")), "no bytes"),  # type: ignore[arg-type]
        (answering(HttpResponse(503)), "answered 503"),
        (refuses_to_go_on, "closed"),
        (is_for_one_thread, "several threads"),
    ],
)
def test_one_that_breaks_the_contract_is_told_how(make: Callable[[], Any], says: str) -> None:
    """The error names what is wrong."""
    with pytest.raises((AssertionError, TransportError), match=says):
        check_transport(make)


def test_what_a_transport_goes_without_does_nothing() -> None:
    """The shell's calls have defaults; those that it has are its own."""
    memory = Memory()
    completed: FullTransport = CompletedTransport(memory)
    completed.cancel_all()
    completed.abandon()
    called: list[str] = []
    memory.cancel_all = lambda: called.append("cancel_all")  # type: ignore[attr-defined]
    CompletedTransport(memory).cancel_all()
    assert called == ["cancel_all"]


def test_the_usual_transport_has_all_methods() -> None:
    """So that a shutdown cancels, and a forked child lets go of connections."""
    full: FullTransport = HttpTransport()
    full.cancel_all()
    full.abandon()
    full.close()


def test_cancelled_sends_fail(endpoint: Endpoint) -> None:
    """`cancel_all` ends those under way soon with `TransportError`."""
    begun = threading.Event()
    hang = faults.hang()
    endpoint.answer = lambda arrival: begun.set() or hang
    transport, errors = HttpTransport(), []

    def send() -> None:
        try:
            transport.send(Request(endpoint.url, b"{}", timeout=60.0))
        except antinode.TransportError as error:
            errors.append(error)

    thread = threading.Thread(target=send)
    thread.start()
    assert begun.wait(120)
    transport.cancel_all()
    thread.join(120)
    assert len(errors) == 1
    transport.close()
