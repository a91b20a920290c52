"""Whose the directory and its files are decides whether they are used."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from antinode import Client, ConfigurationError
from antinode._spool import SpoolBroken
from antinode._spool.disk import Disk
from antinode._spool.inspection import inspect
from antinode.cli.doctor.storage import check_spool
from tests.memory import KEY, Memory
from tests.spool.files import opened, segments, settle

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="owners and modes as POSIX has them")

STRANGER = 54_321


def of_stranger(status: os.stat_result) -> os.stat_result:
    return os.stat_result((*status[:4], STRANGER, *status[5:10]))


class SharedDisk(Disk):
    """The real disk, on which some files belong to another user."""

    def __init__(self, *foreign: str) -> None:
        self.inodes = {os.stat(path).st_ino for path in foreign}

    def _seen(self, status: os.stat_result) -> os.stat_result:
        return of_stranger(status) if status.st_ino in self.inodes else status

    def stat(self, path: str) -> os.stat_result:
        return self._seen(super().stat(path))

    def stat_directory(self, path: str) -> os.stat_result:
        return self._seen(super().stat_directory(path))

    def stat_open(self, descriptor: int) -> os.stat_result:
        return self._seen(super().stat_open(descriptor))


@pytest.fixture
def as_another(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What this user has made so far belongs to somebody else than the process's user."""
    if os.geteuid() == 0:
        os.chown(tmp_path, STRANGER, STRANGER)
    else:
        monkeypatch.setattr("os.geteuid", lambda: STRANGER)


def leave(path: Path, body: bytes) -> Path:
    """As a process that died: returns its segment."""
    before = set(segments(path))
    spool = opened(path)
    spool.append(body, 0.0, direct=True)
    spool.close()
    (segment,) = set(segments(path)) - before
    return segment


@pytest.mark.usefixtures("as_another")
def test_a_directory_of_another_users_is_refused_by_init(tmp_path: Path) -> None:
    """It is wrong configuration: told at once, with what to do, and nothing is written."""
    with pytest.raises(ConfigurationError, match=r"belongs to another user.*Give the directory to the user"):
        Client("test").init(KEY, transport=Memory(), storage=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_changes_hands_later_is_a_trouble(tmp_path: Path) -> None:
    """A spool that is opened anew says why it cannot be, and leaves the directory alone."""
    with pytest.raises(SpoolBroken, match=f"another user .uid {STRANGER}"):
        opened(tmp_path, disk=SharedDisk(str(tmp_path)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("mode", "told"), [(0o777, "every user"), (0o1777, "every user"), (0o770, "its group"), (0o755, "")]
)
def test_a_directory_that_others_may_write_to_is_told_once(
    tmp_path: Path, mode: int, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is used all the same."""
    tmp_path.chmod(mode)
    with caplog.at_level(logging.WARNING, "antinode"):
        client = Client("test").init(KEY, transport=Memory(), storage=tmp_path)
        client.log_event({"event_type": "t", "user_id": "user-1"})
        assert client.flush(120).delivered == 1
        client.shutdown()
    lines = [record.message for record in caplog.records if "open to others" in record.message]
    assert len(lines) == (1 if told else 0)
    assert all(told in line and "chmod 700" in line for line in lines)


@pytest.fixture
def mixed(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A directory with a segment of this user's and a stranger's, which is returned with it."""
    stranger = leave(tmp_path, b"planted")
    mine = leave(tmp_path, b"mine")
    yield stranger, mine
    assert stranger.exists()


def test_segments_of_other_users_are_left_alone_and_told_once(
    tmp_path: Path, mixed: tuple[Path, Path]
) -> None:
    """Nothing of theirs is read, moved or deleted; what is this user's beside it is delivered."""
    spool = opened(tmp_path, disk=SharedDisk(str(mixed[0])))
    spool.adopt()
    assert settle(spool) == [b"mine"]
    (refusal,) = spool.take_refusals()
    assert "another user" in str(refusal)
    assert mixed[0].name in str(refusal)
    spool.adopt()
    assert spool.take_refusals() == []
    spool.close()
    assert not mixed[1].exists()


def test_a_strangers_segment_among_an_owners_own_costs_only_itself(tmp_path: Path) -> None:
    """A file with the next number of a dead owner of this user's does not keep its segments back."""
    mine = leave(tmp_path, b"mine")
    planted = tmp_path / mine.name.replace("00000001.seg", "00000002.seg")
    planted.write_bytes(mine.read_bytes())
    spool = opened(tmp_path, disk=SharedDisk(str(planted)))
    spool.adopt()
    assert settle(spool) == [b"mine"]
    spool.close()
    assert planted.exists()


def test_what_is_no_segment_and_a_strangers_is_not_moved(tmp_path: Path) -> None:
    """Setting aside is for this user's files."""
    stray = tmp_path / "stray.seg"
    stray.write_bytes(b"anything")
    spool = opened(tmp_path, disk=SharedDisk(str(stray)))
    spool.adopt()
    spool.close()
    assert stray.exists()


def test_verify_and_doctor_tell_of_other_users_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file by name, and the directory with who may write to it."""
    segment = leave(tmp_path, b"planted")
    tmp_path.chmod(0o777)
    (finding,) = [each for each in check_spool(str(tmp_path), 1) if each.topic == "spool access"]
    assert (finding.verdict, "every user" in finding.text) == ("warning", True)
    monkeypatch.setattr(
        "antinode._spool.ownership.refusal", lambda status: "it belongs to another user (uid 7)"
    )
    monkeypatch.setattr("antinode._spool.inspection.inspect.refusal", lambda status: "it is another user's")
    assert "another user" in {each.path: each.problem for each in inspect.verify(str(tmp_path))}[str(segment)]
    (finding,) = [each for each in check_spool(str(tmp_path), 1) if each.topic == "spool access"]
    assert (finding.verdict, "uid 7" in finding.text) == ("problem", True)
