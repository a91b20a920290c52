"""The transport under test, in an environment without proxies."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from antinode._delivery.http.transport import HttpTransport
from tests.delivery.http.exchanges import Make


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture
def make() -> Iterator[Make]:
    with contextlib.ExitStack() as stack:

        def make_one(**options: Any) -> HttpTransport:
            return stack.enter_context(contextlib.closing(HttpTransport(**options)))

        yield make_one


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def bundle(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ca") / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    return path
