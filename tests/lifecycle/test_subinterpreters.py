"""antinode in subinterpreters: at work where the interpreter lock is shared, told plainly where it is not."""

from __future__ import annotations

import sys

import pytest

from antinode import _lazy
from antinode.testing import Endpoint
from tests.lifecycle.driver import run, sequence

has_locks_of_their_own = pytest.mark.skipif(
    sys.version_info < (3, 12), reason="this Python has no interpreters with locks of their own"
)

_IN_SUBINTERPRETER = """
        try:
            import _interpreters
            make = lambda isolated: _interpreters.create("isolated" if isolated else "legacy")
        except ImportError:
            import _xxsubinterpreters as _interpreters
            make = lambda isolated: _interpreters.create(isolated=isolated)

        def run_in_one(program, isolated, **given):
            one = make(isolated)
            given.update(URL=URL, KEY=KEY)
            _interpreters.run_string(one, "\\n".join(f"{name} = {given[name]!r}" for name in given) + program)
            _interpreters.destroy(one)
"""

_LOGS = """
import antinode
antinode.init(KEY, server_url=URL, upload_interval_in_sec=600)
for seq in range(5):
    antinode.log_event({"event_type": "Tick", "user_id": user, "event_properties": {"seq": seq}})
"""

_IS_TOLD = """
import antinode
try:
    antinode.init(KEY)
except ImportError as error:
    print(error, flush=True)
"""


@pytest.mark.skipif(sys.version_info < (3, 13), reason="msgspec may not load in a second interpreter there")
def test_interpreter_that_shares_the_lock_sends_at_its_end(endpoint: Endpoint) -> None:
    """It has a client of its own, beside the main one's."""
    ended = run(
        f"""{_IN_SUBINTERPRETER}
        import antinode
        client = antinode.init(KEY, server_url=URL, upload_interval_in_sec=600)
        client.log_event(event(0, "user-main"))
        run_in_one({_LOGS!r}, isolated=False, user="user-sub")
        """,
        endpoint.url,
    )
    assert (ended.status, ended.errors) == (0, ""), ended
    assert sequence(endpoint.events, "user-main") == [0]
    assert sequence(endpoint.events, "user-sub") == list(range(5))


@has_locks_of_their_own
def test_interpreter_with_a_lock_of_its_own_is_told() -> None:
    """`init` raises at once, and says what to do instead."""
    ended = run(f"{_IN_SUBINTERPRETER}        run_in_one({_IS_TOLD!r}, isolated=True)\n")
    assert ended.output.startswith("antinode cannot run in an interpreter that has a lock of its own (module")
    assert ended.output.endswith("log from the main interpreter, or make this one with the lock shared\n")


@pytest.mark.parametrize(
    ("cause", "told"),
    [
        ("module msgspec._core does not support loading in subinterpreters", "a lock of its own"),
        ("No module named 'msgspec'", "^No module named 'msgspec'$"),
    ],
)
def test_only_what_is_meant_is_explained(monkeypatch: pytest.MonkeyPatch, cause: str, told: str) -> None:
    """Another `ImportError` comes through as it is."""

    def fail(_: str) -> object:
        raise ImportError(cause)

    monkeypatch.setattr(_lazy, "import_module", fail)
    find, _ = _lazy.exports("antinode", {"antinode._instances": "init"})
    with pytest.raises(ImportError, match=told):
        find("init")
