"""What of a request goes into its context, and what a function of the application's may do to it."""

from __future__ import annotations

import base64
import logging
from typing import Any
from urllib.parse import quote

import pytest

from antinode import ConfigurationError
from antinode.integrations._requests import Capture, ServedRequest


def request(path: str = "/songs", **headers: str) -> ServedRequest:
    return ServedRequest(path, "GET", "203.0.113.9", headers.get)


def test_nothing_is_taken_by_default() -> None:
    """Neither the address nor the browser's cookies."""
    assert Capture[None]().fields_of(request(cookie="AMP_0123456789=e30="), None) == {}


def test_the_functions_fields_win_and_properties_are_merged() -> None:
    """None in what it returns is not said."""
    capture: Capture[Any] = Capture(
        "path", context=lambda given: {"user_id": given, "device_id": None, "event_properties": {"a": 1}}
    )
    assert capture.fields_of(request(), "user-1") == {
        "user_id": "user-1",
        "event_properties": {"path": "/songs", "a": 1},
    }


@pytest.mark.parametrize(
    ("returned", "told"),
    [({"userid": "a"}, "write user_id="), ({"groups": 7}, "must be a dict"), (7, "AttributeError")],
)
def test_a_function_that_errs_costs_no_request(
    returned: Any, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The request is served without what it says, and one WARNING tells why."""
    capture: Capture[None] = Capture("path", context=lambda _: returned)
    with caplog.at_level(logging.WARNING, "antinode"):
        for _ in range(2):
            assert capture.fields_of(request(), None) == {"event_properties": {"path": "/songs"}}
    (line,) = [each.getMessage() for each in caplog.records if "context=" in each.getMessage()]
    assert told in line


def test_excluded_paths_have_no_context() -> None:
    """With `*` for anything."""
    capture: Capture[None] = Capture(exclude=["/health", "/static/*"])
    found = [capture.fields_of(request(path), None) for path in ("/health", "/static/a/b.css", "/healthy")]
    assert found == [None, None, {}]


def test_the_first_of_several_cookies_of_one_name_counts() -> None:
    """As in the browser and for Amplitude's SDK: it is of the nearer path, or the older one."""
    first = base64.b64encode(quote('{"deviceId":"device-1"}').encode()).decode()
    capture: Capture[None] = Capture(browser_identity=True)
    cookies = f"AMP_0123456789={first}; a=b; AMP_0123456789=e30="
    assert capture.fields_of(request(cookie=cookies), None) == {"device_id": "device-1"}


def test_an_unknown_name_is_told_at_once() -> None:
    """With the names there are."""
    with pytest.raises(ConfigurationError, match="'user_agent'"):
        Capture("agent")
