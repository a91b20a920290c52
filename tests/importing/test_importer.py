"""The importer against a local Amplitude: every event arrives once, as the file says it, whatever happens."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from antinode._importing import importer
from antinode._importing.columns import Columns
from antinode._importing.errors import CannotResume, Halted
from antinode._importing.importer import Importer
from antinode._importing.reports import ImportProgress, ImportReport
from antinode.server import Rules, Running, running
from tests.delivery.rawserver import RawServer, answering
from tests.importing.comparing import check, flight_events, shop_events, stored
from tests.importing.runs import (
    FLIGHT_COLUMNS,
    FLIGHTS,
    KEY,
    SHOP,
    SHOP_COLUMNS,
    Quiet,
    look,
    rejected,
    run,
    settings,
    song,
    write_lines,
)


@pytest.fixture
def server() -> Any:
    with running() as server:
        yield server


def test_the_shop_arrives_event_by_event(server: Running, tmp_path: Path) -> None:
    """Each row of the shop is one event, as it would be worked out by hand, each user's in order."""
    report = run([SHOP], tmp_path, server.url, columns=SHOP_COLUMNS)
    wanted = list(shop_events(SHOP))
    assert (report.delivered, report.rejected, report.is_finished) == (len(wanted), 0, True)
    check(stored(server.api), wanted)


def test_the_flights_arrive_event_by_event(server: Running, tmp_path: Path) -> None:
    """Flights are events of their tail number in the group of their carrier; the others are rejected."""
    report = run([FLIGHTS], tmp_path, server.url, columns=FLIGHT_COLUMNS)
    wanted = list(flight_events(FLIGHTS))
    assert report.delivered == len(wanted)
    assert report.rejected == 5027 - len(wanted) > 0
    check(stored(server.api), wanted)
    (kind,) = report.findings.most_frequent()
    assert "neither a `user_id` nor a `device_id`" in kind.message


def test_faults_change_nothing(tmp_path: Path) -> None:
    """Refusals and lost answers, before and after the events were stored, cost no event and no order."""
    faults = ("500@20%", "500-after@10%", "drop-after@10%", "drop-before@10%")
    with running(faults=faults, seed=7) as server:
        report = run([SHOP], tmp_path, server.url, columns=SHOP_COLUMNS)
        assert report.delivered == 9030
        assert report.retries > 0
        check(stored(server.api), list(shop_events(SHOP)))


def test_processes_keep_the_order(server: Running, tmp_path: Path) -> None:
    """Rows that are prepared in several processes arrive as those of one do."""
    report = run([SHOP], tmp_path, server.url, columns=SHOP_COLUMNS, processes=2)
    assert report.delivered == 9030
    check(stored(server.api), list(shop_events(SHOP)))


def test_a_repeated_import_does_not_duplicate(server: Running, tmp_path: Path) -> None:
    """The same rows under another name and compression, or begun anew, have the insert_ids that they had."""
    lines = write_lines(tmp_path / "a.jsonl", map(song, range(300)))
    (tmp_path / "b.ndjson.gz").write_bytes(gzip.compress(lines.read_bytes()))
    assert run([lines], tmp_path, server.url).delivered == 300
    again = run([lines], tmp_path, server.url)
    assert again.was_finished
    assert again.requests == 0
    assert run([lines], tmp_path, server.url, is_repeated=True).requests > 0
    assert run([tmp_path / "b.ndjson.gz"], tmp_path, server.url, is_repeated=True).requests > 0
    assert len(stored(server.api)) == 300
    run([lines], tmp_path, server.url, is_repeated=True, namespace="once more")
    assert len(stored(server.api)) == 600


def test_equal_rows_are_events_of_their_own(server: Running, tmp_path: Path) -> None:
    """Two rows that say the same at two places are two events."""
    run([write_lines(tmp_path / "a", [song(1)] * 3)], tmp_path, server.url)
    assert len(stored(server.api)) == 3


BROKEN = [
    b"nonsense",
    b'{"event_type": "x"',
    b"[1, 2]",
    b'"text"',
    b"\xff\xfe\xfa",
    b'{"event_type": "x"}',
    b'{"user_id": "user-1"}',
    b'{"event_type": "", "user_id": "user-1"}',
    b'{"event_type": "x", "user_id": "1"}',
    b'{"event_type": "x", "user_id": "anonymous"}',
    b'{"event_type": "x", "user_id": "user-1", "time": "soon"}',
    b'{"event_type": "x", "user_id": "user-1", "event_properties": [1]}',
    b'{"event_type": "x", "user_id": "user-1", "price": "much"}',
    b'{"event_type": "x", "user_id": "user-1", "event_properties": %s}' % (b'{"a":' * 50 + b"1" + b"}" * 50),
    b'{"event_type": "x", "user_id": "user-1", "event_properties": {"a": "%s"}}' % (b"x" * 100),
]


def test_every_kind_of_broken_row_costs_only_itself(server: Running, tmp_path: Path) -> None:
    """Good rows between broken ones arrive; each broken one is kept with its number and the reason."""
    lines = [b"", json.dumps(song(0)).encode()]
    for number, broken in enumerate(BROKEN[:-1], 1):
        lines += [broken, json.dumps(song(number)).encode()]
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"\r\n".join(lines))
    report = run([path], tmp_path, server.url)
    assert report.delivered == len(BROKEN)
    kept = rejected(tmp_path / "rejected")
    assert [each["_rejected"]["row"] for each in kept] == list(range(3, 3 + 2 * len(kept), 2))
    assert len(kept) == len(BROKEN) - 1
    assert all(each["_rejected"]["reason"] for each in kept)
    assert kept[0]["_text"] == "nonsense"
    survey = look([path], tmp_path)
    assert (survey.rows, survey.good) == (2 * len(BROKEN) - 1, len(BROKEN))
    assert survey.findings.count == report.findings.count == len(kept)


def test_rejected_rows_can_be_mended_and_imported(server: Running, tmp_path: Path) -> None:
    """The file of rejected rows, mended, is imported with the same mapping; types are kept."""
    table = tmp_path / "rows.csv"
    table.write_text("who,what,n\nuser-1,Play,1\nx,Play,2\nuser-3,,3\nuser-4,Play\n")
    columns = Columns(fields={"user_id": "who", "event_type": "what"}, properties=("n",), undated="now")
    assert run([table], tmp_path, server.url, columns=columns).rejected == 3
    mended = tmp_path / "mended"
    rows = rejected(tmp_path / "rejected")
    rows[0]["who"], rows[1]["what"], rows[2]["n"] = "user-2", "Stop", "4"
    write_lines(mended, rows)
    report = run([mended], tmp_path / "x", server.url, columns=columns, checkpoint=tmp_path / "other")
    assert (report.delivered, report.rejected) == (3, 0)
    assert sorted(each.event["event_properties"]["n"] for each in stored(server.api)) == [1, 2, 3, 4]
    assert {each.event["event_type"] for each in stored(server.api)} == {"Play", "Stop"}


def test_what_the_server_rejects_is_kept_too(tmp_path: Path) -> None:
    """An event that only the server objects to costs no other, and its row is kept with the reason."""
    with running(rules=Rules(silenced_devices=("phone-1",))) as server:
        rows = [song(n, device_id="phone-1" if n == 5 else f"phone-{n}0") for n in range(20)]
        report = run([write_lines(tmp_path / "a", rows)], tmp_path, server.url)
        assert (report.delivered, report.rejected) == (19, 1)
        (kept,) = rejected(tmp_path / "rejected")
        assert kept["device_id"] == "phone-1"
        assert kept["time"] == 1_700_000_000_005
        assert "silence" in kept["_rejected"]["reason"]


def test_limits_are_kept_and_not_run_into(tmp_path: Path) -> None:
    """A user, a device and a project over their limits are slowed down before the server has to say so."""
    rows = [song(n, user_id="user-1") for n in range(200)]
    rows += [song(n, user_id=f"many-{n:04}", device_id="phone-1") for n in range(200)]
    rows += [song(n, user_id=f"else-{n:04}") for n in range(500)]
    with running(rules=Rules(eps_threshold=90, rate_window_s=2, project_eps=1000)) as server:
        report = run(
            [write_lines(tmp_path / "a", rows)], tmp_path, server.url, user_rate=60, project_rate=900
        )
        assert report.delivered == 900
        assert {each.status for each in server.api.uploads(limit=1000)} == {200}
        events = [each.event for each in stored(server.api)]
        assert [each["time"] for each in events if each["user_id"] == "user-1"] == [
            row["time"] for row in rows[:200]
        ]
        # The others did not wait for them.
        first = [str(each["user_id"])[:4] for each in events]
        assert first.index("else") < len(first) - 1 - first[::-1].index("user")


def test_a_429_is_obeyed(tmp_path: Path) -> None:
    """Where the limit is lower than was thought, the throttled user waits alone and all arrive."""
    with running(faults=["429:user=user-0001@next=1"]) as server:
        server_url = server.url
        paths = [write_lines(tmp_path / "a", map(song, range(50)))]
        watched = Quiet()
        work = Importer(settings(paths, tmp_path, server_url), watched)
        now = [0.0]

        def clock() -> float:
            # The wait of 30 s goes by in no time.
            now[0] += 0.5
            return now[0]

        work._clock = clock
        assert work.run().delivered == 50
        assert any("throttled" in line for line in watched.lines)
        assert len(stored(server.api)) == 50


def test_a_wrong_key_stops_the_import_and_loses_nothing(tmp_path: Path) -> None:
    """With the right key the same rows are sent; the key is in no message."""
    path = write_lines(tmp_path / "a", map(song, range(50)))
    with running(rules=Rules(api_keys=("other-key",))) as server:
        with pytest.raises(Halted, match="API key") as stopped:
            run([path], tmp_path, server.url)
        assert "0123456789abcdef" not in str(stopped.value)
        with pytest.raises(CannotResume, match="another project"):
            run([path], tmp_path, server.url, api_key="other-key")
        report = run([path], tmp_path, server.url, api_key="other-key", is_repeated=True)
        assert report.delivered == 50


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\n<html>",
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 6\r\n\r\n<html>",
        b'HTTP/1.1 400 Bad Request\r\nContent-Length: 44\r\n\r\n{"code": 400,"error":"Invalid request path"}',
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
        b"HTTP/1.1 413 Too Large\r\nContent-Length: 6\r\n\r\n<html>",
    ],
)
def test_a_server_that_is_not_amplitudes_stops_the_import_and_rejects_no_row(
    tmp_path: Path, answer: bytes
) -> None:
    """When everything is refused, or a page comes, it is the destination: no row is rejected for it."""
    path = write_lines(tmp_path / "a", map(song, range(50)))
    with RawServer(answering(answer)) as server, pytest.raises(Halted, match="does not take"):
        run([path], tmp_path, server.url)
    assert not list(tmp_path.glob("*rejected*"))


def test_an_outage_ends_it_after_a_while(tmp_path: Path) -> None:
    """When nothing gets through for as long as it may take, the import says why, and can go on later."""
    path = write_lines(tmp_path / "a", map(song, range(50)))
    with running() as server:
        url = server.url
    with pytest.raises(Halted, match="nothing got through for 1 s"):
        run([path], tmp_path, f"{url}/batch", patience=1)
    with running(port=int(url.rpartition(":")[2])) as server:
        assert run([path], tmp_path, f"{url}/batch").delivered == 50


def test_a_checkpoint_is_for_one_import(server: Running, tmp_path: Path) -> None:
    """A file that changed, or another mapping, is not gone on with in the middle."""
    path = write_lines(tmp_path / "a", map(song, range(3000)))
    work = Importer(settings([path], tmp_path, server.url), Quiet())
    work.stop()
    assert not work.run().is_finished
    with pytest.raises(CannotResume, match="another mapping"):
        run([path], tmp_path, server.url, namespace="other")
    write_lines(path, map(song, range(2000)))
    with pytest.raises(CannotResume, match="have changed"):
        run([path], tmp_path, server.url)
    (tmp_path / "checkpoint").write_text("{}")
    with pytest.raises(CannotResume, match="no checkpoint"):
        run([path], tmp_path, server.url)


def test_a_file_that_grew_after_its_import_is_imported_anew(server: Running, tmp_path: Path) -> None:
    """What was there keeps its ids, so that only what is new counts."""
    path = write_lines(tmp_path / "a", map(song, range(100)))
    run([path], tmp_path, server.url)
    write_lines(path, map(song, range(150)))
    assert run([path], tmp_path, server.url).delivered == 150
    assert len(stored(server.api)) == 150


def run_until(delivered: int, files: list[Path], folder: Path, server_url: str) -> ImportReport:
    """An import that is stopped once more than so many events were delivered."""

    class Stopping(Quiet):
        def progressed(self, progress: ImportProgress) -> None:
            if progress.delivered > delivered:
                work.stop()

    work = Importer(settings(files, folder, server_url), Stopping())
    return work.run()


def test_stopping_and_going_on(server: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped wherever, over several files, the next run goes on; rejected rows are kept once."""
    files = []
    for number in range(3):
        rows: list[dict[str, Any]] = [song(number * 10_000 + n) for n in range(3000)]
        rows[number * 1000 + 17]["user_id"] = "x"
        files.append(write_lines(tmp_path / f"{number}.jsonl", rows))
    monkeypatch.setattr(importer, "WINDOW_EVENTS", 500)
    monkeypatch.setattr(importer, "_TELL_EVERY", 0.0)
    runs = 0
    while not (report := run_until(runs * 1000, files, tmp_path, server.url)).is_finished:
        runs += 1
    assert runs > 3
    assert (report.delivered, report.rejected) == (8997, 3)
    assert len(stored(server.api)) == 8997
    kept = rejected(tmp_path / "rejected")
    assert [each["_rejected"]["row"] for each in kept] == [18, 1018, 2018]


def test_dry_run_shows_events_and_sends_nothing(tmp_path: Path) -> None:
    """The first events as they would be sent, and everything that is wrong, by kind."""
    rows = [song(n) for n in range(100)]
    for n in (5, 50):
        rows[n]["user_id"] = f"x{n}"
    rows[7]["event_properties"] = {"long": "x" * 2000}
    survey = look([write_lines(tmp_path / "a", rows)], tmp_path)
    assert (survey.rows, survey.good) == (100, 98)
    (bad,) = survey.findings.most_frequent()
    assert [number for _, number in bad.rows] == [6, 51]
    assert "'x5'" in bad.message
    (note,) = survey.notes.most_frequent()
    assert "cut to 1024" in note.message
    _, row, event = survey.samples[0]
    assert (row, event["event_type"], len(event["insert_id"])) == (1, "Song Played", 32)
    assert not (tmp_path / "checkpoint").exists()


SERVERS_OWN = (
    "amplitude_id",
    "app",
    "client_upload_time",
    "data",
    "paying",
    "processed_time",
    "server_received_time",
    "server_upload_time",
    "start_version",
    "uuid",
)
"""What a server says about having received an event, or about its user, rather than about the event."""


def exported(server: Running) -> tuple[bytes, list[dict[str, Any]]]:
    now = datetime.now(timezone.utc)
    hours = [f"{moment:%Y%m%dT%H}" for moment in (now - timedelta(hours=2), now + timedelta(hours=1))]
    archive = server.api.export(*hours, api_key=KEY)
    rows = []
    with zipfile.ZipFile(io.BytesIO(archive)) as members:
        for name in members.namelist():
            for line in gzip.decompress(members.read(name)).splitlines():
                row = json.loads(line)
                rows.append({key: value for key, value in row.items() if key not in SERVERS_OWN})
    return archive, rows


def test_export_import_export_is_equal(tmp_path: Path) -> None:
    """An export, imported into an empty Amplitude, is exported again as it was."""
    events = [
        song(
            n,
            insert_id=f"song-{n}",
            device_id=f"phone-{n % 7}",
            app_version="1.2",
            carrier="Orange",
            country="France",
            city="Paris",
            language="fr",
            ip="1.2.3.4",
            price=1.5,
            quantity=2,
            session_id=1_700_000_000_000,
            event_id=n,
            groups={"org": ["a", "b"]},
            event_properties={"title": "Blue", "tags": ["x"], "deep": {"a": 1}},
            user_properties={"plan": "pro", "n": n},
        )
        for n in range(200)
    ]
    events += [song(n, insert_id=f"bare-{n}") for n in range(200, 250)]
    path = write_lines(tmp_path / "a", events)
    with running() as first:
        assert run([path], tmp_path, first.url).delivered == 250
        archive, before = exported(first)
    (tmp_path / "export.zip").write_bytes(archive)
    with zipfile.ZipFile(tmp_path / "export.zip") as members:
        members.extractall(tmp_path / "unzipped")
    for source in (tmp_path / "export.zip", tmp_path / "unzipped"):
        with running() as second:
            assert run([source], tmp_path, second.url, is_repeated=True).delivered == 250
            _, after = exported(second)
        assert after == before
