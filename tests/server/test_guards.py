"""What the server holds, and whom it answers: bodies not whole yet, doubtful hosts, files of its data."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from antinode.server import running
from antinode.server.http import bodies
from antinode.server.http.bodies import NoRoom, Room, read_body
from antinode.server.storage import schema


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    with running() as server:
        host, _, port = server.url.removeprefix("http://").rpartition(":")
        yield host, int(port)


def connected(address: tuple[str, int], sent: bytes) -> socket.socket:
    connection = socket.create_connection(address, timeout=120)
    connection.sendall(sent)
    return connection


@pytest.mark.parametrize("path", ["/", "/api/stats", "/healthz", "/2/httpapi"])
def test_two_hosts_are_one_too_many(address: tuple[str, int], path: str) -> None:
    """Whichever of them is meant, the request is answered 400."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: localhost\r\n\r\n".encode()
    with connected(address, request) as connection:
        assert connection.recv(4096).startswith(b"HTTP/1.1 400 ")


def test_unfinished_bodies_are_bounded_together(
    address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One too many is answered 503 with the reason, and there is room again when the others have ended."""
    monkeypatch.setattr(bodies._ROOM, "_free", 100_000)
    head = b"POST /batch HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n"
    held = [connected(address, head + b"x" * 60_000) for _ in range(2)]
    with connected(address, head + b"x" * 90_000) as one_more:
        answers = [one_more.recv(4096)]
        assert answers[0].startswith(b"HTTP/1.1 503 ")
        assert b"send fewer at a time" in answers[0] or b"send fewer at a time" in one_more.recv(4096)
    for each in held:
        each.close()


def test_what_a_body_took_is_given_back() -> None:
    """Whether it was whole, was refused for want of room, or never ended."""
    room = Room(100)

    def messages(*sizes: int) -> bodies.Receive:
        left = [{"type": "http.request", "body": b"x" * size, "more_body": True} for size in sizes]
        left[-1]["more_body"] = False

        async def receive() -> dict[str, object]:
            return left.pop(0)

        return receive

    async def run() -> None:
        body = await read_body(messages(40, 40), 1000, 5, room)
        assert len(body.data) == 80
        with pytest.raises(NoRoom):
            await read_body(messages(60, 60), 1000, 5, room)
        body = await read_body(messages(50, 50), 1000, 5, room)
        assert body.is_whole

    asyncio.run(run())
    assert room.take(100)
    assert not room.take(1)


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
@pytest.mark.parametrize("is_there", [False, True])
def test_data_is_for_its_owner_alone(tmp_path: Path, is_there: bool) -> None:
    """The file, and the log beside it; one that was made with more rights, too."""
    path = tmp_path / "events.db"
    mask = os.umask(0o022)
    try:
        if is_there:
            path.touch(0o644)
        connection = schema.connect(path)
        connection.execute("INSERT INTO tallies VALUES ('a', 'b', 1)")
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()}
        connection.close()
    finally:
        os.umask(mask)
    assert set(modes.values()) == {0o600}
    assert "events.db" in modes
