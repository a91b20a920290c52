"""`dead_letters="PATH.jsonl"`: what did not arrive is kept with its reason, whatever happens."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import signal
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import antinode
from antinode import Client, Outcome, Status
from antinode._deadletters import KEPT_FILES, MAX_BYTES, DeadLetters, Letter, decode, encode, files_of
from antinode._delivery.record import Record
from antinode._spool.inspection import inspect
from antinode.server import running
from antinode.server.rules import Rules
from antinode.testing import Answer, Endpoint, faults
from tests.lifecycle.driver import KEY, finish, run, start
from tests.memory import Memory

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="modes and signals as POSIX has them")

NOBODY = "http://127.0.0.1:9/2/httpapi"
BAD_DEVICE = "device-bad"

MakeClient = Callable[..., Client]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "dead-letters.jsonl"


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as running_endpoint:
        running_endpoint.answer = faults.silence([BAD_DEVICE])
        yield running_endpoint


@pytest.fixture
def make_client(path: Path) -> Iterator[MakeClient]:
    """Makes clients that keep dead letters, which are shut down with the test."""
    made: list[Client] = []

    def make(**options: Any) -> Client:
        client = Client("test").init(KEY, **{"dead_letters": path, **options})
        made.append(client)
        return client

    yield make
    for client in made:
        client.shutdown(0)


def song(number: int = 1, **more: Any) -> Any:
    return {"event_type": "Song Played", "user_id": "user-20391", "event_properties": {"n": number}} | more


def letters(path: Path) -> list[Letter]:
    """What is kept, oldest first; each line must be whole, or blank."""
    lines = [line for name in files_of(str(path)) for line in Path(name).read_bytes().splitlines()]
    return [decode(line) for line in lines if line]


def settled(kind: str, body: bytes, message: str = "") -> Record:
    return Record(body, 0, 0.0, outcome=Outcome(kind, Status.INVALID, "refused", 400, message))


def test_a_rejected_event_is_kept_with_its_reason(
    path: Path, endpoint: Endpoint, make_client: MakeClient
) -> None:
    """Outcome, reason, code, the server's words, and the very event that was sent, its insert_id and all."""
    client = make_client(server_url=endpoint.url)
    client.log_event(song(1))
    handle = client.log_event(song(2, device_id=BAD_DEVICE))
    sent = handle.event()
    assert client.flush(120).rejected == 1
    (letter,) = letters(path)
    assert (letter.outcome, letter.reason, letter.code) == ("rejected", "refused", 400)
    assert letter.message == handle.result().message
    assert letter.event == sent
    assert letter.event is not None
    assert letter.event["insert_id"]
    assert letter.buried_at is not None
    line = json.loads(path.read_bytes())
    assert list(line) == ["buried_at", "outcome", "reason", "code", "message", "attempts", "event"]
    assert line["attempts"] == handle.result().attempts


def test_delivered_and_skipped_events_are_not_kept(
    path: Path, endpoint: Endpoint, make_client: MakeClient
) -> None:
    """What arrived, what a middleware held back, and what was logged while opted out leave nothing."""
    client = make_client(server_url=endpoint.url)
    client.log_event(song())
    client.flush(120)
    client.add_event_middleware(lambda payload, following: None)
    client.log_event(song())
    client.opt_out = True
    client.log_event(song())
    client.shutdown()
    assert client.stats().skipped == {"middleware": 1, "opt_out": 1}
    assert not path.exists()


def test_what_the_checks_refuse_is_kept(path: Path, make_client: MakeClient) -> None:
    """An event that was refused where it was logged is there as it was given, with what to write instead."""
    client = make_client(transport=Memory())
    client.log_event({"event_type": "Song Played", "event_properties": {"n": 1}})
    client.shutdown()
    (letter,) = letters(path)
    assert (letter.outcome, letter.reason, letter.code) == ("rejected", "invalid_event", 0)
    assert letter.event == {"event_type": "Song Played", "event_properties": {"n": 1}}
    assert "user_id" in letter.message


def test_of_what_is_no_event_the_reason_is_kept(path: Path, make_client: MakeClient) -> None:
    """There is a letter without an event, so that it is not missing without a word."""
    client = make_client(transport=Memory())
    client.log_event(42)  # type: ignore[call-overload]  # a caller without a type checker
    client.shutdown()
    (letter,) = letters(path)
    assert (letter.outcome, letter.event) == ("rejected", None)
    assert "must be a dict" in letter.message


def test_of_an_event_whose_middleware_broke_only_the_reason_is_kept(
    path: Path, make_client: MakeClient
) -> None:
    """It might have been the one that takes out what nobody may keep."""

    def breaks(payload: Any, following: Any) -> None:
        raise RuntimeError("secret")

    client = make_client(transport=Memory())
    client.add_event_middleware(breaks)
    client.log_event(song(email="ada@example.com"))
    client.shutdown()
    (letter,) = letters(path)
    assert (letter.outcome, letter.reason, letter.event) == ("dropped", "middleware_error", None)
    assert b"ada@" not in path.read_bytes()
    assert b"secret" not in path.read_bytes()


@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest"])
def test_what_a_full_queue_drops_is_kept(path: Path, make_client: MakeClient, overflow: str) -> None:
    """Every event is delivered or in the file, whichever end of the queue gives way."""
    memory = Memory(is_open=False)
    client = make_client(transport=memory, max_queue_events=10, overflow=overflow)
    for number in range(30):
        client.log_event(song(number))
    memory.gate.set()
    client.shutdown(120)
    kept = [letter.event["event_properties"]["n"] for letter in letters(path) if letter.event]
    arrived = [event["event_properties"]["n"] for event in memory.events]
    assert sorted(kept + arrived) == list(range(30))
    assert {(letter.outcome, letter.reason) for letter in letters(path)} == {("dropped", "queue_full")}


def test_what_a_shutdown_gives_up_is_kept(path: Path, make_client: MakeClient) -> None:
    """So are events that are logged even later."""
    client = make_client(server_url=NOBODY)
    for number in range(100):
        client.log_event(song(number))
    client.shutdown(0)
    client.log_event(song(100))
    assert [letter.event["event_properties"]["n"] for letter in letters(path) if letter.event] == list(
        range(101)
    )
    assert {letter.reason for letter in letters(path)} == {"shutdown"}


def test_what_is_too_old_is_kept(path: Path, make_client: MakeClient) -> None:
    """An event that expires in an outage is there, as dropped for its age."""
    client = make_client(server_url=NOBODY, max_event_age=0.05)
    handle = client.log_event(song())
    assert handle.result(120).reason == "expired"
    client.shutdown(0)
    assert [letter.reason for letter in letters(path)] == ["expired"]


def test_what_a_wrong_key_held_up_is_kept_at_the_end(path: Path, make_client: MakeClient) -> None:
    """Without a spool, the events are there with the reason; the key, which the server repeats, is not."""
    with running(rules=Rules(api_keys=("f" * 32,))) as amplitude:
        client = make_client(server_url=amplitude.server_url)
        client.log_event(song())
        assert client.flush(120).pending == 1
        assert not path.exists()
        client.shutdown(120)
    (letter,) = letters(path)
    assert (letter.outcome, letter.reason) == ("dropped", "shutdown")
    assert "Invalid API key" in letter.message
    assert KEY.encode() not in path.read_bytes()


def test_the_file_is_its_owners(path: Path, make_client: MakeClient) -> None:
    """Nobody else may read it, whatever the umask."""
    former = os.umask(0)
    try:
        client = make_client(server_url=NOBODY)
        client.log_event(song())
        client.shutdown(0)
    finally:
        os.umask(former)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_files_are_set_aside_at_their_bound(path: Path, make_client: MakeClient) -> None:
    """None exceeds 16 MiB, four are kept beside the current one, and the newest letters are all there."""
    client = make_client(transport=Memory())
    text = "x" * (3 * 1024 * 1024)
    for number in range(40):
        client.log_event(song(number, event_properties={"n": number, "lines": [text[:1000]] * 3000}))
    client.shutdown()
    files = files_of(str(path))
    assert [Path(name).name for name in files] == [
        *(f"{path.name}.{number}" for number in range(KEPT_FILES, 0, -1)),
        path.name,
    ]
    assert all(os.path.getsize(name) <= MAX_BYTES for name in files)
    kept = [letter.event["event_properties"]["n"] for letter in letters(path) if letter.event]
    assert kept == list(range(40 - len(kept), 40))
    assert len(kept) > 20
    assert sorted(os.listdir(path.parent)) == sorted(Path(name).name for name in files)


def test_a_bound_holds_for_letters_that_come_at_once(tmp_path: Path) -> None:
    """A whole queue that is dropped is written in pieces, each to a file with room for it."""
    kept = DeadLetters(str(tmp_path / "dead"), max_bytes=10_000)
    kept.bury(settled("dropped", b'{"n":%d}' % number) for number in range(1000))
    assert {os.path.getsize(name) <= 10_000 for name in files_of(kept.path)} == {True}
    assert len(files_of(kept.path)) == KEPT_FILES + 1


WRITER = """
    import os
    from antinode._deadletters import DeadLetters
    from antinode._delivery.record import Record
    from antinode import Outcome, Status

    kept = DeadLetters({path!r}, max_bytes={bound})
    outcome = Outcome("dropped", Status.FAILED, "shutdown", message="x" * 200)
    sys.stdin.readline()
    for number in range(400):
        body = b'{{"who":%d,"n":%d}}' % (os.getpid(), number)
        kept.bury([Record(body, 0, 0.0, outcome=outcome)] * (1 + number % 3))
"""


@pytest.mark.parametrize("bound", [MAX_BYTES, 40_000], ids=["one file", "rotating"])
def test_many_processes_share_a_file(path: Path, bound: int) -> None:
    """No letter is torn, none is missing, and each process's are in order; rotation loses only the oldest."""
    writers = [start(WRITER.format(path=str(path), bound=bound)) for _ in range(5)]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        ended = finish(writer)
        assert (ended.status, ended.errors) == (0, "")
    found: dict[int, list[int]] = {}
    for letter in letters(path):
        assert letter.event is not None
        found.setdefault(letter.event["who"], []).append(letter.event["n"])
    if bound == MAX_BYTES:
        everything = [number for number in range(400) for _ in range(1 + number % 3)]
        assert list(found.values()) == [everything] * 5
    else:
        assert all(numbers[-1] == 399 for numbers in found.values())
        assert len(files_of(str(path))) <= KEPT_FILES + 1
        assert not [name for name in os.listdir(path.parent) if name.endswith(".rotating")]


def test_a_line_that_another_process_is_writing_is_waited_for(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be stopped in the midst of it for a while; no blank line comes of that."""
    letter = encode(Outcome("dropped", Status.FAILED, "shutdown"), b'{"n":1}')
    path.write_bytes(letter[:50])
    waits = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 10:
            with path.open("ab") as file:
                file.write(letter[50:])

    monkeypatch.setattr("antinode._deadletters.time.sleep", wait)
    DeadLetters(str(path)).bury([settled("dropped", b'{"n":2}')])
    assert [decode(line).event for line in path.read_bytes().splitlines()] == [{"n": 1}, {"n": 2}]
    assert len(waits) == 10


def test_a_letter_does_not_continue_a_torn_line(path: Path) -> None:
    """What a process that was killed has left unfinished costs no letter after it."""
    path.write_bytes(b'{"buried_at":"2026-')
    kept = DeadLetters(str(path))
    for number in (1, 2):
        kept.bury([settled("dropped", b'{"n":%d}' % number)])
    _, *whole = path.read_bytes().splitlines()
    assert [decode(line).event for line in whole] == [{"n": 1}, {"n": 2}]


def test_a_directory_in_its_place_is_said_once(
    path: Path, make_client: MakeClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing else suffers; once the place is free, letters are kept again."""
    memory = Memory()
    client = make_client(transport=memory)
    path.mkdir()
    with caplog.at_level(logging.WARNING, "antinode"):
        for number in range(3):
            client.log_event({"event_type": "Song Played"})
            client.log_event(song(number))
            assert client.flush(120).rejected == 1
        told = [line for line in caplog.messages if "dead letters cannot be written" in line]
        assert told == [
            f"antinode: dead letters cannot be written to {str(path)!r}: {os.strerror(errno.EISDIR)}"
        ]
        path.rmdir()
        client.log_event({"event_type": "Song Played"})
        client.shutdown()
    assert len(letters(path)) == 1
    assert len(memory.events) == 3


def test_a_full_disk_is_said_once(path: Path) -> None:
    """The application goes on. When there is room again, the letters after it are whole."""
    ended = run(
        f"""
        import antinode, logging, resource
        logging.basicConfig(format="%(message)s", level=logging.WARNING)
        client = antinode.init(KEY, server_url=URL, dead_letters={str(path)!r})
        def bury(count):
            for _ in range(count):
                client.log_event({{"event_type": "x" * 100}})
            assert client.flush(120).rejected == count
        bury(3)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
        bury(10)
        bury(10)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        bury(2)
        assert client.stats().rejected == {{"invalid_event": 25}}
        """
    )
    assert ended.status == 0, ended.errors
    assert ended.errors.count("dead letters cannot be written") == 1
    assert os.strerror(errno.EFBIG) in ended.errors
    whole, torn = [], 0
    for line in path.read_bytes().splitlines():
        try:
            whole.append(decode(line))
        except ValueError:
            torn += 1
    assert torn == 1
    assert len(whole) >= 5
    assert [letter.reason for letter in whole] == ["invalid_event"] * len(whole)


def test_a_torn_line_costs_no_other(path: Path) -> None:
    """What a killed process wrote in part is closed by the next writer."""
    path.write_bytes(b'{"buried_at":"2026-')
    DeadLetters(str(path)).bury([settled("rejected", b"{}")])
    torn, whole = path.read_bytes().splitlines()
    assert torn == b'{"buried_at":"2026-'
    assert decode(whole).event == {}


def test_another_process_that_died_while_setting_files_aside_is_not_waited_for(path: Path) -> None:
    """Its mark keeps others from it for a minute; they go on writing meanwhile."""
    guard = path.with_name(f"{path.name}.rotating")
    guard.mkdir()
    kept = DeadLetters(str(path), max_bytes=200)
    for _ in range(5):
        kept.bury([settled("rejected", b"{}")])
    assert files_of(str(path)) == [str(path)]
    os.utime(guard, (0, 0))
    kept.bury([settled("rejected", b"{}")])  # takes the mark away
    kept.bury([settled("rejected", b"{}")])
    assert files_of(str(path)) == [f"{path}.1", str(path)]
    assert len(letters(path)) == 7


def test_a_letter_is_written_before_the_spool_forgets(tmp_path: Path, path: Path, endpoint: Endpoint) -> None:
    """Killed at any moment in between, every event was delivered or is in the file, though maybe twice."""
    spool = tmp_path / "spool"
    program = f"""
        import antinode, antinode._deadletters as dead, os, signal
        bury = dead.DeadLetters.bury
        def bury_and_die(self, records):
            bury(self, records)
            os.kill(os.getpid(), signal.SIGKILL)
        if sys.stdin.readline() == "die\\n":
            dead.DeadLetters.bury = bury_and_die
            client = antinode.init(KEY, server_url=URL, storage={str(spool)!r}, dead_letters={str(path)!r})
            for seq in range(50):
                client.log_event(event(seq) | {{"device_id": {BAD_DEVICE!r} if seq % 5 == 0 else "device-1"}})
        else:
            client = antinode.init(KEY, server_url=URL, storage={str(spool)!r}, dead_letters={str(path)!r})
        client.flush(120)
        client.shutdown()
        """

    def ended(answer: str) -> int:
        process = start(program, endpoint.url)
        assert process.stdin is not None
        process.stdin.write(answer)
        return finish(process).status

    assert ended("die\n") == -signal.SIGKILL
    once = [letter.event for letter in letters(path) if letter.event]
    assert once
    assert ended("live\n") == 0
    buried = {each.event["event_properties"]["seq"] for each in letters(path) if each.event}
    delivered = {event["event_properties"]["seq"] for event in endpoint.events}
    assert buried == set(range(0, 50, 5))
    assert delivered == set(range(50)) - buried
    assert {event["insert_id"] for event in once} <= {
        each.event["insert_id"] for each in letters(path)[len(once) :] if each.event
    }, "what was buried and not yet forgotten comes again as the same event"
    assert os.listdir(spool) == []


def test_a_forked_child_writes_its_own(path: Path) -> None:
    """Parent and child share the file; neither writes the other's letters."""
    ended = run(
        f"""
        import antinode, os
        client = antinode.init(KEY, server_url=URL, dead_letters={str(path)!r}, shutdown_timeout=0)
        client.log_event(event(1))
        child = os.fork()
        client.log_event(event(2 if child else 3))
        client.shutdown(0)
        if child:
            os.waitpid(child, 0)
        """
    )
    assert ended.status == 0, ended.errors
    kept = sorted(letter.event["event_properties"]["seq"] for letter in letters(path) if letter.event)
    assert kept == [1, 2, 3]


def test_an_answer_that_names_nobody_buries_only_the_bad_ones(
    path: Path, endpoint: Endpoint, make_client: MakeClient
) -> None:
    """A firewall's 403 is taken apart until the events it objects to are found; the others arrive."""
    endpoint.answer = lambda arrival: Answer(403) if b"DROP TABLE" in arrival.body else None
    client = make_client(server_url=endpoint.url)
    for number in range(20):
        client.log_event(
            song(number, event_properties={"n": number, "q": "DROP TABLE" if number == 7 else ""})
        )
    report = client.flush(120)
    assert (report.delivered, report.rejected) == (19, 1)
    (letter,) = letters(path)
    assert letter.event is not None
    assert letter.event["event_properties"]["n"] == 7
    assert letter.code == 403


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    event=st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), json_values, max_size=4),
    message=st.text(st.characters(exclude_categories=["Cs"])),
    kind=st.sampled_from(["rejected", "dropped"]),
)
def test_what_is_written_is_read_back(event: dict[str, Any], message: str, kind: str) -> None:
    """One line for each letter, and the event in it equal in every value."""
    line = encode(Outcome(kind, Status.INVALID, "refused", 400, message, 2), json.dumps(event).encode())
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    letter = decode(line)
    assert letter.event == event
    assert (letter.outcome, letter.reason, letter.code, letter.message) == (kind, "refused", 400, message)


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: json.dumps(text).encode()))
def test_any_other_line_is_an_error_in_words(line: bytes) -> None:
    """Whatever stands in a file, reading it gives a letter or says what is wrong."""
    with contextlib.suppress(ValueError):
        assert isinstance(decode(line).event, dict | None)


def test_an_event_alone_is_read() -> None:
    """A line without an outcome is an event that somebody put there."""
    assert decode(b'{"event_type":"Song Played","user_id":"user-20391"}') == Letter(
        {"event_type": "Song Played", "user_id": "user-20391"}
    )
    for line, problem in [
        (b"[1]", "not a dead letter or an event"),
        (b'{"outcome":"rejected","event":3}', "Expected `object | null`, got `int`"),
        (b"{", "not JSON"),
        (b"[" * 100_000, "not JSON"),
    ]:
        with pytest.raises(ValueError, match=problem.replace("|", r"\|")):
            decode(line)


def test_importing_antinode_does_not_load_it() -> None:
    """Only a client that keeps dead letters pays for them."""
    assert run("import antinode; assert 'antinode._deadletters' not in sys.modules").status == 0
    assert antinode.Options().dead_letters is None


def test_what_a_full_spool_drops_is_buried_before_it_is_forgotten(tmp_path: Path, path: Path) -> None:
    """Killed while it makes room, every event is still in the spool or in the file."""
    spool = tmp_path / "spool"
    program = f"""
        import antinode, antinode._deadletters as dead, os, signal
        dead.DeadLetters.bury = lambda self, records: os.kill(os.getpid(), signal.SIGKILL)
        client = antinode.init(KEY, server_url=URL, storage={str(spool)!r}, max_spool_bytes=1 << 20,
                               dead_letters={str(path)!r})
        for seq in range(100_000):
            client.log_event(event(seq))
        """
    assert finish(start(program)).status == -signal.SIGKILL
    seqs = [
        json.loads(record.body)["event_properties"]["seq"]
        for segment in inspect.survey(str(spool))
        for record in inspect.records(segment.path, pending_only=True)
    ]
    assert seqs
    assert seqs == list(range(len(seqs)))


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to(path.with_name("victim"))])
def test_only_a_regular_file_is_written_to(path: Path, make: Callable[[Path], None]) -> None:
    """A FIFO that nobody reads keeps nobody waiting, and a link is not followed."""
    victim = path.with_name("victim")
    victim.touch()
    make(path)
    DeadLetters(str(path)).bury([settled_record()])
    assert victim.read_bytes() == b""


@pytest.mark.parametrize("kind", ["file", "from the future"])
def test_what_stands_in_the_guards_place_does_not_end_rotation(path: Path, kind: str) -> None:
    """A file there, or a directory with a date ahead of the clock, is taken away."""
    guard = path.with_name(path.name + ".rotating")
    if kind == "file":
        guard.touch()
    else:
        guard.mkdir()
        os.utime(guard, (4e9, 4e9))
    letters = DeadLetters(str(path), max_bytes=20_000)
    for _ in range(100):
        letters.bury([settled_record(b'{"a":"%s"}' % (b"x" * 1000))])
    assert path.stat().st_size <= 20_000
    assert not guard.exists()


def settled_record(body: bytes = b"{}") -> Record:
    return Record(body, 0, 0.0, outcome=Outcome("rejected", Status.INVALID, "reason"))


def test_a_record_that_cannot_be_encoded_costs_no_other_its_letter(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever fails for one body, its letter is there without it, and the others' are whole."""

    def failing(body: bytes) -> bool:
        if body == b'{"n":2}':
            raise RuntimeError("a fault that nobody has foreseen")
        return bool(body)

    monkeypatch.setattr("antinode._deadletters._is_json", failing)
    outcome = Outcome("dropped", Status.FAILED, "shutdown")
    DeadLetters(str(path)).bury(Record(b'{"n":%d}' % n, 0, 0.0, outcome=outcome) for n in (1, 2, 3))
    assert [decode(line).event for line in path.read_bytes().splitlines()] == [{"n": 1}, None, {"n": 3}]


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs the right to give files away"
)
def test_another_users_file_is_not_written_to(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever put it there could read what users did."""
    path.touch(mode=0o666)
    os.chown(path, 4711, 4711)
    DeadLetters(str(path)).bury([settled_record(b"{}")])
    assert path.read_bytes() == b""
    assert "another user" in caplog.text


@pytest.mark.parametrize(
    "text", ["Song Played", "Écouté \ud800 fini", "x" * 5_000], ids=["plain", "surrogate", "long"]
)
def test_a_text_in_place_of_an_event_is_kept_as_its_type(
    path: Path, make_client: MakeClient, text: str
) -> None:
    """`log_event("Song Played")` is refused, and the letter keeps what was meant."""
    client = make_client(transport=Memory())
    client.log_event(text)  # type: ignore[call-overload]  # a caller without a type checker
    client.shutdown()
    [letter] = letters(path)
    assert letter.event
    assert letter.event["event_type"][:5] == text[:5]
