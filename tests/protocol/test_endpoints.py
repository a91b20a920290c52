"""Hosts, paths and custom server URLs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antinode._protocol.endpoints import (
    Endpoint,
    Zone,
    endpoint_of,
    is_amplitude_host,
    sibling,
    url,
)


@pytest.mark.parametrize(
    ("endpoint", "zone", "expected"),
    [
        (Endpoint.HTTP_V2, "US", "https://api2.amplitude.com/2/httpapi"),
        (Endpoint.HTTP_V2, "EU", "https://api.eu.amplitude.com/2/httpapi"),
        (Endpoint.BATCH, "US", "https://api2.amplitude.com/batch"),
        (Endpoint.BATCH, "EU", "https://api.eu.amplitude.com/batch"),
    ],
)
def test_each_zone_has_both_endpoints(endpoint: Endpoint, zone: Zone, expected: str) -> None:
    """An endpoint's URL is the zone's host and the endpoint's path, and is Amplitude's own."""
    assert url(endpoint, zone) == expected
    assert endpoint_of(expected) is endpoint
    assert is_amplitude_host(expected)


def test_an_unknown_zone_is_refused_with_the_remedy() -> None:
    """A zone that does not exist raises ValueError and names those that do."""
    with pytest.raises(ValueError, match='"US" or "EU"'):
        url(Endpoint.BATCH, "eu")  # type: ignore[arg-type]


def test_batch_takes_twenty_times_the_body() -> None:
    """The body limits are those of the API: 1 MB for V2, 20 MB for Batch."""
    assert Endpoint.HTTP_V2.body_limit == 1_000_000
    assert Endpoint.BATCH.body_limit == 20_000_000


@pytest.mark.parametrize(
    "other",
    [
        "https://collect.example.com/2/httpapi",
        "http://localhost:8000/batch",
        "https://api2.amplitude.com.example.com/batch",
        "https://example.com/?host=api2.amplitude.com",
        "https://api2.amplitude.com@example.com/batch",
        "http://[::1/batch",
        "",
    ],
)
def test_other_hosts_are_not_taken_for_amplitude(other: str) -> None:
    """Only a URL whose host is Amplitude's counts, wherever else the name may stand."""
    assert not is_amplitude_host(other)


@pytest.mark.parametrize("same", ["https://API2.Amplitude.com:443/x", "https://api.amplitude.com./2/httpapi"])
def test_amplitude_is_known_in_any_spelling(same: str) -> None:
    """Case, a port and the root's dot make no other host."""
    assert is_amplitude_host(same)


@pytest.mark.parametrize(
    ("server_url", "http_v2", "batch"),
    [
        ("http://localhost:8000/2/httpapi", "http://localhost:8000/2/httpapi", "http://localhost:8000/batch"),
        (
            "https://a.example/x/batch?k=v",
            "https://a.example/x/2/httpapi?k=v",
            "https://a.example/x/batch?k=v",
        ),
        ("https://a.example/2/httpapi/", "https://a.example/2/httpapi", "https://a.example/batch"),
        ("https://a.example/collect", None, None),
        ("https://a.example/mybatch", None, None),
        ("http://[::1/batch", None, None),
    ],
)
def test_the_sibling_stands_beside_a_custom_url(
    server_url: str, http_v2: str | None, batch: str | None
) -> None:
    """A custom URL that ends in one endpoint's path tells where the other is; any other tells nothing."""
    assert sibling(server_url, Endpoint.HTTP_V2) == http_v2
    assert sibling(server_url, Endpoint.BATCH) == batch


@settings(deadline=None)
@given(st.text())
def test_no_text_is_too_odd_for_a_url(text: str) -> None:
    """Questions about a URL are answered for any text."""
    assert sibling(text, Endpoint.BATCH) is None or endpoint_of(text) is not None
    is_amplitude_host(text)
    is_amplitude_host(f"https://{text}/batch")
