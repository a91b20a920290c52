"""`antinode doctor`: each check finds what it is for, and none tells a secret."""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import trustme

from antinode import _speedups
from antinode._delivery.http.compression import Compressor
from antinode.cli.doctor.findings import DoctorFinding
from antinode.cli.doctor.key import check_key
from antinode.cli.doctor.network import STEPS, Route, check_way, judge_clock
from antinode.cli.doctor.storage import check_dead_letters, check_spool
from antinode.cli.doctor.surroundings import check_surroundings
from antinode.cli.doctor.versions import check_versions
from antinode.cli.params.destination import Destination
from antinode.server import running
from tests.cli.nursery import run
from tests.cli.reading import words
from tests.cli.terminals import Screen
from tests.delivery.rawserver import Peer, RawServer, answering
from tests.spool.files import opened

KEY = "0123456789abcdef0123456789abcdef"


def by_topic(findings: Any) -> dict[str, DoctorFinding]:
    return {finding.topic: finding for finding in findings}


def way(url: str, **more: Any) -> dict[str, DoctorFinding]:
    """The findings on the way to `url`, by their step."""
    scheme, _, rest = url.partition("://")
    host, _, port = rest.partition("/")[0].rpartition(":")
    return by_topic(check_way(Route(url, scheme, host, int(port), **{"proxy": False, "timeout": 5.0} | more)))


def verdicts(findings: dict[str, DoctorFinding]) -> dict[str, str]:
    return {topic: finding.verdict for topic, finding in findings.items()}


def answer(status: str, body: bytes = b'{"code":400}', **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


def test_a_set_up_that_is_well() -> None:
    """Against a local server all is well: exit code 0, a line for each check."""
    with running() as server:
        done = run("doctor", "--server-url", server.url)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("\nAll is well.\n")
    assert all(f" {step} " in done.stdout for step in (*STEPS, "API key", "Python", "packages", "threads"))


def test_json_and_a_test_event(tmp_path: Path) -> None:
    """--json prints one object, --send delivers an event; the spool that is looked at stays as it is."""
    spool = opened(tmp_path / "spool")
    spool.append(b'{"event_type":"A","user_id":"user-1"}', time.monotonic(), direct=True)
    spool.close()
    before = sorted(os.listdir(tmp_path / "spool"))
    with running() as server:
        done = run(
            "doctor", "--server-url", server.url, "--send", "--json", "--storage", str(tmp_path / "spool")
        )
        assert [each.event_type for each in server.api.events()] == ["antinode doctor"]
    report = json.loads(done.stdout)
    assert (report["ok"], report["problems"]) == (True, 0)
    assert {each["topic"]: each["verdict"] for each in report["findings"]}["test event"] == "ok"
    assert sorted(os.listdir(tmp_path / "spool")) == before


@pytest.mark.parametrize(
    ("response", "verdict", "told"),
    [
        (answer("200 OK", b"<html><title>Our shop</title></html>"), "problem", "Our shop"),
        (answer("204 No Content", b""), "warning", "an empty body"),
        (answer("200 OK", b'{"status":"ok"}'), "warning", "other JSON"),
    ],
)
def test_a_test_event_that_something_else_takes(response: bytes, verdict: str, told: str) -> None:
    """What is not Amplitude's own success is never a tick for the test event."""
    with RawServer(answering(response)) as server:
        done = run("doctor", "--server-url", server.url, "--send", "--json", AMPLITUDE_API_KEY=KEY)
    (found,) = (each for each in json.loads(done.stdout)["findings"] if each["topic"] == "test event")
    assert found["verdict"] == verdict
    assert told in found["text"]
    assert "server_url" in found["text"] + found["advice"]


def test_problems_are_counted() -> None:
    """A problem makes the exit code 1, and says what to do."""
    done = run("doctor", "--offline", AMPLITUDE_API_KEY="")
    assert done.returncode == 1
    assert "✗ problem   API key" in done.stdout
    assert "Set AMPLITUDE_API_KEY" in done.stdout
    assert "1 problem, 6 unchecked" in done.stdout


def test_offline() -> None:
    """With --offline and a good key there is no problem; what was not looked at is said."""
    done = run("doctor", "--offline", "--json", AMPLITUDE_API_KEY=KEY)
    assert done.returncode == 0
    found = {each["topic"]: each["verdict"] for each in json.loads(done.stdout)["findings"]}
    assert [found[step] for step in STEPS] == ["unchecked"] * 6
    assert run("doctor", "--offline", "--send", AMPLITUDE_API_KEY=KEY).returncode == 2


def test_a_terminal() -> None:
    """On a terminal verdicts are coloured and texts wrapped in their column."""
    with Screen("doctor", "--offline", "--zone", "EU", columns=60, AMPLITUDE_API_KEY="") as screen:
        assert screen.end() == 1
    assert "\x1b[1;31m" in screen.raw
    assert "Set AMPLITUDE_API_KEY" in screen.text
    assert all(len(line) <= 60 for line in screen.text.splitlines())


@pytest.mark.parametrize(
    ("key", "verdict"),
    [
        (KEY, "ok"),
        ("0123", "warning"),
        (KEY.upper(), "warning"),
        ("my key", "problem"),
        ("ключ" * 8, "problem"),
    ],
)
def test_keys(key: str, verdict: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that is not like one is told, wherever it is from; never the key, nor a part of it."""
    monkeypatch.setenv("AMPLITUDE_API_KEY", key)
    for finding in (check_key(Destination()), check_key(Destination(key))):
        assert finding.verdict == verdict
        assert key[:4] not in finding.text + finding.advice


def test_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """None is a problem for Amplitude, and none for a server on this machine."""
    monkeypatch.delenv("AMPLITUDE_API_KEY", raising=False)
    assert check_key(Destination()).verdict == "problem"
    assert check_key(Destination(None, {"server_url": "http://localhost:8300"})).verdict == "ok"


def test_a_name_that_is_not_there() -> None:
    """Without DNS the name is the problem, and what comes after it is unchecked."""
    found = way("https://no.such.host.invalid:443/2/httpapi")
    assert found["name"].verdict == "problem"
    assert [found[step].verdict for step in STEPS[2:]] == ["unchecked"] * 4
    assert "no.such.host.invalid was not found" in found["TLS"].text


def test_nobody_listens() -> None:
    """A refused connection says so."""
    found = way("http://127.0.0.1:1/2/httpapi")
    assert found["connection"].text == "no connection to 127.0.0.1 port 1: nobody listens there"
    assert "antinode serve" in found["connection"].advice
    assert [found[step].verdict for step in STEPS[3:]] == ["unchecked"] * 3


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA(organization_name="Test Authority")


@pytest.fixture
def bundle(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def tls(authority: trustme.CA, name: str = "localhost", **more: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name, **more).configure_cert(context)
    return context


def test_tls_that_is_trusted(authority: trustme.CA, bundle: str) -> None:
    """Version, issuer and the days left; the request goes the same way."""
    with RawServer(answering(answer("400 Bad Request")), tls(authority)) as server:
        found = way(server.tls_url, ca_bundle=bundle)
    assert verdicts(found) == dict.fromkeys(STEPS, "ok")
    assert "certificate of Test Authority, good for " in found["TLS"].text
    assert found["request"].text.startswith("answered 400 to an empty request")
    assert [request.body for request in server.requests] == [b"{}"]


def test_a_certificate_that_ends_soon(authority: trustme.CA, bundle: str) -> None:
    """Fourteen days before its end it is a warning."""
    soon = datetime.now(timezone.utc) + timedelta(days=5)
    with RawServer(answering(answer("400 Bad Request")), tls(authority, not_after=soon)) as server:
        found = way(server.tls_url, ca_bundle=bundle)
    assert found["TLS"].verdict == "warning"
    assert "good for 5 days" in found["TLS"].text


def test_a_certificate_that_is_not_trusted(authority: trustme.CA) -> None:
    """The reason is told, and ca_bundle as the way out; nothing is asked then."""
    with RawServer(ended, tls(authority)) as server:
        found = way(server.tls_url)
    assert found["TLS"].verdict == "problem"
    assert "is not accepted: " in found["TLS"].text
    assert "ca_bundle" in found["TLS"].advice
    assert found["request"].verdict == "unchecked"


def ended(peer: Peer) -> None:
    """Waits for the client to go."""
    peer.sock.recv(1)


def test_no_tls_there() -> None:
    """A server without TLS on the port of one with it."""

    def plain(peer: Peer) -> None:
        peer.sock.recv(1)
        peer.send(b"HTTP/1.0 400 Bad Request\r\n\r\n")

    with RawServer(plain) as server:
        found = way(server.tls_url)
    assert found["TLS"].verdict == "problem"
    assert "speaks no TLS" in found["TLS"].advice


@pytest.mark.parametrize(
    ("response", "verdict", "told"),
    [
        (answer("400 Bad Request"), "ok", "as it should"),
        (answer("503 Service Unavailable"), "warning", "in trouble"),
        (answer("403 Forbidden", b"<html>blocked</html>"), "problem", "Something else answers"),
        (answer("400 Bad Request", b"<html>no</html>"), "problem", "Something else answers"),
        (answer("400 Bad Request", b'{"detail":"no"}'), "problem", "Something else answers"),
        (answer("413 Too Large", b"<html>nginx</html>"), "problem", "Something else answers"),
        (answer("200 OK", b"{}"), "warning", "Something else answers"),
        (answer("200 OK", b"<html>log in</html>"), "problem", "a web page"),
        (answer("404 Not Found", b"<html>nginx</html>"), "problem", "End it in /2/httpapi or /batch"),
        (answer("405 Method Not Allowed"), "problem", "End it in /2/httpapi or /batch"),
        (answer("400 Bad Request", b'{"code":400,"error":"Invalid request path"}'), "problem", "End it in"),
        (answer("307 Temporary Redirect", Location="https://elsewhere.example/"), "problem", "final URL"),
        (
            answer("400 Bad", b"<title>The plain HTTP request was sent to HTTPS port</title>"),
            "problem",
            "https:",
        ),
        (answer("502 Bad Gateway", b"<html>nginx</html>"), "warning", "a proxy before it"),
    ],
)
def test_answers(response: bytes, verdict: str, told: str) -> None:
    """What is no answer of an ingestion API is told."""
    with RawServer(answering(response)) as server:
        found = way(server.url)["request"]
    assert found.verdict == verdict
    assert told in found.text + found.advice


def test_a_request_that_is_cut_off() -> None:
    """A connection that opens and then ends."""
    with RawServer(lambda peer: peer.close()) as server:
        found = way(server.url)["request"]
    assert found.verdict == "problem"
    assert "A firewall, or a proxy" in found.advice.replace("a firewall", "A firewall")


def test_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy of the environment is what is connected to, named without its password; NO_PROXY excepts."""
    with RawServer(answering(answer("407 Proxy Authentication Required"))) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://me:s3cret@{proxy.address}")
        monkeypatch.setenv("http_proxy", f"http://me:s3cret@{proxy.address}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        found = way("http://api.example.invalid:80/2/httpapi", proxy=None)
    assert found["proxy"].text.startswith(f"through http://{proxy.address}, as the environment says")
    assert found["connection"].verdict == "ok"
    assert found["request"].verdict == "problem"
    assert "http://user:password@host:port" in found["request"].advice
    assert "s3cret" not in str(found)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert way("http://127.0.0.1:1/", proxy=None)["proxy"].text == "none is set for this server"
    monkeypatch.setenv("http_proxy", "ftp://nonsense")
    assert way("http://10.0.0.1:1/", proxy=None)["proxy"].verdict == "problem"


@pytest.mark.parametrize(
    ("ahead_s", "verdict", "told"),
    [
        (0, "ok", "agrees"),
        (30, "ok", "off by 30 s"),
        (-600, "warning", "600 s behind"),
        (100_000, "problem", "27.8 hours ahead of"),
    ],
)
def test_clocks(ahead_s: int, verdict: str, told: str) -> None:
    """A minute between the clocks is a warning, a day a problem."""
    now = 1_793_817_970.0
    date = format_datetime(datetime.fromtimestamp(now, timezone.utc), usegmt=True)
    found = judge_clock(date, now + ahead_s + 0.5)
    assert found.verdict == verdict
    assert told in found.text


def test_no_time_to_compare_with() -> None:
    """A server that names no time, or nonsense, leaves the clock unchecked."""
    assert judge_clock("soon", 0.0).verdict == "unchecked"


def test_a_spool_to_be(tmp_path: Path) -> None:
    """A directory that is not there yet is no problem, below a file it is one; nothing is made."""
    path = tmp_path / "a" / "spool"
    found = by_topic(check_spool(str(path), 1024 * 1024))
    assert found["spool"].text == f"{path} will be made by the first init"
    assert {finding.verdict for finding in found.values()} <= {"ok", "warning"}
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    assert by_topic(check_spool(str(tmp_path / "file" / "spool"), 1))["spool"].verdict == "problem"


def test_room(tmp_path: Path) -> None:
    """Less room than the spool may take is a warning."""
    assert by_topic(check_spool(str(tmp_path), 10**18))["spool room"].verdict == "warning"


def test_what_dead_processes_have_left(tmp_path: Path) -> None:
    """Events that wait for an heir are counted, with how to send them; those of living ones are not."""
    dead = opened(tmp_path, wall=lambda: time.time() - 7_300, clock=lambda: 50.0)
    for number in range(3):
        dead.append(b"%d" % number, 50.0, direct=True)
    dead.close()
    found = by_topic(check_spool(str(tmp_path), 1024))["spool files"]
    assert (found.verdict, found.text) == (
        "warning",
        "3 events of processes that have ended, the oldest from 2.0 hours ago",
    )
    assert f"antinode spool drain {tmp_path}" in found.advice
    (segment,) = tmp_path.glob("*.seg")
    segment.unlink()
    living = opened(tmp_path)
    living.append(b"1", 0.0, direct=True)
    assert by_topic(check_spool(str(tmp_path), 1024))["spool files"].text == "1 event of 1 running process"
    living.close()


def test_the_sample_in_the_docs_is_what_it_prints(tmp_path: Path) -> None:
    """Line by line, on a machine like the one that the sample is of."""
    page = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
    sample = re.findall(r"```\n\$ antinode doctor --local --storage spool\n(.*?)```", page, re.DOTALL)
    dead = opened(tmp_path / "spool", wall=lambda: time.time() - 7_300, clock=lambda: 50.0)
    for number in range(3):
        dead.append(b"%d" % number, 50.0, direct=True)
    dead.close()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    done = run("doctor", "--server-url", url, "--storage", "spool", cwd=tmp_path, AMPLITUDE_API_KEY=KEY)
    printed = iter(done.stdout.replace(f"port {port}", "port 8300").splitlines())
    for line in filter(lambda line: line != "…", sample[0].splitlines()):
        assert any(real.startswith(line.rstrip("…")) for real in printed), line


def test_damage(tmp_path: Path) -> None:
    """What does not belong there, or is damaged, is counted."""
    (tmp_path / "000-note.txt").write_text("?")
    found = by_topic(check_spool(str(tmp_path), 1024))["spool damage"]
    assert found.verdict == "warning"
    assert found.text == "1 place damaged or out of place"


def test_dead_letters(tmp_path: Path) -> None:
    """Events that were not delivered are a reason to look."""
    path = tmp_path / "dead.jsonl"
    assert check_dead_letters(str(path)).text.endswith("none yet")
    path.write_text("{}\n{}\n")
    found = check_dead_letters(str(path))
    assert (found.verdict, found.text) == ("warning", f"{path}: 2 events that were not delivered")
    assert check_dead_letters(str(tmp_path / "no" / "dead.jsonl")).verdict == "problem"


@pytest.mark.skipif(sys.platform == "win32", reason="FIFOs and links as POSIX has them")
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path)])
def test_dead_letters_that_are_no_regular_file(tmp_path: Path, make: Callable[[str], None]) -> None:
    """Nothing is written to it, so it is a problem; it is not opened, and nobody waits."""
    path = str(tmp_path / "dead.jsonl")
    make(path)
    found = check_dead_letters(path)
    assert found.verdict == "problem"
    assert "no regular file" in found.text


@pytest.mark.skipif(sys.platform == "win32", reason="modes as POSIX has them")
def test_dead_letters_where_others_may_put_another_file(tmp_path: Path) -> None:
    """A directory on the way that others may write to, by its name or by a link, is a risk that is named."""
    (tmp_path / "safe").mkdir(mode=0o700)
    (tmp_path / "open" / "inner").mkdir(parents=True)
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "link").symlink_to(tmp_path / "open" / "inner")
    for directory in ("safe", "open", "open/inner", "link"):
        (tmp_path / directory / "dead.jsonl").write_bytes(b"")
    assert check_dead_letters(str(tmp_path / "safe" / "dead.jsonl")).verdict == "ok"
    for directory in ("open", "open/inner", "link"):
        found = check_dead_letters(str(tmp_path / directory / "dead.jsonl"))
        assert (found.verdict, "may write to it" in found.text) == ("warning", True), directory
    (tmp_path / "open").chmod(0o1777)
    assert check_dead_letters(str(tmp_path / "open" / "dead.jsonl")).verdict == "ok"


@pytest.mark.parametrize(
    ("environ", "topic", "told"),
    [
        ({"UWSGI_HTTP": ":80"}, "threads", "UWSGI_ENABLE_THREADS=1"),
        ({"AWS_LAMBDA_FUNCTION_NAME": "f"}, "platform", "@antinode.flushing"),
        ({"K_SERVICE": "s"}, "platform", "Google Cloud Run"),
        ({"PYTHONMALLOC": "debug"}, "interpreter", "PYTHONMALLOC"),
        ({"PYTHONDEVMODE": "1"}, "interpreter", "development mode"),
    ],
)
def test_surroundings_that_need_something(environ: dict[str, str], topic: str, told: str) -> None:
    """The environment's markers are read, each with what to do."""
    found = by_topic(check_surroundings(environ))[topic]
    assert found.verdict == "warning"
    assert told in found.text + found.advice


def test_surroundings_that_need_nothing() -> None:
    """An empty environment has no warnings, nor has uWSGI with threads."""
    assert {finding.verdict for finding in check_surroundings({})} == {"ok"}
    found = by_topic(check_surroundings({"UWSGI_THREADS": "2", "GUNICORN_CMD_ARGS": "--preload"}))
    assert found["threads"].verdict == "ok"
    assert "--preload" in found["forks"].text


def test_versions() -> None:
    """Python and each package are named, and this installation has what it needs."""
    found = by_topic(check_versions())
    assert found["Python"].text.startswith(".".join(map(str, sys.version_info[:3])))
    assert all(name in found["packages"].text for name in ("antinode", "msgspec", "orjson", "urllib3"))
    assert found["speedups"].text == _speedups.describe()
    assert found["gzip"].text.startswith(Compressor().name)


def test_options_that_contradict_each_other() -> None:
    """They are wrong usage, as in `init`."""
    done = run("doctor", "--server-url", "http://x/batch", "--zone", "EU")
    assert done.returncode == 2
    assert "give one of them" in words(done.stderr)
