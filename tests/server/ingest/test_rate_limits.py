from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antinode.server.ingest.parsing import RequestReading, read
from antinode.server.ingest.rate_limits import Rates
from antinode.server.ingest.requests import Received
from antinode.server.ingest.responses import Refusal
from antinode.server.ingest.validation import Checked, check
from antinode.server.rules import Rules

NOW = 1793817970000
DAY_MS = 86_400_000


def upload(*ids: tuple[str | None, str | None], path: str = "/2/httpapi") -> Checked:
    """A request with an event for each pair of user_id and device_id."""
    events = [{"event_type": "t", "user_id": user_id, "device_id": device_id} for user_id, device_id in ids]
    found = read(
        Received(method="POST", path=path, body=json.dumps({"api_key": "k", "events": events}).encode()),
        Rules(),
    )
    assert isinstance(found, RequestReading)
    found_checked = check(found, Rules())
    assert isinstance(found_checked, Checked), found_checked
    return found_checked


def users(count: int, user_id: str = "user-20391", path: str = "/2/httpapi") -> Checked:
    return upload(*[(user_id, None)] * count, path=path)


def take(
    rates: Rates, checked: Checked, rules: Rules, now_ms: int = NOW, project_id: int = 1
) -> Refusal | None:
    """What the server does: count what it does not refuse."""
    refusal = rates.check(checked, rules, project_id, now_ms)
    if refusal is None:
        rates.count(checked, project_id, now_ms)
    return refusal


def test_nothing_is_limited_by_default() -> None:
    """However much comes."""
    rates = Rates()
    for _ in range(10):
        assert take(rates, users(2000, path="/batch"), Rules()) is None


def test_a_rate_is_what_was_stored_and_what_came_over_the_window() -> None:
    """Above the threshold all events of the id are named, with the rate; nothing of it is counted."""
    rates, rules = Rates(), Rules(eps_threshold=2, rate_window_s=1)
    assert take(rates, upload(("user-1234", "device-12")), rules) is None
    for _ in range(3):
        refusal = take(
            rates, upload(("user-1234", "device-12"), ("other", None), ("user-1234", "device-12")), rules
        )
        assert refusal is not None
        assert refusal.status == 429
        assert refusal.body == {
            "code": 429,
            "error": "Too many requests for some devices and users",
            "eps_threshold": 2,
            "throttled_devices": {"device-12": 3},
            "throttled_users": {"user-1234": 3},
            "throttled_events": [0, 2],
        }
        assert list(refusal.reasons) == [0, 2]
        assert {each.code for each in refusal.reasons[0]} == {"throttled"}
        assert refusal.outcome == "returned"
        assert refusal.retry_after == 30


def test_exactly_the_threshold_is_not_above_it() -> None:
    """Thirty events a second for thirty seconds are taken, one more is not."""
    rates, rules = Rates(), Rules(rates="documented")
    assert take(rates, users(900), rules) is None
    assert take(rates, users(1), rules) is not None


def test_a_window_passes() -> None:
    """What was stored before it counts no longer; what was stored within it does."""
    rates, rules = Rates(), Rules(eps_threshold=1, rate_window_s=30)
    assert take(rates, users(30), rules) is None
    assert take(rates, users(1), rules, NOW + 29_900) is not None
    assert take(rates, users(30), rules, NOW + 31_000) is None


def test_a_clock_put_back_does_not_keep_anybody_out() -> None:
    """What was stored in a future that is no more does not count."""
    rates, rules = Rates(), Rules(eps_threshold=1, rate_window_s=30)
    assert take(rates, users(30), rules, NOW) is None
    assert take(rates, users(30), rules, NOW - DAY_MS) is None
    assert take(rates, users(30), rules, NOW) is None


def test_users_devices_and_projects_are_counted_apart() -> None:
    """One id in two projects, or as a user and as a device, is two."""
    rates, rules = Rates(), Rules(eps_threshold=1, rate_window_s=1)
    assert take(rates, upload(("same-id", "device-12")), rules) is None
    assert take(rates, upload(("user-1234", "same-id")), rules) is None
    assert take(rates, upload(("same-id", "device-12")), rules, project_id=2) is None
    assert take(rates, upload(("same-id", None)), rules) is not None


@pytest.mark.parametrize(("path", "count"), [("/2/httpapi", 900), ("/batch", 2000)])
def test_the_documented_thresholds_differ(path: str, count: int) -> None:
    """Batch takes more than HTTP V2; both count what came by either."""
    rates, rules = Rates(), Rules(rates="documented")
    assert take(rates, users(count, path=path), rules) is None
    assert take(rates, users(1), rules) is not None
    assert take(rates, users(2000, path="/batch"), rules) is None


def test_known_rates_and_counts_replace_what_was_counted() -> None:
    """So a test need not send thousands of events first."""
    rules = Rules(
        eps_threshold=30,
        daily_quota=500,
        known_rates={"device-hot": 31.2, "calm-user": 0},
        daily_counts={"spam-user": 501},
    )
    refusal = take(Rates(), upload(("calm-user", "device-hot"), ("spam-user", None), path="/batch"), rules)
    assert refusal is not None
    assert refusal.body == {
        "code": 429,
        "error": "Too many requests for some devices and users",
        "eps_threshold": 30,
        "throttled_devices": {"device-hot": 32},
        "exceeded_daily_quota_users": {"spam-user": 501},
        "throttled_events": [0, 1],
    }
    assert [each.code for each in refusal.reasons[1]] == ["over_daily_quota"]
    assert take(Rates(), users(2000, "calm-user"), rules) is None


def test_the_daily_quota_is_of_a_rolling_day_and_only_of_batch() -> None:
    """It counts by the hour, what came by any endpoint."""
    rates, rules = Rates(), Rules(daily_quota=3)
    assert take(rates, users(2), rules, NOW) is None
    assert take(rates, users(1, path="/batch"), rules, NOW + DAY_MS // 2) is None
    assert take(rates, users(1, path="/batch"), rules, NOW + DAY_MS // 2) is not None
    assert take(rates, users(1), rules, NOW + DAY_MS // 2) is None
    assert take(rates, users(1, path="/batch"), rules, NOW + DAY_MS + 3_600_000) is None


def test_a_project_is_throttled_as_a_whole() -> None:
    """Nobody is named, and the wait is longer."""
    rates, rules = Rates(), Rules(project_eps=2)
    assert take(rates, users(2), rules) is None
    refusal = take(rates, users(1, "somebody"), rules)
    assert refusal is not None
    assert refusal.body == {"code": 429, "error": "Too many requests", "eps_threshold": 30}
    assert refusal.reasons == {}
    assert refusal.retry_after == 60
    assert take(rates, users(2), rules, NOW + 1100) is None
    assert take(rates, users(2), rules, project_id=2) is None


def test_silenced_devices_are_refused_for_good() -> None:
    """The answer names them and their events, and apart from those what else is throttled."""
    rules = Rules(
        silenced_devices=("gone-1234", "else-1234"), eps_threshold=30, known_rates={"device-hot": 31}
    )
    refusal = take(
        Rates(), upload((None, "device-hot"), ("user-1234", "gone-1234"), (None, "device-ok")), rules
    )
    assert refusal is not None
    assert refusal.status == 400
    assert refusal.body == {
        "code": 400,
        "error": "Events silenced for device_id",
        "eps_threshold": 30,
        "exceeded_daily_quota_devices": {},
        "silenced_devices": ["gone-1234"],
        "silenced_events": [1],
        "throttled_devices": {"device-hot": 31},
        "throttled_events": [0],
    }
    assert list(refusal.reasons) == [1]
    assert refusal.outcome == "rejected"
    assert take(Rates(), users(1), Rules(silenced_devices=("gone-1234",))) is None


def test_counting_starts_with_the_rule_that_needs_it() -> None:
    """What came before it does not count, nor what came before a reset."""
    rates, rules = Rates(), Rules(eps_threshold=1, rate_window_s=1)
    assert take(rates, users(5), Rules()) is None
    assert take(rates, users(1), rules) is None
    assert take(rates, users(1), rules) is not None
    rates.reset()
    assert take(rates, users(1), rules) is None


def test_memory_is_bounded_by_the_window() -> None:
    """A million ids that were seen once are forgotten when the window has passed."""
    rates, rules = Rates(), Rules(rates="documented", project_eps=1e9)
    for hour in range(60):
        ids = [(f"user-{hour}-{number}", None) for number in range(100)]
        assert take(rates, upload(*ids), rules, NOW + hour * 3_600_000) is None
    held = [window for window in vars(rates).values() if window]
    assert [len(window._totals) for window in held] == [100, 2500, 1]
    assert [len(window._slots) for window in held] == [1, 25, 1]


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3000), st.lists(st.sampled_from(["user-a", "user-b"]), min_size=1, max_size=6)
        ),
        max_size=12,
    ),
    st.sampled_from([1, 2, 5]),
)
def test_nobody_stores_more_than_the_threshold(steps: list[tuple[int, list[str]]], threshold: int) -> None:
    """In no window is more stored of an id than the rule allows; and who is below it is let in."""
    rates, rules = Rates(), Rules(eps_threshold=threshold, rate_window_s=3)
    stored: list[tuple[int, str]] = []
    now = NOW
    for wait, ids in steps:
        now += wait
        refusal = take(rates, upload(*[(each, None) for each in ids]), rules, now)
        sure = Counter(each for at, each in stored if at > now - 3000) + Counter(ids)
        # What is up to a slot older may still count.
        most = Counter(each for at, each in stored if at > now - 3101) + Counter(ids)
        if refusal is None:
            assert max(sure.values()) <= threshold * 3
            stored += [(now, each) for each in ids]
        else:
            assert max(most.values()) > threshold * 3
