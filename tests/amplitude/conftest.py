"""Each test of a behaviour runs on both SDKs; what is said of one is true of the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest

from antinode.amplitude import Amplitude, Config
from antinode.testing import Endpoint
from tests.amplitude.ours import KEY
from tests.amplitude.sdks import OFFICIAL, OURS, Sdk, collect_leftovers

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What threads of the official SDK leave open is collected when they end, be it in a test of ours."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"))


@pytest.fixture(scope="session", params=[OFFICIAL, OURS])
def sdk(request: pytest.FixtureRequest) -> Sdk:
    return Sdk(request.param)


@pytest.fixture
def ours() -> Sdk:
    return Sdk(OURS)


@pytest.fixture(autouse=True)
def leftovers(request: pytest.FixtureRequest) -> Iterator[None]:
    """What the official SDK leaves open is collected after every other fixture, and before the next test."""
    is_official = "sdk" in request.fixturenames and not request.getfixturevalue("sdk").is_ours
    yield
    if is_official:
        collect_leftovers()


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as running:
        yield running


@pytest.fixture
def post(sdk: Sdk, monkeypatch: pytest.MonkeyPatch) -> MagicMock:
    """What tests of applications put in the place of the network."""
    replaced = MagicMock(return_value=sdk.http_client.Response(sdk.http_client.HttpStatus.SUCCESS))
    monkeypatch.setattr(sdk.http_client.HttpClient, "post", replaced)
    return replaced


@pytest.fixture
def make_client(sdk: Sdk) -> Iterator[Callable[..., Any]]:
    """Makes clients of the SDK at hand, which end with the test."""
    made = []

    def make(**configuration: Any) -> Any:
        client = sdk.Amplitude("test api key", sdk.Config(**configuration))
        made.append(client)
        return client

    yield make
    for client in made:
        client.shutdown()


@pytest.fixture
def make(endpoint: Endpoint) -> Iterator[Callable[..., Amplitude]]:
    """Makes clients of ours that send to the endpoint, and end with the test."""
    made: list[Amplitude] = []

    def make_one(**configuration: Any) -> Amplitude:
        configuration.setdefault("server_url", endpoint.url)
        client = Amplitude(KEY, Config(**configuration))
        made.append(client)
        return client

    yield make_one
    for client in made:
        client.shutdown()
