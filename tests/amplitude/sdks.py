"""The two SDKs with the same surface: Amplitude's own, as it is on PyPI, and antinode's."""

from __future__ import annotations

import gc
import sys
import warnings
from importlib import import_module
from types import ModuleType
from typing import Any

OFFICIAL = "amplitude"
OURS = "antinode.amplitude"


class Sdk:
    """One of the two; what its package exports are attributes, and so are its modules."""

    def __init__(self, package: str) -> None:
        self.package = package
        self._module: ModuleType = import_module(package)
        self.http_client = self.module("http_client")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)

    def module(self, name: str) -> Any:
        """A module that applications import from."""
        return import_module(f"{self.package}.{name}")

    @property
    def is_ours(self) -> bool:
        return self.package == OURS

    def __repr__(self) -> str:
        return self.package


def wait_for(futures: list[Any]) -> None:
    """Wait for what `flush` returned: the official SDK has nothing in the place of what is already sent."""
    for future in futures:
        if future is not None:
            future.result(120)


def collect_leftovers() -> None:
    """Collect what the official SDK leaves open, whose warnings are not about ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


assert "antinode.amplitude" not in str(sys.modules.get(OFFICIAL)), "the official SDK has to be the real one"
