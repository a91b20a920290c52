"""What answers mean for the events of a request."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antinode._protocol.responses import Action, Verdict, judge, unreached
from antinode._protocol.status import Status

KEY = "0123456789abcdef0123456789abcdef"


def of(
    status: int, body: Any = b"", *, count: int = 4, ids: Any = None, headers: dict[str, str] | None = None
) -> Verdict:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    users = ids or [(f"user-{i}", f"device-{i}") for i in range(count)]
    return judge(status, headers or {}, raw, count, lambda i: users[i])


@pytest.mark.parametrize(
    ("status", "action", "ends_as"),
    [
        (100, Action.STOP, Status.FAILED),
        (200, Action.DELIVERED, Status.SUCCESS),
        (204, Action.DELIVERED, Status.SUCCESS),
        (301, Action.STOP, Status.FAILED),
        (307, Action.STOP, Status.FAILED),
        (400, Action.BISECT, Status.INVALID),
        (401, Action.STOP, Status.FAILED),
        (403, Action.BISECT, Status.INVALID),
        (404, Action.STOP, Status.FAILED),
        (405, Action.STOP, Status.FAILED),
        (408, Action.RETRY, Status.TIMEOUT),
        (413, Action.HALVE, Status.PAYLOAD_TOO_LARGE),
        (418, Action.STOP, Status.FAILED),
        (429, Action.WAIT, Status.RATE_LIMIT),
        (500, Action.RETRY, Status.FAILED),
        (503, Action.RETRY, Status.FAILED),
        (599, Action.RETRY, Status.FAILED),
        (0, Action.RETRY, Status.UNKNOWN),
    ],
)
@pytest.mark.parametrize("body", [b"", b"{}", b"[1", b'"success"'])
def test_the_status_decides_when_the_body_says_nothing(
    status: int, action: Action, ends_as: Status, body: bytes
) -> None:
    """Each HTTP status has its action, with an empty body, a page, or JSON that names nobody."""
    verdict = of(status, body)
    assert (verdict.action, verdict.status, verdict.code) == (action, ends_as, status)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"<!doctype html><title>Our shop</title>", {}),
        (b"\xef\xbb\xbf \n<html><body>Log in</body></html>", {"Content-Type": "text/html"}),
        (b"<?xml version='1.0'?><ok/>", {"content-type": "application/xml"}),
        (b"Welcome", {"Content-Type": "text/html; charset=utf-8"}),
        (b"<" + b"a" * 10_000, {}),
    ],
)
@pytest.mark.parametrize("status", [200, 201, 202, 203])
def test_a_page_under_a_2xx_delivers_nothing(status: int, body: bytes, headers: dict[str, str]) -> None:
    """A web page is the answer of a log-in page or a shop, never Amplitude's: a configuration fault."""
    verdict = of(status, body, headers=headers)
    assert (verdict.action, verdict.status, verdict.code) == (Action.STOP, Status.FAILED, status)
    assert "web page" in verdict.message
    assert "server_url" in verdict.message


@pytest.mark.parametrize(
    ("body", "is_confirmed"),
    [
        ({"code": 200, "events_ingested": 4}, True),
        ({"events_ingested": 4}, True),
        ({"code": 200}, True),
        ({}, False),
        ({"status": "ok"}, False),
        ({"code": "200"}, False),
        ([], False),
        (b"null", False),
        (b"", False),
        (b"  \n", False),
        (b"success", False),
        (b'{"code": 200, "even', False),
    ],
)
def test_a_success_in_another_form_is_not_confirmed(body: Any, is_confirmed: bool) -> None:
    """What is neither a page nor Amplitude's own JSON counts as delivered, and says that it is neither."""
    verdict = of(200, body)
    assert verdict.action is Action.DELIVERED
    assert verdict.is_confirmed is is_confirmed
    assert (verdict.message == "accepted") is is_confirmed


@pytest.mark.parametrize(
    ("status", "body", "headers", "remedy"),
    [
        (400, {"code": 400, "error": "Invalid request path"}, {}, "/2/httpapi or /batch"),
        (400, {"code": 400, "error": "invalid request PATH: /2/httpap"}, {}, "/2/httpapi or /batch"),
        (400, {"code": 400, "error": "Missing request body"}, {}, "check server_url"),
        (
            400,
            b"<html><title>400 The plain HTTP request was sent to HTTPS port</title></html>",
            {},
            "https://",
        ),
        (400, b"Client sent an HTTP request to an HTTPS server.\n", {}, "https://"),
        (401, b"", {}, "check server_url"),
        (404, b"<html>nginx</html>", {}, "/2/httpapi or /batch"),
        (405, b"", {}, "/2/httpapi or /batch"),
        (407, b"<title>Proxy Authentication Required</title>", {}, "HTTPS_PROXY"),
        (
            301,
            b"",
            {"Location": "https://api2.amplitude.com/2/httpapi"},
            "https://api2.amplitude.com/2/httpapi",
        ),
        (302, b"<html>", {"location": "http://portal.example/login?token=secret"}, "portal.example/login"),
        (308, b"", {}, "final URL"),
    ],
)
def test_a_wrong_destination_is_a_fault_with_its_remedy(
    status: int, body: Any, headers: dict[str, str], remedy: str
) -> None:
    """What says that the URL, or something on the way, is wrong stops uploads, and what to write is named."""
    verdict = of(status, body, headers=headers)
    assert (verdict.action, verdict.status) == (Action.STOP, Status.FAILED)
    assert remedy in verdict.message
    assert "secret" not in verdict.message


@pytest.mark.parametrize("code", [400, 403, 408, 413, 429, 500])
def test_under_a_2xx_the_code_in_the_body_wins(code: int) -> None:
    """A 200 that carries the code of a failure is judged as that failure."""
    assert of(200, {"code": code}).action is of(code).action
    assert of(200, {"code": code}).code == code


@pytest.mark.parametrize("code", [200, 399, "429", 429.0, True, None, [429], -1])
def test_under_a_2xx_no_other_code_matters(code: Any) -> None:
    """A body code that is not an integer of 400 or more does not undo a success."""
    assert of(200, {"code": code}).action is Action.DELIVERED


def test_a_success_tells_how_many_were_ingested() -> None:
    """`events_ingested` is passed on if it is a number, and only then."""
    assert of(200, {"code": 200, "events_ingested": 3}).ingested == 3
    assert of(200, {"code": 200, "events_ingested": True}).ingested is None
    assert of(200, b"success").ingested is None


def test_an_unknown_key_stops_and_is_not_repeated() -> None:
    """A wrong API key is a configuration fault, told with what to check, without the key."""
    for error in (f"Invalid API key: {KEY}", "Invalid API key", "invalid api KEY"):
        verdict = of(400, {"code": 400, "error": error})
        assert verdict.action is Action.STOP
        assert "server_zone" in verdict.message
        assert KEY[:-4] not in repr(verdict)
    assert of(400, f"Invalid API key: {KEY}".encode()).action is Action.STOP


def test_a_missing_request_field_stops() -> None:
    """`missing_field` is a fault of the request, unless it is empty or no text."""
    verdict = of(400, {"error": "Request missing required field", "missing_field": "api_key"})
    assert verdict.action is Action.STOP
    assert "`api_key`" in verdict.message
    for nothing in ("", None, 0, []):
        assert of(400, {"missing_field": nothing}).action is Action.BISECT


def test_a_redirect_names_its_target() -> None:
    """A redirect tells where to, since that is probably the URL to write."""
    verdict = of(308, headers={"Location": "https://a.example/batch"})
    assert "https://a.example/batch" in verdict.message


def test_a_drop_names_the_field_and_what_the_server_said() -> None:
    """The reason of a dropped event holds the field and the server's words."""
    verdict = of(
        400,
        {
            "error": "Invalid field values on some events",
            "events_with_invalid_fields": {"time": [1], "price": [1]},
            "events_with_missing_fields": {"event_type": [2]},
            "events_with_invalid_id_lengths": {"user_id": [3]},
        },
    )
    assert verdict.action is Action.SORT
    assert verdict.drop == {
        1: (Status.INVALID, "the server refused `time`, `price`: Invalid field values on some events"),
        2: (Status.INVALID, "the server misses `event_type`: Invalid field values on some events"),
        3: (
            Status.INVALID,
            "the server does not take the length of `user_id`: Invalid field values on some events",
        ),
    }
    assert not verdict.hold
    assert verdict.wait == 0


@pytest.mark.parametrize(
    "body",
    [
        {"events_with_invalid_fields": [2]},
        {"events_with_invalid_fields": {"time": 2}},
        {"events_with_invalid_fields": {"time": [2, 2, -1, 4, True, 2.0, "2", None, [2], {}], "x": None}},
        {"events_missing_required_fields": {"time": [2]}},
        {"events_with_something_new": {"time": [2]}},
        {"silenced_events": [2]},
        {"silenced_events": {"x": [2]}},
        {"silenced_devices": ["device-2"]},
        {"silenced_devices": {"device-2": 1}},
        {"silenced_devices": "device-2"},
        {"silenced_devices": [1, None, {}, "device-2", "elsewhere"]},
    ],
)
def test_odd_shapes_still_name_the_event(body: Any) -> None:
    """Lists for maps, lone values, and elements that are no index of the request are taken as they come."""
    assert set(of(400, body).drop) == {2}


@pytest.mark.parametrize("name", ["events_with_invalid_fields", "silenced_events", "throttled_events"])
@pytest.mark.parametrize("value", [None, "2", True, 99, [], {}, {"time": {"2": 2.5}}, [[2]]])
def test_what_names_nobody_bisects(name: str, value: Any) -> None:
    """A 400 whose lists hold no index of the request is not sent again unchanged."""
    assert of(400, {name: value}).action is Action.BISECT


def test_a_body_in_another_encoding_still_counts() -> None:
    """The indices of an answer are read though the text beside them is Latin-1, or begins with a mark."""
    body = '{"error": "ungültig", "events_with_invalid_fields": {"time": [1]}}'
    assert set(of(400, body.encode("latin-1")).drop) == {1}
    assert set(of(400, body.encode("utf-8-sig")).drop) == {1}


def test_a_throttled_user_alone_waits() -> None:
    """A 429 that names a user and a device holds them; an index they do not explain is held by position."""
    verdict = of(
        429,
        {
            "eps_threshold": 30,
            "throttled_users": {"user-0": 31, "elsewhere": 99},
            "throttled_devices": {"device-1": 0},
            "throttled_events": [0, 1, 2],
        },
    )
    assert verdict.action is Action.SORT
    assert verdict.status is Status.RATE_LIMIT
    assert verdict.throttled_users == {"user-0"}
    assert verdict.throttled_devices == {"device-1"}
    assert verdict.hold == {2}
    assert not verdict.drop
    assert verdict.wait == 30
    assert verdict.threshold == 30


def test_a_user_over_the_daily_quota_is_dropped() -> None:
    """The events of an id over its daily quota end as rate-limited, and are not held as well."""
    verdict = of(
        429,
        {
            "exceeded_daily_quota_users": {"user-0": 500200},
            "exceeded_daily_quota_devices": ["device-3"],
            "throttled_events": [0, 1],
        },
    )
    assert {position: status for position, (status, _) in verdict.drop.items()} == {
        0: Status.RATE_LIMIT,
        3: Status.RATE_LIMIT,
    }
    assert "daily quota" in verdict.drop[0][1]
    assert verdict.hold == {1}


def test_a_silenced_answer_may_also_throttle() -> None:
    """Throttled ids and indices in a 400 are held as in a 429; an index in both lists is dropped."""
    verdict = of(400, {"silenced_events": [0], "throttled_events": [0, 1], "throttled_users": {"user-2": 1}})
    assert set(verdict.drop) == {0}
    assert verdict.hold == {1}
    assert verdict.throttled_users == {"user-2"}
    assert (verdict.status, verdict.wait) == (Status.INVALID, 30)


@pytest.mark.parametrize(
    "body", [{}, {"throttled_events": [], "throttled_users": {}}, {"error": "Too many requests"}]
)
def test_without_lists_the_whole_project_waits(body: Any) -> None:
    """A 429 without lists concerns everybody for a minute, or longer if the server says so."""
    assert (of(429, body).action, of(429, body).wait) == (Action.WAIT, 60)
    assert of(429, body, headers={"retry-after": "120"}).wait == 120
    assert of(429, body, headers={"retry-after": "5"}).wait == 60


@pytest.mark.parametrize(
    "body",
    [
        {"throttled_events": [99]},
        {"throttled_users": {"elsewhere": 31}},
        {"exceeded_daily_quota_users": ["x"]},
    ],
)
def test_lists_that_match_nothing_never_resend_at_once(body: Any) -> None:
    """A 429 that names only events and ids of no event in the request makes everybody wait 30 s."""
    assert (of(429, body).action, of(429, body).wait) == (Action.WAIT, 30)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"RETRY-AFTER": " 1.5 "}, 1.5),
        ({"retry-after": "9" * 5000}, 3600),
        ({"retry-after": "86400"}, 3600),
        ({"retry-after": "-3"}, 0),
        ({"retry-after": "soon"}, 0),
        ({"retry-after": "٣"}, 0),
        ({"retry-after": ""}, 0),
        (
            {"Retry-After": "Wed, 04 Nov 2026 18:47:10 GMT", "Date": "Wed, 04 Nov 2026 18:46:10 GMT"},
            60,
        ),
        ({"Retry-After": "Wed, 04 Nov 2026 18:45:10 GMT", "Date": "Wed, 04 Nov 2026 18:46:10 GMT"}, 0),
        ({"Retry-After": "Wed, 04 Nov 2026 18:47:10 GMT"}, 0),
        ({"Retry-After": "Wed, 99 Nov 2026 18:47:10 GMT", "Date": "Wed, 04 Nov 2026 18:46:10 GMT"}, 0),
        ({"Retry-After": "Wed, 04 Foo 2026 18:47:10 GMT", "Date": "Wed, 04 Nov 2026 18:46:10 GMT"}, 0),
    ],
)
def test_retry_after_is_read_in_seconds_or_as_a_date(headers: dict[str, str], seconds: float) -> None:
    """Retry-After counts up to an hour; a date counts from the answer's own; anything else is ignored."""
    assert of(503, headers=headers).wait == seconds


def test_no_answer_is_a_retry_with_its_kind() -> None:
    """A request without an answer is sent again; its status says whether time ran out or the line broke."""
    verdict = unreached(Status.TIMEOUT, "no answer within 10 s")
    assert (verdict.action, verdict.status, verdict.code) == (Action.RETRY, Status.TIMEOUT, 0)
    assert verdict.message == "no answer within 10 s"


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"events_with_invalid_fields":' + b"[" * 900 + b"]" * 900 + b"}",
        b"<" * 10_000_000,
        b'{"error":"' + b"x" * 10_000_000 + b'"}',
        b'{"code": 1e999, "error": "\\ud800"}',
        b'{"code": 99999999999999999999999999}',
        b"\x00\xff" * 1000,
        "{}".encode("utf-16"),
    ],
    ids=["lists", "objects", "balanced", "page", "text", "infinity", "long", "binary", "utf-16"],
)
@pytest.mark.parametrize("status", [200, 400, 429, 500])
def test_a_hostile_body_is_only_a_body(body: bytes, status: int) -> None:
    """Depth, size and encoding of an answer raise nothing and do not change what its status means."""
    verdict = of(status, body)
    is_page = status == 200 and body.startswith(b"<")
    assert verdict.action is (Action.STOP if is_page else of(status).action)
    assert len(verdict.message) < 400


NAMES = st.sampled_from(
    [
        "code",
        "error",
        "missing_field",
        "events_with_invalid_fields",
        "events_with_missing_fields",
        "events_with_invalid_id_lengths",
        "events_with_x",
        "silenced_events",
        "silenced_devices",
        "throttled_events",
        "throttled_users",
        "throttled_devices",
        "exceeded_daily_quota_users",
        "exceeded_daily_quota_devices",
        "eps_threshold",
        "events_ingested",
    ]
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 9),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["user-0", "user-1", "device-0", "device-2", "time", "user_id", ""]),
)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["user-0", "device-1", "time"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(
    status=st.one_of(st.integers(-1, 700), st.sampled_from([200, 400, 429])),
    body=st.one_of(
        st.binary(),
        st.dictionaries(NAMES, JSON).map(lambda body: json.dumps(body).encode()),
    ),
    headers=st.dictionaries(st.sampled_from(["Retry-After", "date", "Location"]), st.text()),
    count=st.integers(0, 6),
)
def test_every_answer_has_a_sound_verdict(
    status: int, body: bytes, headers: dict[str, str], count: int
) -> None:
    """Any answer is judged; positions lie in the request, none is dropped and held, SORT names some."""
    verdict = judge(status, headers, body, count, lambda i: (f"user-{i}", f"device-{i}"))
    named = set(verdict.drop) | verdict.hold
    assert named <= set(range(count))
    assert not verdict.hold & verdict.drop.keys()
    assert 0 <= verdict.wait <= 3600
    assert verdict.message
    if verdict.action is Action.SORT:
        assert named or verdict.throttled_users or verdict.throttled_devices
        assert all(user.removeprefix("user-") in map(str, range(count)) for user in verdict.throttled_users)
    else:
        assert not named
