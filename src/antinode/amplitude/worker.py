"""What carries requests: antinode's connections, or the `HttpClient.post` that a test has replaced."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from antinode import HttpResponse, Request, TransportError, TransportTimeout
from antinode.amplitude import http_client
from antinode.amplitude.http_client import HttpClient, HttpStatus, Response

if TYPE_CHECKING:
    from antinode._delivery.messages import FullTransport
    from antinode.amplitude.config import Config

_UNKNOWN_KEY: Final = b"Invalid API key"


class Carrier:
    """The transport of one client's delivery. Says in the configured log when the server refuses the key."""

    def __init__(self, configuration: Config) -> None:
        self.make: Callable[[], FullTransport] = _connected_to_nothing
        """What makes the transport. A client whose events a test takes is never told where to send."""
        self._made: FullTransport | None = None
        self._is_closed = False
        self._first: dict[str, FullTransport] = {}
        self._configuration = configuration
        self.sent: Counter[str] = Counter()
        """By insert_id, how many requests to a replaced `post` an event was in."""

    def send(self, request: Request) -> HttpResponse:
        """Send it, and return the answer. Raises `TransportError` when there is none."""
        try:
            answer = self._ask_replacement(request) if is_replaced() else self._transport.send(request)
        finally:
            if self._is_closed:
                self.close()  # this request began too late for anybody else to close what it leaves open
        if answer.status == 400 and _UNKNOWN_KEY in answer.body:
            self._configuration.logger.error("Invalid API Key")
        return answer

    def close(self) -> None:
        """Let connections go, also those of requests that begin later."""
        self._is_closed = True
        if self._made is not None:
            self._made.close()

    def cancel_all(self) -> None:
        """Make the sends under way fail soon."""
        if self._made is not None:
            self._made.cancel_all()

    def is_late(self, sends: int) -> bool:
        """Whether one of so many sends waits for this process at the moment."""
        return self._made is not None and not is_replaced() and self._made.is_late(sends)

    def abandon(self) -> None:
        """In a forked child, let go of the parent's connections."""
        if self._made is not None:
            self._made.abandon()

    @property
    def _transport(self) -> FullTransport:
        if self._made is None:
            # Uploads may come here at once: all go on with the first transport, and the others open nothing.
            self._made = self._first.setdefault("transport", self.make())
        return self._made

    def _ask_replacement(self, request: Request) -> HttpResponse:
        events = json.loads(request.body)["events"]
        self.sent.update(event["insert_id"] for event in events if "insert_id" in event)
        post: Callable[[str, bytes], Any] = HttpClient.post
        try:
            answer = post(request.url, request.body)
        except Exception as error:
            raise TransportError(f"the replaced HttpClient.post raised {type(error).__name__}") from error
        return _as_answer(answer, len(events))


def is_replaced() -> bool:
    """Whether a test has replaced what sends."""
    return HttpClient.post is not http_client.POST


def _connected_to_nothing() -> FullTransport:
    raise TransportError("the client was not told where to send")


def _as_answer(answer: Any, count: int) -> HttpResponse:
    """What a replaced `post` has returned; anything else than a response means that the events were taken."""
    status = getattr(answer, "status", None)
    if not isinstance(status, HttpStatus) or status is HttpStatus.SUCCESS:
        return HttpResponse(200, {}, json.dumps({"code": 200, "events_ingested": count}).encode())
    if status is HttpStatus.TIMEOUT:
        raise TransportTimeout("the replaced HttpClient.post timed out")
    if status is HttpStatus.UNKNOWN:
        raise TransportError("the replaced HttpClient.post reached nobody")
    body = answer.body if isinstance(answer.body, dict) else {}
    code = answer.code if isinstance(answer.code, int) else status.value
    return HttpResponse(code, {}, json.dumps({"code": code, **body}).encode())


__all__ = ["Carrier", "HttpClient", "Response", "is_replaced"]
