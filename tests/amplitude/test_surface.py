"""The names: everything that can be imported from the official SDK can be imported from ours."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

import pytest

from tests.amplitude.sdks import OFFICIAL, OURS

MODULES = (
    *("client", "config", "constants", "event", "exception", "http_client", "plugin", "storage", "timeline"),
    *("utils",),
)


def own_names(module: Any, origin: str) -> dict[str, Any]:
    """What a module defines, or imports from `origin`; not what it imports from elsewhere."""
    return {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_")
        and not inspect.ismodule(value)
        and str(getattr(value, "__module__", origin)).startswith(origin)
    }


@pytest.mark.parametrize("name", MODULES)
def test_every_name_of_a_module_is_there(name: str) -> None:
    """And is the same kind of thing."""
    theirs, ours = (import_module(f"{package}.{name}") for package in (OFFICIAL, OURS))
    for attribute, value in own_names(theirs, theirs.__name__).items():
        assert callable(getattr(ours, attribute)) == callable(value), attribute


def test_every_export_is_there() -> None:
    """What `from amplitude import …` finds."""
    ours = import_module(OURS)
    assert set(own_names(import_module(OFFICIAL), OFFICIAL)) | {"install"} == set(ours.__all__)


KINDS = (
    *("Amplitude", "Config", "BaseEvent", "EventOptions", "Identify", "Revenue", "Plan", "IngestionMetadata"),
    *("EventPlugin", "DestinationPlugin", "IdentifyEvent", "GroupIdentifyEvent", "RevenueEvent"),
)


@pytest.mark.parametrize("kind", KINDS)
def test_every_method_is_there(kind: str) -> None:
    """With the same arguments in the same places; those of constructors are called in other tests."""
    theirs, ours = (getattr(import_module(package), kind) for package in (OFFICIAL, OURS))
    for name, method in inspect.getmembers(theirs):
        if name.startswith("_"):
            continue
        assert hasattr(ours, name), name
        if inspect.isfunction(method):
            expected = list(inspect.signature(method).parameters)
            assert list(inspect.signature(getattr(ours, name)).parameters) == expected, name


def test_constants_are_equal() -> None:
    """Except for those that name the SDK."""
    theirs, ours = (import_module(f"{package}.constants") for package in (OFFICIAL, OURS))
    for name, value in vars(theirs).items():
        if name.isupper() and not name.startswith("SDK_"):
            assert getattr(ours, name) == value
    for kind in ("PluginType", "EventLogLevel"):
        members = [{each.name: each.value for each in getattr(module, kind)} for module in (theirs, ours)]
        assert members[0] == members[1]
    assert ours.SDK_LIBRARY == "antinode"
