"""A directory of several clients and of strangers, and options that make no sense."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import antinode
from antinode import Client
from antinode.testing import Endpoint
from tests.lifecycle.driver import KEY, run, sequence
from tests.memory import Memory
from tests.storage.spooling import NOBODY, MakeClient, left, tick, until


def test_two_clients_share_a_directory(directory: Path, endpoint: Endpoint) -> None:
    """In one process too: each has files of its own, and neither takes the other's."""
    first = Client("first").init(KEY, server_url=endpoint.url, storage=directory)
    second = Client("second").init(KEY, server_url=endpoint.url, storage=directory)
    for seq in range(500):
        first.log_event(tick(seq, "first"))
        second.log_event(tick(seq, "second"))
    assert (first.shutdown(120).delivered, second.shutdown(120).delivered) == (500, 500)
    assert (first.stats().recovered, second.stats().recovered) == (0, 0)
    assert sequence(endpoint.events, "first") == sequence(endpoint.events, "second") == list(range(500))
    assert left(directory) == []


def test_init_anew_takes_over_what_was_left(directory: Path, endpoint: Endpoint) -> None:
    """The same instance, initialised with another server, delivers what the former could not."""
    client = Client("test").init(KEY, server_url=NOBODY, storage=directory, shutdown_timeout=0)
    for seq in range(100):
        client.log_event(tick(seq))
    client.init(KEY, server_url=endpoint.url, storage=directory)
    client.log_event(tick(100))
    assert client.shutdown(120).delivered == 101
    assert sequence(endpoint.events) == list(range(101))


def test_client_that_logs_nothing_delivers_what_was_left(make_client: MakeClient) -> None:
    """Opening the directory is enough."""
    client = make_client(server_url=NOBODY)
    client.log_event(tick(1))
    client.shutdown(0)
    memory = Memory()
    client = make_client(transport=memory)
    until(lambda: client.stats().delivered == 1)


def test_directory_and_files_are_the_owners_alone(directory: Path, make_client: MakeClient) -> None:
    """Events hold what users did."""
    client = make_client(transport=Memory(is_open=False))
    client.log_event(tick(1))
    assert directory.stat().st_mode & 0o077 == 0
    assert all((directory / name).stat().st_mode & 0o077 == 0 for name in left(directory))


def test_foreign_and_damaged_files_cost_nothing_else(directory: Path, make_client: MakeClient) -> None:
    """They are set aside; the events around them are delivered."""
    client = make_client(server_url=NOBODY)
    for seq in range(100):
        client.log_event(tick(seq))
    client.shutdown(0)
    (path,) = directory.glob("*.seg")
    data = bytearray(path.read_bytes())
    at = data.index(b'"seq":50')
    data[at : at + 3] = b"\0\0\0"
    path.write_bytes(data)
    (directory / "00000000000-1-00000000-00000001.seg").write_bytes(b"not a segment")
    (directory / "notes.txt").write_text("mine")
    memory = Memory()
    client = make_client(transport=memory)
    assert client.flush(120).delivered == 99
    client.shutdown()
    assert [event["event_properties"]["seq"] for event in memory.events] == [*range(50), *range(51, 100)]
    assert left(directory) == ["notes.txt"]
    assert list((directory / "damaged").iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"storage": 3}, "storage must be a path, not an int 3"),
        ({"storage": ""}, "storage must be a path, not ''"),
        ({"storage": __file__}, "is a file: write the path of a directory of its own"),
        ({"durability": "strict"}, "durability is about the spool: give storage="),
        ({"sync_interval": 2}, "sync_interval is about the spool"),
        ({"max_spool_bytes": 1 << 30}, "max_spool_bytes is about the spool"),
        ({"storage": "here", "durability": "safe"}, 'durability must be "process" or "interval" or "strict"'),
        ({"storage": "here", "sync_interval": 1.0}, 'sync_interval is for durability="interval"'),
        ({"storage": "here", "max_spool_bytes": 1000}, "max_spool_bytes must be a whole number of bytes"),
        ({"dead_letters": "/"}, "is a directory: write the path of a file"),
        ({"dead_letters": "a\0b"}, "dead_letters must be a path"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    """`init` raises, and says what to write instead."""
    with pytest.raises(antinode.ConfigurationError) as raised:
        Client("test").init(KEY, **options)
    assert message in str(raised.value)


def test_storage_is_not_loaded_unless_it_is_used() -> None:
    """`import antinode`, and a client without a spool, load nothing of it."""
    ended = run(
        """
        import antinode
        client = antinode.init(KEY, server_url=URL)
        client.shutdown(0)
        say([name for name in sys.modules if name.startswith("antinode._spool")])
        """
    )
    assert ended.lines == ["[]"]
