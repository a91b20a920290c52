"""Which code runs: compiled code wherever it can be, and what it shares with Python is checked."""

from __future__ import annotations

import enum
import os
import subprocess
import sys
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from antinode import Client, _speedups
from antinode._hot_path import layout_of
from tests import needs
from tests.memory import KEY, SONG, Memory, logging_client
from tests.variants import PORTABLE, build

Kind = enum.Enum("Kind", {"ONE": 1, "TWO": "two"})
KindOfText = enum.Enum("KindOfText", {"ONE": "one"}, type=str)


@pytest.fixture(scope="module")
def native() -> Any:
    return needs.native()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"plan": {"branch": "main"}, "ingestion_metadata": {"source_name": "here"}},
        {"overflow": "block", "max_queue_events": 100, "max_queue_bytes": 10**6},
        {"overflow": "drop_newest"},
        {"on_outcome": print, "on_retry": print},
        {"max_event_age": 60, "min_id_length": 1, "strict": True},
        {"compress": True},
        {"pace": 10},
        {"upload_interval_in_sec": 60, "max_cached_events": 10},
        {"storage": ".", "durability": "process"},
        {"storage": ".", "durability": "interval"},
        {"storage": ".", "durability": "strict"},
        {"dead_letters": "."},
    ],
    ids=str,
)
def test_it_is_in_force(native: Any, options: dict[str, Any], tmp_path: Any) -> None:
    """Whatever the options are: every ordinary event is logged by compiled code."""
    options = {name: tmp_path / name if value == "." else value for name, value in options.items()}
    with logging_client(Memory(), **options) as client:
        for _ in range(5):
            client.log_event(SONG)
        assert client._hot.taken == 5
        assert repr(client).endswith("| compiled>")


def test_it_is_in_force_again(native: Any) -> None:
    """After an opt-out and another `init`, which turn it off for a while; and around a middleware."""
    with logging_client(Memory()) as client:
        client.opt_out = True
        assert (client._hot, repr(client).endswith("| off>")) == (None, True)
        client.opt_out = False
        assert repr(client).endswith("| compiled>")

        def middleware(payload: Any, go_on: Any) -> None:
            go_on(payload)

        client.add_event_middleware(middleware)
        client.log_event(SONG)
        client.log_event(SONG, "for the middleware")
        client.log_event(SONG, extra="for the middleware")
        assert client._hot.taken == 3
        assert repr(client).endswith("| compiled>")
        client.remove_event_middleware(middleware)
        client.init(KEY, transport=Memory())
        client.log_event(SONG)
        assert client._hot.taken == 1


def test_a_client_that_tells_of_each_event_says_why_it_runs_python(native: Any) -> None:
    """With `debug` no event takes the compiled path, and the repr does not say so either."""
    with logging_client(Memory(), debug=True) as client:
        assert repr(client).endswith("| Python: with debug each event is told of>")


FORK = """
import os
from tests.memory import SONG, Memory, logging_client

def say(count):
    # One write: where output is unbuffered, `print` writes a number and its line's end one after the other.
    os.write(1, f"{count}\\n".encode())

with logging_client(Memory()) as client:
    client.log_event(SONG)
    child = os.fork()
    client.log_event(SONG)
    assert client.flush(120).complete
    # The child's first event finds that it has been forked, and leaves the rest to Python.
    say(client._hot.taken)
    if child == 0:
        client.log_event(SONG)
        say(client._hot.taken)
        os._exit(0)
    os.waitpid(child, 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_it_is_in_force_after_a_fork(native: Any) -> None:
    """In parent and child."""
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, check=False)
    assert sorted(done.stdout.split()) == ["1", "2", "2"], done.stderr


@pytest.mark.parametrize(
    "value",
    [
        datetime(2024, 5, 1, 12, 30, 0, 5),
        datetime(2024, 5, 1, tzinfo=timezone.utc),
        datetime(2024, 5, 1, tzinfo=timezone(timedelta(hours=5, minutes=30))),
        date(2024, 5, 1),
        time(12, 30),
        UUID(int=7),
        Kind.ONE,
        KindOfText.ONE,
        Decimal("12.5"),
        Decimal("0.10000000000000000001"),
        Decimal("NaN"),
        type("Text", (str,), {})("text"),
        type("Dict", (dict,), {})(a=1),
    ],
    ids=repr,
)
def test_usual_values_take_it(native: Any, value: Any) -> None:
    """As properties, however deep; and they are encoded as in Python."""
    with logging_client(Memory()) as client:
        event = {
            **SONG,
            "time": 1_700_000_000_000,
            "insert_id": "a",
            "event_properties": {"a": [1, (value,)]},
        }
        encoded = client._hot.encode(event)
        assert encoded is not None
        assert encoded == client._encoder.encode(event)[:2]


FORK_IN_C = """
import ctypes, os, sys, threading, time
from antinode._lifecycle import fork
from tests.memory import SONG, Memory, logging_client
assert type(fork.page) is memoryview

def where():
    return {thread: frame.f_lasti for thread, frame in sys._current_frames().items() if thread != here}

def rest():
    # A thread that was just taking the interpreter's lock would leave it locked in the child, in any program.
    at, since = where(), time.monotonic()
    while time.monotonic() - since < 0.1:
        time.sleep(0.01)
        if (now := where()) != at:
            at, since = now, time.monotonic()

here = threading.get_ident()
with logging_client(Memory()) as client:
    assert client.log_event(SONG).result(120).ok
    rest()
    libc = ctypes.PyDLL(None)
    child = libc.fork()
    if child == 0:
        told = fork.page[0], client.log_event(SONG).result(120).ok, client.stats().accepted, fork.page[0]
        print(*told, flush=True)
        os._exit(0)
    os.waitpid(child, 0)
    client.log_event(SONG)
    print(client._hot.taken, fork.page[0])
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="loads the C library by its usual handle")
def test_a_fork_is_told_without_the_page_that_linux_has(native: Any, tmp_path: Any) -> None:
    """As on other systems: by a flag that is cleared in the child, though it was forked in C."""
    done = subprocess.run(
        [sys.executable, "-c", FORK_IN_C],
        env=build(tmp_path, PORTABLE),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stdout.splitlines() == ["0 True 1 1", "2 1"], done.stderr


def layout(client: Client) -> dict[str, Any]:
    assert client._encoder is not None
    assert client._sender is not None
    return layout_of(client._encoder, client._sender)


def test_a_name_that_is_gone_or_new_is_told(native: Any, tmp_path: Any) -> None:
    """The two sides must agree on every name: nothing goes slow in silence."""
    with logging_client(Memory(), storage=tmp_path) as client:
        whole = layout(client)
        native.Log(whole)
        for name in whole:
            with pytest.raises(TypeError, match=f"lacks {name}$"):
                native.Log({key: value for key, value in whole.items() if key != name})
        with pytest.raises(TypeError, match="are known"):
            native.Log({**whole, "another": 1})
        for name in whole["stored"]:
            stored = {key: value for key, value in whole["stored"].items() if key != name}
            with pytest.raises(TypeError, match=f"lacks {name}$"):
                native.Log({**whole, "stored": stored})


def test_another_layout_in_memory_is_told(native: Any) -> None:
    """What is no slot, or one of another kind, is not taken for one."""
    with logging_client(Memory()) as client:
        whole = layout(client)
        for name in ("accepted", "is_closed", "record_epoch"):
            with pytest.raises(TypeError, match="is no slot"):
                native.Log({**whole, name: property(lambda _: 1)})
        with pytest.raises(TypeError, match="is no slot"):
            native.Log({**whole, "accepted": whole["is_closed"]})


def test_why_it_is_python_is_told() -> None:
    """By `repr(client)`, where somebody has turned the compiled parts off."""
    program = "import antinode; print(antinode.Client().init('0' * 32))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "ANTINODE_PURE_PYTHON": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip().endswith("| Python: ANTINODE_PURE_PYTHON=1>")


def test_giving_up_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where compiled code does not fit what it finds, Python goes on, and says why."""
    monkeypatch.setattr(_speedups, "native", _speedups.native)
    monkeypatch.setattr(_speedups, "why_python", "")
    _speedups.give_up("the layout lacks epoch")
    assert _speedups.describe() == "Python: the layout lacks epoch"
