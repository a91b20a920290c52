"""The cookies of Amplitude's browser SDK: what is read of them, and what is not believed."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antinode.integrations._browser import Browser, browser_of
from tests.integrations.servers import as_json

KEY = "0123456789abcdef0123456789abcdef"


def new(held: object) -> dict[str, str]:
    return {"AMP_0123456789": base64.b64encode(quote(as_json(held)).encode()).decode()}


def test_both_forms_are_read() -> None:
    """Of analytics-browser, and of the SDKs before it."""
    expected = Browser("device-1", "jörg", 1764358072000)
    assert (
        browser_of(new({"deviceId": "device-1", "userId": "jörg", "sessionId": 1764358072000}), KEY)
        == expected
    )
    user = base64.b64encode("jörg".encode()).decode()
    old = {"amp_012345": f"device-1.{user}..1jb5ejpi0.1jb5ejpi0.1.2.3"}
    assert browser_of(old, None) == Browser("device-1", "jörg", 1764340917824)
    assert browser_of({"amp_012345": f"device-1.{user}.1.1jb5ejpi0.0.0.0.0"}, None) is None
    assert browser_of({**old, **new({"deviceId": "new"})}, KEY) == Browser("new", None, None)


def test_a_cookie_of_another_project_is_left_alone() -> None:
    """With the key; without it, two of them are ambiguous."""
    cookies = {**new({"deviceId": "device-1"}), "AMP_fedcba9876": "e30="}
    assert browser_of(cookies, KEY) == Browser("device-1", None, None)
    assert browser_of(cookies, None) is None
    assert browser_of(new({"deviceId": "device-1"}), "f" * 32) is None


@pytest.mark.parametrize(
    "held",
    [
        {"deviceId": ""}, {"deviceId": "x" * 257}, {"deviceId": "a\nb"}, {"deviceId": 7}, {}, [], None, "x",
        {"deviceId": "device-1", "optOut": True},
    ],
)  # fmt: skip
def test_what_could_not_be_amplitudes_is_not_believed(held: Any) -> None:
    """Nor is anything taken of somebody who has opted out."""
    assert browser_of(new(held), None) is None


@pytest.mark.parametrize("session", [0, -1, 2**53, 1.5, "1", True, None])
def test_a_wrong_session_costs_only_itself(session: Any) -> None:
    """The device is still known."""
    browser = browser_of(new({"deviceId": "device-1", "sessionId": session, "userId": {"a": 1}}), None)
    assert browser == Browser("device-1", None, None)
    assert browser.fields() == {"device_id": "device-1"}


@given(st.text(max_size=300), st.sampled_from(["AMP_0123456789", "amp_012345"]))
def test_any_cookie_is_taken(text: str, name: str) -> None:
    """Nothing that a client sends raises."""
    for value in (text, base64.b64encode(text.encode("utf-8", "surrogatepass")).decode(), text + "=" * 5000):
        browser_of({name: value}, None)
