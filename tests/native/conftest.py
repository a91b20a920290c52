"""The compiled parts, and a client that has them."""

from __future__ import annotations

from typing import Any

import pytest

from antinode import (
    Client,
)
from tests import needs
from tests.memory import KEY, Memory


@pytest.fixture(scope="module")
def native() -> Any:
    return needs.native()


@pytest.fixture(scope="module")
def client(native: Any) -> Any:
    """One that sends nothing: what is logged stays where it is."""
    # No upload is even tried: waits are drawn by chance, which Hypothesis minds while it draws.
    made = Client().init(
        KEY,
        transport=Memory(is_open=False),
        plan={"branch": "main"},
        shutdown_timeout=0,
        upload_interval_in_sec=3600,
        max_cached_events=10**6,
    )
    assert made._hot is not None
    yield made
    transport = made.options.transport
    transport.gate.set() if transport else None
    made.shutdown(0)
