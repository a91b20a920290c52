"""The web application: paths, headers, bounds, and clients that misbehave."""

import json
import logging
import socket
from pathlib import Path

import pytest

from antinode.server import running
from antinode.server.engine import Amplitude
from antinode.server.http import assets, connections
from tests.server.conftest import API_KEY, event

OUTSIDE = [
    "../app.py",
    "..%2Fapp.py",
    "%2e%2e/app.py",
    "vendor/../../app.py",
    "/etc/passwd",
    "..\\app.py",
    "C:/x.js",
    "index.html%00",
    "index.html/",
    "nothing.js",
    "vendor",
    "",
    ".",
]

PREFLIGHT = {"Origin": "http://localhost:5173", "Access-Control-Request-Method": "POST"}


def request_bytes(body, *, path="/2/httpapi", length=None, extra=""):
    length = len(body) if length is None else length
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n{extra}\r\n"
    return head.encode() + body


def body_of(*events):
    return json.dumps({"api_key": API_KEY, "events": events}).encode()


def read_head(connection):
    """Everything up to the end of the headers, and what came with it."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65_536)
        assert chunk, data
        data += chunk
    return data


def read_all(connection):
    """Everything until the server closes, or resets, the connection."""
    data = b""
    try:
        while chunk := connection.recv(65_536):
            data += chunk
    except ConnectionResetError:
        data += b"<reset>"
    return data


class TestIngestion:
    """The paths to which clients send events."""

    @pytest.mark.parametrize("path", ["/2/httpapi", "/batch"])
    def test_remote_is_told_as_the_address_of_the_client(self, server, post, path):
        """In the row of an event, whoever sends it; the event itself is shown as it was sent."""
        assert post(event(1, ip="$remote"), event(2, ip="198.51.100.9"), path=path).status == 200
        rows = [server.api.event(f"insert-{number}").arrivals[0].row for number in (1, 2)]
        assert [row["ip_address"] for row in rows] == ["127.0.0.1", "198.51.100.9"]

    def test_events_are_answered_as_amplitude_does(self, post):
        """A good request is answered 200 with what Amplitude answers, readable by a page from anywhere."""
        answer = post(event(1), event(2))
        assert answer.status == 200
        assert answer.json()["code"] == 200
        assert answer.json()["events_ingested"] == 2
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["access-control-allow-origin"] == "*"

    @pytest.mark.parametrize("path", ["/2/httpapi", "/batch", "/2/httpapii", "/identify", "/"])
    @pytest.mark.parametrize("body", [b"", b"{", b'"<script>alert(1)</script>"'])
    def test_errors_are_readable_by_browsers_and_run_nowhere(self, server, http, path, body):
        """A refusal carries the CORS header, and is no page: what was sent is not taken for markup."""
        answer = http.request("POST", server.url + path, body=body)
        assert answer.status == 400
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["content-type"].partition(";")[0] in ("application/json", "text/plain")
        assert answer.headers["x-content-type-options"] == "nosniff"

    @pytest.mark.parametrize(
        "path", ["/2/httpapi", "/batch", "/identify", "/groupidentify", "/", "/other", "/config/x"]
    )
    def test_preflight(self, server, http, path):
        """A browser's question is answered 204, with the headers that it asked for, on every such path."""
        asked = PREFLIGHT | {
            "Access-Control-Request-Headers": "content-encoding,content-type,x-mine",
            "Access-Control-Request-Private-Network": "true",
        }
        answer = http.request("OPTIONS", server.url + path, headers=asked)
        assert answer.status == 204
        assert answer.data == b""
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "POST" in answer.headers["access-control-allow-methods"]
        assert answer.headers["access-control-allow-headers"] == "content-encoding,content-type,x-mine"
        assert answer.headers["access-control-allow-private-network"] == "true"
        assert answer.headers["access-control-max-age"] == "86400"

    def test_what_holds_no_events_is_no_upload(self, server, http):
        """A browser that looks for an icon, or opens an ingestion path, is told so and counted nowhere."""
        assert http.request("GET", server.url + "/favicon.ico").status == 404
        answer = http.request("GET", server.url + "/2/httpapi")
        assert (answer.status, answer.json()["code"], answer.headers["allow"]) == (405, 405, "POST, OPTIONS")
        assert server.api.uploads() == []

    @pytest.mark.parametrize(
        "path", ["/config?api_key=a&config_group=android", "/config/a%2Fb?config_group=browser"]
    )
    def test_remote_configuration_is_empty(self, server, http, path):
        """SDKs that ask for their configuration get none, also in a browser."""
        answer = http.request("GET", server.url + path)
        assert (answer.status, answer.json()) == (200, {"configs": {}})
        assert answer.headers["access-control-allow-origin"] == "*"

    def test_diagnostics_are_taken_and_dropped(self, server, http):
        """What SDKs tell of themselves is answered 200 and kept nowhere."""
        answer = http.request("POST", server.url + "/v1/capture", json={"tags": {}, "events": []})
        assert answer.status == 200
        assert answer.headers["access-control-allow-origin"] == "*"
        assert server.api.uploads() == []

    def test_a_large_batch_passes(self, server, http):
        """A Batch body of many megabytes is read whole."""
        events = [event(n, event_properties={"text": "x" * 1000, "n": [n] * 1000}) for n in range(2000)]
        answer = http.request("POST", server.url + "/batch", json={"api_key": API_KEY, "events": events})
        assert answer.status == 200
        assert server.api.stats().totals.events == 2000

    @pytest.mark.parametrize(("path", "size"), [("/2/httpapi", 3_000_000), ("/batch", 30_000_000)])
    def test_too_large_bodies_are_read_and_refused(self, server, http, path, size):
        """A client that sends more than a path takes gets its 413 whole, and may go on."""
        answer = http.request("POST", server.url + path, body=b"x" * size)
        assert (answer.status, answer.json()) == (413, {"code": 413, "error": "Payload too large"})
        assert server.api.uploads()[0].wire_size == size
        assert http.request("GET", server.url + "/healthz").json() == {"status": "ok"}

    def test_chunked_bodies_and_expectations(self, server, connect):
        """Bodies without a length are read, and a client that waits for leave to send gets it."""
        connection = connect()
        connection.sendall(
            b"POST /2/httpapi HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        assert read_head(connection) == b"HTTP/1.1 100 Continue\r\n\r\n"
        body = body_of(event())
        connection.sendall(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
        assert read_head(connection).startswith(b"HTTP/1.1 200 OK\r\n")

    def test_an_offered_upgrade_is_not_taken(self, server, connect):
        """A client that offers HTTP/2, as Java's does, is answered in HTTP/1.1."""
        connection = connect()
        extra = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAA\r\n"
        connection.sendall(request_bytes(body_of(event()), extra=extra))
        assert read_head(connection).startswith(b"HTTP/1.1 200 OK\r\n")


class TestPage:
    """The page and its files."""

    def test_the_page_is_at_the_root(self, server, http):
        """`/` is the page: HTML that may load only from here and run nothing inline."""
        answer = http.request("GET", server.url + "/")
        assert answer.status == 200
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self';")
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"

    def test_every_file_is_served_as_what_it_is(self, server, http):
        """Each file beside the page has a content type, an ETag, and is asked for again."""
        kinds = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
        for file in (each for each in assets.PAGE.rglob("*") if each.suffix in kinds):
            answer = http.request("GET", f"{server.url}/assets/{file.relative_to(assets.PAGE).as_posix()}")
            assert (file, answer.status) == (file, 200)
            assert answer.headers["content-type"].partition(";")[0] == kinds[file.suffix]
            assert answer.data == file.read_bytes()
            assert answer.headers["cache-control"] == "no-cache"

    def test_an_unchanged_file_is_not_sent_again(self, server, http):
        """A browser that has the file already is told so."""
        tag = http.request("GET", server.url + "/").headers["etag"]
        answer = http.request("GET", server.url + "/", headers={"If-None-Match": f'"other", {tag}'})
        assert (answer.status, answer.data) == (304, b"")

    @pytest.mark.parametrize("path", OUTSIDE)
    def test_nothing_else_is_served(self, server, connect, path):
        """No path leads out of the page's folder, and none to a folder."""
        connection = connect()
        connection.sendall(
            f"GET /assets/{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        )
        assert read_all(connection).split()[1] in (b"404", b"400")

    def test_links_do_not_lead_out(self, server, http, tmp_path, monkeypatch):
        """A link in the page's folder to a file outside of it is not followed."""
        (tmp_path / "secret.js").write_text("secret")
        page = tmp_path / "page"
        page.mkdir()
        (page / "link.js").symlink_to(tmp_path / "secret.js")
        monkeypatch.setattr(assets, "PAGE", page)
        assert http.request("GET", server.url + "/assets/link.js").status == 404


class TestBadClients:
    """A client that breaks off, dawdles or lies costs the others nothing, and nothing is logged."""

    @pytest.fixture(autouse=True)
    def quiet(self, server, post, caplog):
        """After each of these, the server answers as before and has said nothing."""
        with caplog.at_level(logging.DEBUG):
            yield
            assert post(event(99)).status == 200
        records = [each for each in caplog.records if not each.name.startswith(("urllib3", "asyncio"))]
        assert records == []
        assert [each for each in caplog.records if each.levelno >= logging.WARNING] == []

    def test_gone_in_the_middle(self, server, connect):
        """A connection that ends inside of a body, or of the headers, is forgotten with all it sent."""
        whole = request_bytes(body_of(event()))
        for end in (5, 60, len(whole) - 1):
            connection = connect()
            connection.sendall(whole[:end])
            connection.close()
        assert server.api.uploads() == []

    def test_reset_in_the_middle(self, server, connect):
        """So is one that is reset."""
        connection = connect()
        connection.sendall(request_bytes(body_of(event()))[:-5])
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.close()
        assert server.api.uploads() == []

    def test_gone_before_the_answer(self, server, connect):
        """A client that does not wait for its answer has its events stored."""
        connection = connect()
        connection.sendall(request_bytes(body_of(event())))
        connection.close()
        assert server.api.wait(uploads=1).events in (0, 1)  # a reset may overtake the body

    def test_dawdlers_hold_nobody_up(self, server, connect, post):
        """While some send half a request, or announce a body and send none, others are answered."""
        whole = request_bytes(body_of(event()))
        for end in (0, 5, 60, len(whole) - 1):
            connect().sendall(whole[:end])
        connect().sendall(request_bytes(b"", length=5000))
        assert post(event(2)).status == 200

    def test_a_body_byte_by_byte(self, server, connect):
        """A slow body is read all the same."""
        connection = connect()
        for byte in request_bytes(body_of(event())):
            connection.sendall(bytes([byte]))
        assert read_head(connection).startswith(b"HTTP/1.1 200 OK")

    def test_not_http(self, server, connect):
        """What is not HTTP is answered 400 and closed."""
        connection = connect()
        connection.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n")
        assert read_all(connection).startswith(b"HTTP/1.1 400")

    def test_endless_headers(self, server, connect):
        """Headers beyond 64 KiB are answered 431 and closed."""
        connection = connect()
        connection.sendall(b"POST /batch HTTP/1.1\r\nHost: localhost\r\n")
        answer = b""
        try:
            for _ in range(1000):
                connection.sendall(b"X-Filler: " + b"x" * 1000 + b"\r\n")
        except OSError:
            pass
        try:
            answer = read_head(connection)
        except ConnectionResetError:
            answer = b"HTTP/1.1 431 (lost to the reset)"
        assert answer.startswith(b"HTTP/1.1 431")

    def test_pipelined_requests(self, server, connect):
        """Requests sent without waiting are answered one after the other."""
        connection = connect()
        requests = [request_bytes(body_of(event(n))) for n in range(1, 4)]
        connection.sendall(
            b"".join(requests) + b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        assert read_all(connection).count(b"HTTP/1.1 200 OK") == 4
        assert server.api.stats().totals.events == 3


def test_late_headers_and_bodies_are_given_up(server, connect, monkeypatch):
    """A connection without headers in time is closed; a body that does not come in time is answered 408."""
    monkeypatch.setattr(connections, "HEADERS_WITHIN_S", 0.05)
    monkeypatch.setattr("antinode.server.http.ingestion.BODY_WITHIN_S", 0.05)
    half = connect()
    half.sendall(b"POST /batch HTTP/1.1\r\nHost:")
    assert read_all(half) == b""
    late = connect()
    late.sendall(request_bytes(b"{", length=100))
    answer = read_all(late)
    assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert b"access-control-allow-origin: *\r\n" in answer
    assert b"connection: close\r\n" in answer


class TestFaults:
    """Misbehaviour on purpose, as a client sees it."""

    @pytest.mark.parametrize("status", [400, 403, 408, 413, 429, 500, 502, 503, 504])
    def test_statuses(self, server, post, status):
        """The next request is answered so, with JSON that has the code, and the one after as usual."""
        server.api.add_faults(str(status))
        answer = post(event())
        assert (answer.status, answer.json()["code"]) == (status, status)
        assert server.api.stats().totals.events == 0
        assert post(event()).status == 200

    @pytest.mark.parametrize(
        ("spelling", "stored"), [("drop-before", 0), ("drop-after", 1), ("down:3600s", 0)]
    )
    def test_connections_are_cut(self, server, connect, spelling, stored):
        """The connection is reset without an answer, before or after the events are stored."""
        server.api.add_faults(spelling)
        connection = connect()
        connection.sendall(request_bytes(body_of(event())))
        assert read_all(connection) == b"<reset>"
        assert server.api.stats().totals.events == stored
        assert server.api.uploads()[0].status == 0

    def test_the_rest_stays_up(self, server, http, post):
        """While the ingestion is down, the page and the API answer."""
        server.api.add_faults("down:3600s")
        assert http.request("GET", server.url + "/").status == 200
        assert [each.spelling for each in server.api.faults()] == ["down:3600s"]
        server.api.clear_faults()
        assert post(event()).status == 200

    def test_a_delayed_answer_delays_nobody_else(self, server, connect, post):
        """Events of a delayed request are stored at once, and other requests are answered meanwhile."""
        server.api.add_faults("delay:3600s")
        connection = connect()
        connection.sendall(request_bytes(body_of(event(1))))
        assert server.api.wait(events=1).reached
        assert post(event(2)).status == 200


def broken(*_):
    raise ZeroDivisionError("ours")


def test_a_mistake_of_ours_is_answered_500_and_told(http, monkeypatch):
    """What goes wrong inside of the server is answered 500, and raised where the server was started."""
    monkeypatch.setattr(Amplitude, "receive", broken)
    running_server = running()
    server = running_server.__enter__()
    answer = http.request("POST", server.server_url, body=b"{}")
    assert (answer.status, answer.json()["code"]) == (500, 500)
    with pytest.raises(ZeroDivisionError, match="ours"):
        running_server.__exit__(None, None, None)


def test_the_page_is_in_the_package():
    """The page's folder is where the package is installed."""
    assert Path(assets.__file__).parents[1] / "page" == assets.PAGE
