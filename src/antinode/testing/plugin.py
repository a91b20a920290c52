"""The pytest plugin: the fixtures `amplitude` and `local_amplitude`, and no event that leaves for real.

pytest loads it by itself. It loads nothing of antinode's client before the code under test does.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Final

import pytest

from antinode import _on_load

if TYPE_CHECKING:
    from antinode.server import Running
    from antinode.testing import Captured
    from antinode.testing._guard import Guard

_REAL: Final = "amplitude_real"
_JUDGED: Final = "amplitude"


class _Session:
    """The guard of this run, which is there once the code under test has loaded the client."""

    def __init__(self) -> None:
        self.guard: Guard | None = None
        self._is_real = False

    def begin(self) -> None:
        """Raise the guard now, or as soon as there are clients."""
        if "antinode._client" in sys.modules:
            self._raise()
        else:
            _on_load.hooks.append(self._raise)

    def allow(self, *, is_real: bool) -> None:
        """Let the test that begins send for real, or not."""
        self._is_real = is_real
        if self.guard is not None:
            self.guard.set(is_up=not is_real)

    def end(self) -> None:
        """Leave every client as it would be without tests."""
        if self._raise in _on_load.hooks:
            _on_load.hooks.remove(self._raise)
        if self.guard is not None:
            self.guard.set(is_up=False)

    def _raise(self) -> None:
        from antinode.testing._guard import Guard  # noqa: PLC0415 - loads the client

        self.guard = Guard()
        self.guard.set(is_up=not self._is_real)


_session_key: Final = pytest.StashKey[_Session]()
_capture_key: Final = pytest.StashKey["Captured"]()


def pytest_configure(config: pytest.Config) -> None:
    """Name the markers, and guard against events that would leave for another machine."""
    config.addinivalue_line("markers", f"{_REAL}: events of this test are sent for real")
    config.addinivalue_line(
        "markers", f"{_JUDGED}(strict=True): whether problems with events fail a test that uses `amplitude`"
    )
    config.stash[_session_key] = _Session()
    config.stash[_session_key].begin()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave every client as it would be without tests."""
    config.stash[_session_key].end()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Lower the guard for a test that sends for real."""
    item.config.stash[_session_key].allow(is_real=item.get_closest_marker(_REAL) is not None)
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Fail a test that has passed for what it logged: problems with events, and events not asked for."""
    held = item.stash.get(_capture_key, None)
    try:
        yield
    except BaseException:
        if held is not None and (problems := held.take_problems()):
            item.add_report_section("call", "antinode", "\n".join(problems))
        raise
    if held is not None and (verdict := held.verdict()):
        pytest.fail(verdict, pytrace=False)
    _check_guard(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """Fail a test whose fixtures have logged what they did not ask to send."""
    yield
    _check_guard(item)


def _check_guard(item: pytest.Item) -> None:
    guard = item.config.stash[_session_key].guard
    if guard is not None and (told := guard.take()):
        pytest.fail(told, pytrace=False)


@pytest.fixture
def amplitude(request: pytest.FixtureRequest) -> Iterator[Captured]:
    """What the code under test logs, whichever instance it logs to; nothing is sent. See docs/testing.md."""
    from antinode.testing import _failures, capture  # noqa: PLC0415 - loads the client

    if request.node.get_closest_marker(_REAL) is not None:
        pytest.fail(f"a test takes its events with `amplitude`, or sends them, with {_REAL}: not both", False)
    terminal = request.config.pluginmanager.get_plugin("terminalreporter")
    _failures.paint(terminal is not None and terminal.hasmarkup)
    marker = request.node.get_closest_marker(_JUDGED)
    is_strict = True if marker is None else marker.kwargs.get("strict", True)
    with capture(strict=is_strict) as held:
        request.node.stash[_capture_key] = held
        yield held


@pytest.fixture
def local_amplitude() -> Iterator[Running]:
    """A local Amplitude that this test has for itself: `init("any-key", server_url=….server_url)`.

    `….api` asks what it holds and injects faults. See docs/testing.md.
    """
    from antinode.server import running  # noqa: PLC0415 - needs an extra

    with running() as server:
        yield server
