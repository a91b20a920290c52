"""The endpoint keeps exact books of what arrived, in order, and can be waited for."""

from __future__ import annotations

import http.client
import socket
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antinode.testing import Answer, Arrival, Endpoint
from antinode.testing.faults import (
    drop_after,
)

if TYPE_CHECKING:
    pass

from tests.testing.requests import V2, body, connect, event, post


def test_duplicates_are_accepted_and_counted_once(endpoint: Endpoint) -> None:
    """The key is device_id, or else user_id, with insert_id; the first arrival is the one that counts."""
    post(endpoint, event(1), event(2))
    assert post(endpoint, event(2), event(3))[1]["events_ingested"] == 2
    post(endpoint, event(1, "user-2"), event(1, device_id="device-1"))

    assert [(e["user_id"], e["insert_id"]) for e in endpoint.events] == [
        ("user-1", "insert-1"),
        ("user-1", "insert-2"),
        ("user-1", "insert-3"),
        ("user-2", "insert-1"),
        ("user-1", "insert-1"),
    ]
    assert len(endpoint.received) == 6
    assert endpoint.duplicates() == [("user-1", "insert-2")]


def test_order_is_kept_by_stream(endpoint: Endpoint) -> None:
    """`seq` must ascend within a user and device; a duplicate that comes late is no disorder."""
    post(endpoint, event(1), event(3), event(2, "user-2"), event(2, device_id="device-1"))
    post(endpoint, event(1), event(2), event(4), event(1, "user-2"))

    assert [tuple(found) for found in endpoint.out_of_order()] == [
        ("user-1", None, 2, 3),
        ("user-2", None, 1, 2),
    ]


@given(st.lists(st.tuples(st.sampled_from(["user-1", "user-2"]), st.integers(0, 9)), max_size=30))
def test_the_ledger_is_exact(sent: list[tuple[str, int]]) -> None:
    """First arrivals are events, others duplicates; disorder is what comes after a later one."""
    with Endpoint() as endpoint:
        with connect(endpoint) as connection:
            for user, number in sent:
                connection.request("POST", V2, body(event(number, user)))
                connection.getresponse().read()
        first = list(dict.fromkeys(sent))

        assert [(e["user_id"], e["event_properties"]["seq"]) for e in endpoint.events] == first
        assert len(endpoint.received) == len(sent)
        assert len(endpoint.duplicates()) == len(sent) - len(first)
        late = [
            (user, number)
            for position, (user, number) in enumerate(first)
            if any(u == user and n > number for u, n in first[:position])
        ]
        assert [(found.user_id, found.seq) for found in endpoint.out_of_order()] == late


def test_ids_alone_are_enough_for_the_books() -> None:
    """With keep="ids" the counts and the findings are the same, and events cannot be looked at."""
    with Endpoint(keep="ids") as endpoint:
        post(endpoint, event(2), event(1))
        post(endpoint, event(1))

        assert endpoint.duplicates() == [("user-1", "insert-1")]
        assert [found.seq for found in endpoint.out_of_order()] == [1]
        summary = endpoint.summary()
        assert (summary["events"], summary["received"]) == (2, 3)
        assert [(request.event_count, request.events) for request in endpoint.requests] == [(2, []), (1, [])]
        with pytest.raises(RuntimeError, match="keep='all'"):
            _ = endpoint.events


def test_the_summary_counts(endpoint: Endpoint) -> None:
    """One look gives the whole account; status 0 stands for a request without an answer."""
    endpoint.script([None, Answer(500), drop_after()])
    post(endpoint, event(1), event(2, insert_id=None))
    post(endpoint, event(3))
    with pytest.raises(http.client.RemoteDisconnected):
        post(endpoint, event(1))

    summary = endpoint.summary()
    assert summary.pop("wire_bytes") == summary.pop("inflated_bytes") > 0
    assert summary == {
        "events": 2,
        "received": 3,
        "duplicates": 1,
        "out_of_order": 0,
        "without_insert_id": 1,
        "requests": 3,
        "by_status": {"0": 1, "200": 1, "500": 1},
        "connections": 3,
        "failures": [],
    }
    endpoint.clear()
    assert endpoint.requests == []
    assert endpoint.events == []


def test_waiting_ends_when_the_events_are_there(endpoint: Endpoint) -> None:
    """`wait_for` returns once so many events were accepted, or tells how many were."""
    sender = threading.Thread(target=post, args=(endpoint, event(1), event(2)))
    sender.start()
    endpoint.wait_for(events=2)
    endpoint.wait_for_requests(1)
    sender.join()

    with pytest.raises(TimeoutError, match="2 of 3 events"):
        endpoint.wait_for(events=3, timeout=0)


def test_a_failing_fault_is_raised_where_it_was_caused() -> None:
    """An exception in a script cuts the connection, ends the waits, and leaves the with block."""
    # http.client's RemoteDisconnected is one too: which it is depends on how much had been read by then.

    def broken(_: Arrival) -> Answer:
        raise LookupError("a mistake in the test")

    with Endpoint() as endpoint:
        endpoint.answer = broken
        with pytest.raises(ConnectionResetError):
            post(endpoint, event(1))
        with pytest.raises(LookupError):
            endpoint.wait_for(events=1)
        endpoint.check()
    with pytest.raises(LookupError), Endpoint() as endpoint:  # noqa: PT012 - it is the with block that raises
        endpoint.answer = broken
        with pytest.raises(ConnectionResetError):
            post(endpoint, event(1))


def test_what_is_not_http_is_a_failure() -> None:
    """A client that does not speak HTTP is told about by `check`."""
    with Endpoint() as endpoint:
        with socket.create_connection(("127.0.0.1", endpoint.port)) as client:
            client.sendall(b"\x16\x03\x01\r\n\r\n")
            assert client.recv(1) == b""
        with pytest.raises(Exception, match="not HTTP"):
            endpoint.check()
