"""What code logs, as a test sees it: taken off its way, matched, told where it differs."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import antinode
from antinode.testing import ANY, Captured, Endpoint, capture
from antinode.testing._matching import is_match

KEY = "0123456789abcdef0123456789abcdef"
ORDER = {
    "event_type": "Order Placed",
    "user_id": "user-20391",
    "event_properties": {"total": 12, "vip": True},
}


@pytest.fixture
def amplitude() -> Iterator[Captured]:
    with capture() as held:
        yield held


@pytest.fixture
def client() -> Iterator[antinode.Client]:
    client = antinode.Client()
    yield client
    client.shutdown(0)


def test_what_is_logged_is_there_at_once(amplitude: Captured, client: antinode.Client) -> None:
    """After context, middleware and defaults, with its delivery done, and no thread started."""
    threads = set(threading.enumerate())
    client.init(KEY, on_outcome=(told := []).append)
    client.add_event_middleware(lambda payload, next: next(payload))
    with antinode.context(session_id=1_700_000_000_000):
        delivery = client.log_event(ORDER)
    called: list[object] = []
    delivery.add_done_callback(called.append)
    event = amplitude.only("Order Placed")
    assert (event["session_id"], event.properties) == (1_700_000_000_000, {"total": 12, "vip": True})
    assert event["insert_id"]
    assert event["time"]
    assert delivery.result(0).ok
    assert called == told == [delivery]
    assert client.flush(0).delivered == 1
    assert client.stats().balanced
    assert set(threading.enumerate()) <= threads


def test_any_instance_will_do(amplitude: Captured) -> None:
    """One that is not initialised, one that is disabled, the default one, one that would store on disk."""
    antinode.Client("unready").log_event(ORDER)
    antinode.Client("off").init(enabled=False).log_event(ORDER)
    antinode.Client("keyless").init().log_event(ORDER)
    antinode.log_event(ORDER)
    assert [event.instance for event in amplitude] == ["unready", "off", "keyless", None]


def test_an_instance_that_was_shut_down_is_heard_again(client: antinode.Client) -> None:
    """Its application ended in an earlier test, or an earlier capture; afterwards it is as it was."""
    with Endpoint() as endpoint:
        client.init(KEY, server_url=endpoint.url).shutdown()
        for _ in range(2):
            with capture() as amplitude:
                client.log_event(ORDER)
                client.shutdown()
            amplitude.only("Order Placed")
        assert client.log_event(ORDER).result(0).reason == "shutdown"
        assert endpoint.events == []


def test_nothing_is_written(amplitude: Captured, tmp_path: Any) -> None:
    """An instance with a spool and dead letters touches neither."""
    client = antinode.Client().init(
        KEY, storage=str(tmp_path / "spool"), dead_letters=str(tmp_path / "dead.jsonl")
    )
    client.log_event(ORDER)
    client.log_event({"event_type": "No User"})
    assert len(amplitude.take_problems()) == 1
    client.shutdown()
    assert list(tmp_path.iterdir()) == []


def test_afterwards_everything_is_as_before() -> None:
    """An instance that sent sends again, with its middleware; one that was off or not initialised is so."""
    with Endpoint() as endpoint:
        sending = antinode.Client().init(KEY, server_url=endpoint.url)
        off, unready = antinode.Client().init(enabled=False), antinode.Client()
        clients = (sending, off, unready)
        before = [repr(each) for each in clients]
        with capture() as amplitude:
            for each in clients:
                each.log_event(ORDER)
        assert len(amplitude) == 3
        assert [repr(each) for each in clients] == before
        for each in clients:
            each.log_event({**ORDER, "event_type": "Sent"})
        sending.shutdown()
        assert [event["event_type"] for event in endpoint.events] == ["Sent"]
        assert off.stats().skipped == {"disabled": 1}
        assert unready.stats().skipped == {"not_initialised": 1}


def test_what_is_initialised_inside_sends_afterwards() -> None:
    """A key and options that were given inside hold when the capture is over."""
    with Endpoint() as endpoint:
        client = antinode.Client()
        with capture():
            client.init(KEY, server_url=endpoint.url)
            client.log_event(ORDER)
        client.log_event({**ORDER, "event_type": "Sent"})
        client.shutdown()
        assert [event["event_type"] for event in endpoint.events] == ["Sent"]


def test_a_second_init_ends_the_first() -> None:
    """What was queued before the capture is delivered, though the instance is initialised inside."""
    with Endpoint() as endpoint:
        client = antinode.Client().init(KEY, server_url=endpoint.url, upload_interval_in_sec=3600)
        client.log_event(ORDER)
        with capture() as amplitude:
            client.init(KEY, server_url=endpoint.url)
            client.log_event(ORDER)
        assert len(amplitude) == len(endpoint.events) == 1
        client.shutdown()


def test_captures_nest(amplitude: Captured) -> None:
    """The inner one takes what is logged inside it."""
    antinode.log_event(ORDER)
    with capture() as inner:
        antinode.log_event(ORDER)
    antinode.log_event(ORDER)
    assert (len(amplitude), len(inner)) == (2, 1)


def test_opt_out_is_respected(amplitude: Captured, client: antinode.Client) -> None:
    """A user who opted out logs nothing here, either."""
    client.init(KEY, opt_out=True)
    client.log_event(ORDER)
    client.opt_out = False
    client.log_event(ORDER)
    amplitude.assert_logged("Order Placed", times=1)


def test_threads_are_heard(amplitude: Captured) -> None:
    """Events of all threads are taken, none is lost."""
    threads = [
        threading.Thread(target=lambda: [antinode.log_event(ORDER) for _ in range(50)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    amplitude.assert_logged("Order Placed", times=200)


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (lambda: antinode.log_event({"event_type": "No User"}), "neither a `user_id` nor a `device_id`"),
        (lambda: antinode.log_event({**ORDER, "evnt_properties": {}}), "write `event_properties`"),
        (lambda: antinode.log_event({**ORDER, "price": "12"}), "was mended"),
        (lambda: antinode.identify("user-20391", "plan"), "identify"),  # type: ignore[arg-type, call-overload]
    ],
    ids=["refused", "unknown key", "mended", "bad call"],
)
def test_a_problem_fails_the_test(log: Any, said: str) -> None:
    """What the log tells of an event is raised at the end, with its line; unless the test takes it."""
    with pytest.raises(AssertionError, match=re.escape(said)), capture():
        log()
    with capture(strict=False) as amplitude:
        log()
    assert said in amplitude.problems[0]
    assert "test_capture.py:" in amplitude.problems[0]
    with capture() as amplitude:
        log()
        assert said in amplitude.take_problems()[0]


def test_a_middleware_that_raises_fails_the_test(client: antinode.Client) -> None:
    """With its name, since nothing of the event is to be sent then."""

    def redact_ip(payload: Any, next: Any) -> None:
        raise KeyError("ip")

    client.add_event_middleware(redact_ip)
    with pytest.raises(AssertionError, match="redact_ip"), capture() as amplitude:
        client.log_event(ORDER)
    assert len(amplitude) == 0


def test_an_error_in_the_block_is_not_hidden() -> None:
    """It is raised as it is, whatever the events were like."""

    def fail() -> None:
        antinode.log_event({"event_type": "No User"})
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), capture():
        fail()


def test_matchers(amplitude: Captured) -> None:
    """A type, a pattern, `approx`, `ANY`; other keys of properties do not matter, those of a value do."""
    antinode.log_event(
        {**ORDER, "event_properties": {"total": 12.3, "sku": "A-88231", "box": {"w": 1, "h": 2}}}
    )
    amplitude.assert_logged(properties={"total": float, "sku": re.compile(r"\d{5}$")})
    amplitude.assert_logged(re.compile("^Order"), properties={"total": pytest.approx(12.30001), "sku": ANY})
    amplitude.assert_logged(properties={"box": {"w": 1, "h": int}})
    amplitude.assert_not_logged(properties={"box": {"w": 1}})
    amplitude.assert_not_logged(properties={"coupon": ANY, "sku": "A-1"})
    amplitude.assert_not_logged(properties={"total": bool})


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES, VALUES)
def test_a_value_matches_itself_and_no_other(one: Any, other: Any) -> None:
    """Values match as JSON tells them apart: 1 is no `true`."""
    assert is_match(one, one)
    assert is_match(one, other) is (_told(one) == _told(other))


def _told(value: Any) -> Any:
    """A value in which booleans are unlike numbers."""
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, list):
        return [_told(each) for each in value]
    if isinstance(value, dict):
        return {key: _told(each) for key, each in value.items()}
    return value


def test_a_failure_shows_where_the_nearest_event_differs(amplitude: Captured) -> None:
    """One value a line, the nearest event first; others not at all."""
    antinode.log_event({"event_type": "Checkout Begun", "user_id": "user-1"})
    antinode.log_event(ORDER)
    with pytest.raises(AssertionError) as caught:
        amplitude.assert_logged("Order Placed", user_id="user-88231", properties={"total": 12.5, "sku": str})
    told = str(caught.value).splitlines()
    assert told[0] == '"Order Placed" was not logged as described; the nearest:'
    assert re.fullmatch(r'  "Order Placed", logged at .*test_capture\.py:\d+', told[1])
    assert told[2:] == [
        "    user_id                 expected 'user-88231', found 'user-20391'",
        "    event_properties.total  expected 12.5, found 12",
        "    event_properties.sku    expected any str, found nothing",
    ]


def test_a_failure_finds_the_misspelt_type(amplitude: Captured) -> None:
    antinode.log_event(ORDER)
    with pytest.raises(AssertionError, match="expected 'order placed', found 'Order Placed'"):
        amplitude.assert_logged("order placed")


def test_a_failure_counts(amplitude: Captured) -> None:
    """Too many, too few and unwanted ones are listed with their lines."""
    with pytest.raises(AssertionError, match="nothing was logged at all"):
        amplitude.assert_logged("Order Placed")
    amplitude.assert_not_logged()
    for _ in range(2):
        antinode.log_event(ORDER)
    with pytest.raises(AssertionError, match=r'"Order Placed" was logged twice, and once was expected'):
        amplitude.assert_logged("Order Placed", times=1)
    with pytest.raises(AssertionError, match=r"was logged twice, and once was expected"):
        amplitude.only("Order Placed")
    with pytest.raises(
        AssertionError, match=r'was not to be:\n  "Order Placed" of \'user-20391\', logged at'
    ):
        amplitude.assert_not_logged("Order Placed")
    amplitude.assert_logged("Refund", times=0)


def test_users_and_identifies(amplitude: Captured) -> None:
    """Each user's events, and what changes properties, can be looked at alone."""
    antinode.log_event(ORDER)
    antinode.identify("user-1", antinode.Identify().set("plan", "pro"))
    antinode.group_identify("org", "acme", antinode.Identify().set("seats", 5))
    antinode.log_event({"event_type": "Opened", "device_id": "device-1"})
    amplitude.of("user-20391").assert_logged("Order Placed", times=1)
    amplitude.of("user-1").assert_not_logged("Order Placed")
    amplitude.of(device_id="device-1").only("Opened")
    assert [each["user_properties"] for each in amplitude.identifies] == [{"$set": {"plan": "pro"}}]
    assert [each["groups"] for each in amplitude.group_identifies] == [{"org": "acme"}]
    amplitude.clear()
    assert amplitude.events == []


def test_a_snapshot_is_stable(amplitude: Captured) -> None:
    """The same from run to run; what else changes can be left out."""
    antinode.log_event({**ORDER, "event_properties": {"total": 12, "order_id": "88231", "items": ["Ä", 1]}})
    antinode.log_event({"event_type": "Opened", "device_id": "device-1", "ip": "127.0.0.1"})
    assert amplitude.snapshot(without=["event_properties.order_id", "ip"]) == (
        "Order Placed\n"
        '  user_id: "user-20391"\n'
        "  event_properties:\n"
        '    items: ["Ä", 1]\n'
        "    total: 12\n"
        "\n"
        "Opened\n"
        '  device_id: "device-1"\n'
    )
