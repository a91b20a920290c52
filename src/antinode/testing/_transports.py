"""What every transport has to do, as a function that tries it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping

from antinode import HttpResponse, Request, Transport, TransportError

_THREADS = 4
_BODY = json.dumps(
    {
        "api_key": "0" * 32,
        "events": [{"event_type": "Transport Tried", "user_id": "user-20391", "insert_id": "transport-1"}],
    }
).encode()


def check_transport(make: Callable[[], Transport], url: str = "http://localhost/2/httpapi") -> None:
    """Try a transport as antinode uses it: make one, send, from several threads, close, send again.

    `url` is where requests go; that of an `Endpoint`, for a transport that carries them over HTTP. Each send
    has 10 seconds. Raises `AssertionError`, which says what is not as `antinode.Transport` has it.
    """
    transport = make()
    try:
        _check_answer(_send(transport, url))
        _check_threads(transport, url)
        _check_optional(transport, url)
        transport.close()
        transport.close()
        _check_answer(_send(transport, url))
    finally:
        transport.close()


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)


def _send(transport: Transport, url: str) -> HttpResponse:
    return transport.send(Request(url, _BODY, {"X-Tried": "yes"}, 10.0))


def _check_answer(answer: object) -> None:
    if not isinstance(answer, HttpResponse):
        raise AssertionError(f"send() returned no HttpResponse but {type(answer).__name__}")
    status, headers, body = answer.status, answer.headers, answer.body
    _require(isinstance(status, int), f"the status is no int but {type(status).__name__}")
    _require(isinstance(headers, Mapping), f"the headers are no mapping but {type(headers).__name__}")
    odd = [name for name in headers if name != name.lower()]
    _require(not odd, f"names of headers must be lower-case: {odd}")
    _require(isinstance(body, bytes), f"the body is no bytes but {type(body).__name__}")
    _require(200 <= status < 300, f"a good event was answered {status}")


def _check_threads(transport: Transport, url: str) -> None:
    answers: list[object] = []

    def send() -> None:
        try:
            answers.append(_send(transport, url))
        except BaseException as error:
            answers.append(error)

    threads = [threading.Thread(target=send) for _ in range(_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for answer in answers:
        _require(not isinstance(answer, BaseException), f"send() on several threads raised {answer!r}")
        _check_answer(answer)


def _check_optional(transport: Transport, url: str) -> None:
    """With nothing under way they change nothing."""
    for name in ("cancel_all", "abandon"):
        method = getattr(transport, name, None)
        if method is not None:
            method()
            try:
                _check_answer(_send(transport, url))
            except TransportError as error:
                raise AssertionError(f"send() after {name}() raised {error!r}") from error
