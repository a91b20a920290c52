"""What the shell learns of an exchange beside its verdict."""

from __future__ import annotations

import threading

import pytest

import antinode
from antinode._delivery.core.batch import Upload
from antinode._delivery.core.envelope import Envelope
from antinode._delivery.http.transport import HttpTransport
from antinode._delivery.messages import CompletedTransport, HttpResponse, Request, TimedResponse
from antinode._delivery.record import Record
from antinode._delivery.shell.exchange import Exchanger, Reply, UploadRoute
from antinode._protocol.endpoints import Endpoint
from tests.delivery.rawserver import OK, Peer, RawServer


@pytest.mark.parametrize(
    ("response", "expected"),
    [(TimedResponse(200, {}, b"{}", 0.25), 0.25), (HttpResponse(200, {}, b"{}"), 3.0)],
)
def test_how_long_an_answer_took_is_the_transports_to_say(response: HttpResponse, expected: float) -> None:
    """One that does not say has taken what the whole exchange did."""
    times = iter([1.0, 4.0])

    class Ready:
        def send(self, request: Request) -> HttpResponse:
            return response

        def close(self) -> None:
            return

    route = UploadRoute("http://localhost/", Envelope("a" * 32))
    exchanger = Exchanger(
        lambda: CompletedTransport(Ready()),
        {Endpoint.HTTP_V2: route},
        headers={},
        clock=lambda: next(times),
    )
    replies: list[Reply] = []
    upload = Upload(1, [Record(b"{}", 1, 0.0)], Endpoint.HTTP_V2)
    exchanger.exchange(upload, 9.0, replies.append, lambda _: True)
    assert [reply.seconds for reply in replies] == [expected]


def test_the_coordinator_asks_who_is_late_while_an_upload_is_under_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It asks of as many as there are."""
    asked, is_asked, go = [], threading.Event(), threading.Event()
    is_late = HttpTransport.is_late

    def listening(transport: HttpTransport, sends: int) -> bool:
        asked.append(sends)
        is_asked.set()
        return is_late(transport, sends)

    monkeypatch.setattr(HttpTransport, "is_late", listening)

    def handle(peer: Peer) -> None:
        while peer.read_request() is not None:
            assert go.wait(60)
            peer.send(OK)

    with RawServer(handle) as server:
        client = antinode.init("a" * 32, server_url=server.url, proxy=False)
        try:
            client.log_event({"event_type": "a", "user_id": "user-1"})
            assert server.received.wait(60)
            client.log_event({"event_type": "b", "user_id": "user-2"})
            flushing = threading.Thread(target=client.flush, args=(60,))
            flushing.start()
            assert is_asked.wait(60)
            go.set()
            flushing.join()
        finally:
            go.set()
            client.shutdown(60)
    assert set(asked) == {1}
