"""OpenFeature's own SDK evaluates flags, and each exposure is logged once a day."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider

import antinode
from antinode.integrations.openfeature import ExposureHook
from antinode.testing import Captured, capture


@pytest.fixture
def amplitude() -> Iterator[Captured]:
    with capture() as held:
        yield held


@pytest.fixture
def flags() -> Iterator[Any]:
    api.clear_hooks()  # which other tests of this process may have left
    # Older versions have one function, which waits until the provider is ready.
    set_provider = getattr(api, "set_provider_and_wait", api.set_provider)
    set_provider(
        InMemoryProvider(
            {
                "checkout": InMemoryFlag("treatment", {"treatment": True, "control": False}),
                "colour": InMemoryFlag("warm", {"warm": "red"}),
            }
        )
    )
    client = api.get_client()
    client.add_hooks([ExposureHook()])
    yield client
    api.shutdown()


def test_an_exposure_is_logged_once_a_day(amplitude: Captured, flags: Any) -> None:
    """Per user, flag and variant; the insert_id is the same in every process."""
    for user in ("user-1", "user-2", "user-1"):
        assert flags.get_boolean_value("checkout", False, EvaluationContext(user)) is True
    flags.get_string_value("colour", "", EvaluationContext("user-1"))
    told = [(each.type, each["user_id"], each.properties) for each in amplitude]
    checkout = {"flag_key": "checkout", "variant": "treatment"}
    assert told == [
        ("$exposure", "user-1", checkout),
        ("$exposure", "user-2", checkout),
        ("$exposure", "user-1", {"flag_key": "colour", "variant": "warm"}),
    ]
    first = amplitude[0]["insert_id"]
    flags.hooks.clear()
    flags.add_hooks([ExposureHook()])
    flags.get_boolean_value("checkout", False, EvaluationContext("user-1"))
    assert amplitude[-1]["insert_id"] == first


def test_who_is_exposed(amplitude: Captured, flags: Any) -> None:
    """The attributes name user and device; else the context in force does; of nobody nothing is logged."""
    given = EvaluationContext("key-1", {"user_id": "user-1", "device_id": "device-1"})
    flags.get_boolean_value("checkout", False, given)
    with antinode.context(user_id="user-2"):
        flags.get_boolean_value("checkout", False)
    flags.get_boolean_value("checkout", False)
    assert [(each["user_id"], each.get("device_id")) for each in amplitude] == [
        ("user-1", "device-1"),
        ("user-2", None),
    ]


def test_what_failed_exposes_nobody(amplitude: Captured, flags: Any) -> None:
    """A flag that does not exist, or is of another type, gives the default, which is no variant."""
    flags.get_boolean_value("missing", False, EvaluationContext("user-1"))
    flags.get_string_value("checkout", "", EvaluationContext("user-1"))
    amplitude.assert_not_logged()
