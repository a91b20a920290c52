"""The endpoint has the accidents that it is told to have."""

from __future__ import annotations

import gzip
import http.client
import socket
from typing import TYPE_CHECKING

import pytest

from antinode.testing import Answer, Endpoint
from antinode.testing.faults import (
    FAULTS,
    after,
    cut_short,
    delay,
    down,
    drip,
    drop_after,
    drop_before,
    during,
    every,
    first_of,
    from_spec,
    garbage,
    hang,
    invalid,
    invalid_api_key,
    max_body,
    poison,
    project_limit,
    random_mix,
    silence,
    throttle,
    times,
)

if TYPE_CHECKING:
    pass

from tests.testing.requests import BATCH, KEY, V2, body, connect, event, post, post_raw


def test_the_script_goes_first_and_is_used_up(endpoint: Endpoint) -> None:
    """Queued faults meet the next requests one by one, then the standing fault is asked."""
    endpoint.answer = Answer(503)
    endpoint.script([Answer(500), None, lambda arrival: Answer(200 + len(arrival.events))])
    statuses = [post(endpoint, event(number), event(-number))[0] for number in range(1, 6)]

    assert statuses == [500, 200, 202, 503, 503]
    assert len(endpoint.received) == 4


def test_an_answer_can_be_anything(endpoint: Endpoint) -> None:
    """Status, headers and a body that is not JSON are sent as they are; a 2xx keeps the events."""
    endpoint.script([Answer(429, body="<html>", headers={"Retry-After": "7"}), Answer(202, body=b"fine")])
    with connect(endpoint) as connection:
        connection.request("POST", V2, body(event(1)))
        response = connection.getresponse()
        assert (response.status, response.headers["Retry-After"], response.read()) == (429, "7", b"<html>")
        assert response.headers["Content-Type"].startswith("text/html")
        assert endpoint.events == []
        connection.request("POST", V2, body(event(1)))
        assert connection.getresponse().read() == b"fine"
    assert len(endpoint.events) == 1


def test_a_lost_answer_may_have_stored_the_events(endpoint: Endpoint) -> None:
    """500 with store=True, and a 200 with store=False, do what a real server cannot be asked to do."""
    endpoint.script([Answer(500, store=True), Answer(200, store=False)])
    assert post(endpoint, event(1))[0] == 500
    assert post(endpoint, event(2))[0] == 200
    assert endpoint.events == [event(1)]


@pytest.mark.parametrize("status", [302, 400, 413, 429, 503])
def test_a_refused_request_cannot_be_stored(status: int) -> None:
    """Statuses that mean refusal never go with store=True."""
    with pytest.raises(ValueError, match="never ingested"):
        Answer(status, store=True)


def test_a_bad_request_is_never_stored(endpoint: Endpoint) -> None:
    """What the endpoint's own rules refuse is not kept, whatever is answered."""
    endpoint.script([Answer(200), drop_after()])
    assert post(endpoint, event(1, time="noon"))[0] == 200
    with pytest.raises(http.client.RemoteDisconnected):
        post(endpoint, event(1, time="noon"))
    assert endpoint.received == []


def test_a_connection_cut_before_stores_nothing(endpoint: Endpoint) -> None:
    """`drop_before` resets the connection without reading the body."""
    endpoint.script([drop_before()])
    with socket.create_connection(("127.0.0.1", endpoint.port)) as client:
        client.sendall(f"POST {V2} HTTP/1.1\r\nContent-Length: 100\r\n\r\n".encode())
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    assert (endpoint.requests[0].status, endpoint.requests[0].wire_size) == (0, 0)
    assert endpoint.received == []


def test_a_connection_cut_after_has_stored_everything(endpoint: Endpoint) -> None:
    """`drop_after` accepts the events and loses the answer; `cut_short` loses half of it."""
    endpoint.script([drop_after(), cut_short()])
    with pytest.raises(http.client.RemoteDisconnected):
        post(endpoint, event(1))
    with pytest.raises(http.client.IncompleteRead):
        post(endpoint, event(2))
    assert [e["insert_id"] for e in endpoint.events] == ["insert-1", "insert-2"]


def test_a_client_that_leaves_is_no_failure(endpoint: Endpoint) -> None:
    """A body cut short by the client is entered as a request without an answer or events."""
    with socket.create_connection(("127.0.0.1", endpoint.port)) as client:
        client.sendall(f"POST {V2} HTTP/1.1\r\nContent-Length: 100\r\n\r\n{{".encode())
    endpoint.wait_for_requests(1)
    assert endpoint.requests[0].status == 0


@pytest.mark.parametrize("store", [False, True])
def test_a_hanging_request_ends_with_the_endpoint(store: bool) -> None:
    """`hang` never answers; the connection ends when the endpoint closes."""
    with Endpoint() as endpoint:
        endpoint.answer = hang(store=store)
        with connect(endpoint) as connection:
            connection.request("POST", V2, body(event(1)))
            endpoint.wait_for_requests(1)
            endpoint.close()
            with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
                connection.getresponse()
        assert len(endpoint.events) == store


def test_a_slow_answer_follows_the_entry(endpoint: Endpoint) -> None:
    """`delay` stores at once and answers later; `drip` answers whole in the end."""
    endpoint.script([delay(0.01), drip(0.01)])
    assert post(endpoint, event(1))[0] == 200
    assert post(endpoint, event(2))[0] == 200


def test_garbage_is_not_http(endpoint: Endpoint) -> None:
    """`garbage` answers with bytes that no HTTP client can read."""
    endpoint.script([garbage()])
    with pytest.raises(http.client.BadStatusLine):
        post(endpoint, event(1))
    assert endpoint.events == []


def test_down_refuses_and_up_listens_on_the_same_port(endpoint: Endpoint) -> None:
    """While down, open connections are cut and new ones refused; afterwards the URL is as before."""
    url = endpoint.url
    with connect(endpoint) as connection:
        connection.request("POST", V2, body(event(1)))
        connection.getresponse().read()
        endpoint.down()
        assert connection.sock.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        post(endpoint, event(2))
    endpoint.down()
    endpoint.up()
    endpoint.up()

    assert endpoint.url == url
    assert post(endpoint, event(2))[0] == 200


def test_a_request_can_bring_it_down_for_a_while(endpoint: Endpoint) -> None:
    """`down` as a fault cuts the request, stores nothing, and ends by itself."""
    endpoint.script([down(0.05)])
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        post(endpoint, event(1))
    endpoint.wait_until_up()

    assert post(endpoint, event(2))[0] == 200
    assert endpoint.events == [event(2)]


def test_throttling_names_users_devices_and_positions(endpoint: Endpoint) -> None:
    """A request with a hot id is refused whole, with the rates of the ids in it and their positions."""
    endpoint.answer = throttle(users={"user-1": 44, "user-9": 50}, devices=["device-1"])
    answer = post(endpoint, event(0, "user-2"), event(1), event(2, "user-3", device_id="device-1"), event(3))
    assert answer == (
        429,
        {
            "code": 429,
            "error": "Too many requests for some devices and users",
            "eps_threshold": 30,
            "throttled_users": {"user-1": 44},
            "throttled_devices": {"device-1": 31},
            "throttled_events": [1, 2, 3],
        },
    )
    assert endpoint.received == []
    assert post(endpoint, event(0, "user-2"))[0] == 200


def test_quotas_and_silenced_devices(endpoint: Endpoint) -> None:
    """Ids over their quota appear in maps of their own; silenced devices are a 400."""
    endpoint.script([throttle(quota_users={"user-1": 500_200}), silence(["device-1"]), project_limit(60)])
    status, answer = post(endpoint, event(1), path=BATCH)
    assert (status, answer["exceeded_daily_quota_users"]) == (429, {"user-1": 500_200})
    status, answer = post(endpoint, event(1), event(2, device_id="device-1"))
    assert (status, answer["silenced_devices"], answer["silenced_events"]) == (400, ["device-1"], [1])
    assert post(endpoint, event(1)) == (429, {"code": 429, "error": "Too many requests"})


@pytest.mark.parametrize(
    ("path", "first_only", "named"),
    [(V2, None, [1]), (BATCH, None, [1, 2]), (V2, False, [1, 2]), (BATCH, True, [1])],
)
def test_invalid_events_are_named_as_the_api_does(
    endpoint: Endpoint, path: str, first_only: bool | None, named: list[int]
) -> None:
    """HTTP V2 names the first bad event, Batch all of them, unless the script says otherwise."""
    endpoint.answer = invalid({"event_properties.seq": 7}, field="price", first_only=first_only)
    answer = post(endpoint, event(1), event(7), event(7), path=path)
    assert answer == (
        400,
        {
            "code": 400,
            "error": "Invalid field values on some events",
            "events_with_invalid_fields": {"price": named},
        },
    )
    assert post(endpoint, event(1), path=path)[0] == 200


def test_refusals_that_name_nobody(endpoint: Endpoint) -> None:
    """A firewall's page, a body too large and an unknown key refuse the request and nothing of it is kept."""
    endpoint.script([poison(lambda e: e["insert_id"] == "insert-1"), max_body(10), invalid_api_key()])
    with connect(endpoint) as connection:
        connection.request("POST", V2, body(event(1)))
        response = connection.getresponse()
        assert (response.status, response.read()[:6]) == (403, b"<html>")
    assert post(endpoint, event(1)) == (413, {"code": 413, "error": "Payload too large"})
    assert post(endpoint, event(1)) == (
        400,
        {"code": 400, "error": f"Invalid API key: {KEY}"},
    )
    assert endpoint.received == []


def test_max_body_is_measured_after_decompression(endpoint: Endpoint) -> None:
    """A small compressed body that inflates over the limit is too large."""
    raw = body(*(event(number) for number in range(100)))
    small = gzip.compress(raw)
    endpoint.answer = max_body(len(small))
    assert post_raw(endpoint, small, headers={"Content-Encoding": "gzip"})[0] == 413


def statuses(endpoint: Endpoint, count: int) -> list[int]:
    with connect(endpoint) as connection:
        found = []
        for number in range(count):
            connection.request("POST", V2, body(event(number)))
            response = connection.getresponse()
            response.read()
            found.append(response.status)
        return found


def test_faults_combine(endpoint: Endpoint) -> None:
    """`every`, `after`, `times` and `first_of` decide which requests a fault strikes."""
    endpoint.answer = first_of(every(3, Answer(500)), times(1, after(3, Answer(503))))
    assert statuses(endpoint, 7) == [200, 200, 500, 200, 503, 500, 200]


def test_a_fault_may_last_for_a_while(endpoint: Endpoint) -> None:
    """`during` counts its seconds from the first request that it strikes."""
    endpoint.answer = during(0, Answer(500))
    assert statuses(endpoint, 1) == [200]
    endpoint.answer = during(3600, Answer(500))
    assert statuses(endpoint, 2) == [500, 500]


def test_the_same_seed_gives_the_same_accidents(endpoint: Endpoint) -> None:
    """`random_mix` draws once per request; the seed decides the sequence."""
    runs = []
    for _ in range(2):
        endpoint.answer = random_mix(7, {Answer(500): 0.3, Answer(503): 0.3})
        runs.append(statuses(endpoint, 30))
    assert runs[0] == runs[1]
    assert set(runs[0]) == {200, 500, 503}
    with pytest.raises(ValueError, match="add up to 1"):
        random_mix(7, {Answer(500): 0.7, Answer(503): 0.7})


def test_faults_can_be_written_as_json(endpoint: Endpoint) -> None:
    """A name or an object with arguments makes a fault, also a combined one."""
    endpoint.answer = from_spec(
        {
            "fault": "first_of",
            "of": [
                {"fault": "every", "n": 2, "of": {"fault": "answer", "status": 500}},
                {"fault": "random_mix", "seed": 1, "of": [["invalid_api_key", 1]]},
            ],
        }
    )
    assert statuses(endpoint, 2) == [400, 500]
    assert from_spec(None) is None


@pytest.mark.parametrize(
    "spec",
    [
        "explode",
        {},
        7,
        {"fault": "every"},
        {"fault": "every", "n": 2, "of": None},
        {"fault": "delay", "x": 1},
    ],
)
def test_nonsense_is_no_fault(spec: object) -> None:
    """An unknown name or arguments that do not fit raise ValueError."""
    with pytest.raises(ValueError, match="fault"):
        from_spec(spec)


def test_every_fault_has_a_name_for_json() -> None:
    """The names are those of the functions, and `answer` for a plain answer."""
    assert {
        "answer",
        "drop_after",
        "hang",
        "throttle",
        "invalid",
        "every",
        "random_mix",
        "down",
    } <= FAULTS.keys()
