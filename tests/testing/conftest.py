"""A running endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from antinode.testing import Endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as running:
        yield running
