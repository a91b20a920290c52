"""The server's own API, asked over HTTP and through its client."""

import gzip
import io
import json
import threading
import zipfile
from datetime import datetime, timedelta, timezone
from urllib.parse import quote

import msgspec
import pytest
import urllib3
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from antinode.server import Api, ApiError, ApiKey, Fault, Rules
from antinode.server.client import _segment
from antinode.server.http.operations import _match
from antinode.server.http.security import Gate
from tests.server.conftest import API_KEY, event

NAMES = ["plain", "a/b", "..", ".", "%2F", "ä ö", "a?b#c", "<script>", "a\\b", " ", "event"]


class TestWhatItHolds:
    """Events, uploads, users and groups."""

    def test_events_are_filtered_and_newest_first(self, server, post):
        """Filters restrict; the newest comes first; `limit` may exceed what there is."""
        post(event(1), event(2, event_type="Skipped"), event(3))
        assert [each.insert_id for each in server.api.events()] == ["insert-3", "insert-2", "insert-1"]
        assert [each.insert_id for each in server.api.events(event_type="Skipped")] == ["insert-2"]
        assert [each.insert_id for each in server.api.events(limit=1)] == ["insert-3"]
        assert [each.event for each in server.api.events(insert_id="insert-1")] == [event(1)]

    def test_pages_are_put_together(self, server, post):
        """More events than one page has are fetched page by page."""
        for start in range(0, 12_000, 2000):
            post(*(event(n) for n in range(start, start + 2000)), path="/batch")
        found = server.api.events(limit=11_000)
        assert [each.insert_id for each in found] == [f"insert-{n}" for n in range(11_999, 999, -1)]

    def test_an_event_tells_its_story(self, server, post):
        """One event by its insert_id: each time it came, and what became of it."""
        post(event(1))
        post(event(1))
        history = server.api.event("insert-1")
        assert history.outcome == "accepted"
        assert [each.event.outcome for each in history.arrivals] == ["accepted", "duplicate"]
        assert history.arrivals[0].event.event == event(1)
        assert server.api.event("insert-2") is None

    @pytest.mark.parametrize("name", NAMES)
    def test_any_name_can_be_asked_for(self, server, post, name):
        """Ids and names with slashes, dots, markup or spaces are found by them."""
        padded = name.ljust(5, "x") if name.strip() and name.strip(".") else name
        answer = post(
            event(1, insert_id=name, user_id=padded),
            {"event_type": "$groupidentify", "groups": {name: name}, "group_properties": {"$set": {"n": 1}}},
            path="/batch",
        )
        if answer.status == 200:
            assert server.api.event(name).insert_id == name
            assert server.api.user(padded).user_id == padded
            assert server.api.group(name, name).group_properties == {"n": 1}

    def test_uploads_tell_what_was_answered(self, server, post):
        """Each request with its answer; the failed ones can be asked for alone."""
        post(event(1))
        post({"user_id": "user-20391"})
        newest, oldest = server.api.uploads()
        assert (oldest.status, oldest.accepted, newest.status) == (200, 1, 400)
        assert [each.id for each in server.api.uploads(failed=True)] == [newest.id]
        assert [each.event for each in server.api.upload(oldest.id).events] == [event(1)]
        assert server.api.upload(999) is None

    def test_users_and_groups_are_listed(self, server, post):
        """Those whose name holds what is searched for."""
        post(event(1), event(2, user_id="other-1", device_id="device-2", groups={"org": "Acme"}))
        assert [each.user_id for each in server.api.users()] == ["other-1", "user-20391"]
        assert [each.user_id for each in server.api.users("THER")] == ["other-1"]
        assert server.api.users("nobody") == []
        assert server.api.user("nobody") is None
        assert server.api.group("org", "nobody") is None

    def test_the_export_is_a_zip_of_json_lines(self, server, post):
        """What was stored can be exported, by any key if none is known."""
        server.api.set_clock(1793817970000)
        post(event(1))
        archive = server.api.export("20261104T18", "20261104T18", api_key=API_KEY)
        with zipfile.ZipFile(io.BytesIO(archive)) as entries:
            (name,) = entries.namelist()
            (row,) = map(json.loads, gzip.decompress(entries.read(name)).splitlines())
        assert row["$insert_id"] == "insert-1"
        with pytest.raises(ApiError) as raised:
            server.api.export("20261105T18", "20261105T18", api_key=API_KEY)
        assert raised.value.status == 404

    @pytest.mark.parametrize(
        "authorization", ["", "Basic", "Basic !!!", "Bearer x", "Basic /w==", "Basic Og=="]
    )
    def test_an_export_without_credentials(self, server, http, authorization):
        """Credentials that are missing or cannot be read are answered 401."""
        url = f"{server.url}/api/2/export?start=20261104T18&end=20261104T18"
        answer = http.request("GET", url, headers={"Authorization": authorization} if authorization else {})
        assert answer.status == 401
        assert answer.headers["www-authenticate"].startswith("Basic")


class TestWaiting:
    """`/api/wait` answers when what is waited for is there."""

    def test_it_answers_at_once_if_it_is_there(self, server, post):
        """Events count when they are accepted, uploads whatever they were answered."""
        post(event(1), event(2))
        post({})
        reached = server.api.wait(events=2, uploads=2, timeout=0)
        assert (reached.events, reached.uploads, reached.reached) == (2, 2, True)

    def test_it_is_woken_by_what_arrives(self, server, post):
        """A wait that began before the events came ends with them."""
        reached = []
        waiting = threading.Thread(target=lambda: reached.append(server.api.wait(events=3, timeout=60)))
        waiting.start()
        for n in range(3):
            post(event(n))
        waiting.join(120)
        assert [each.events for each in reached] == [3]

    def test_it_gives_up(self, server, http):
        """In vain it is answered 408 in the same shape, and TimeoutError in Python."""
        answer = http.request("GET", f"{server.url}/api/wait?events=1&timeout=0.01")
        assert (answer.status, answer.json()) == (408, {"events": 0, "uploads": 0, "reached": False})
        with pytest.raises(TimeoutError, match="waited 0 s for 1 event; there: 0 events in 0 uploads"):
            server.api.wait(events=1, timeout=0)

    def test_it_is_told_what_for(self, server):
        """Waiting for nothing is a mistake."""
        with pytest.raises(ApiError, match="say what to wait for"):
            server.api.wait()


class TestSteering:
    """Rules, clock, faults and reset."""

    def test_rules(self, server, post):
        """Rules are in force from then on; what is not given is the default."""
        assert server.api.rules() == Rules()
        rules = Rules(api_keys=("other", ApiKey(key="third", project_id=7)), known_rates={"user-1": 3.5})
        assert server.api.set_rules(rules) == rules
        assert server.api.rules() == rules
        assert post(event()).json()["error"].startswith("Invalid API key")
        assert server.api.set_rules(daily_quota=5) == Rules(daily_quota=5)

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"rate_window_s": 0}, "rate_window_s"),
            ({"eps_threshold": -1}, "eps_threshold"),
            ({"daily_quota": -1}, "daily_quota"),
            ({"rates": "none"}, "rates"),
            ({"api_keys": [{"key": "a", "project_id": 2**70}]}, "project_id"),
            ({"window": 3}, "window"),
        ],
    )
    def test_rules_that_cannot_be(self, server, http, change, reason):
        """Nonsense is answered 422 and changes nothing."""
        answer = http.request("PUT", server.url + "/api/rules", json=change)
        assert answer.status == 422
        assert reason in answer.json()["error"]
        assert server.api.rules() == Rules()

    def test_the_clock(self, server, post):
        """It can be stopped, moved, and let go again."""
        assert server.api.set_clock(1000).now_ms == 1000
        assert server.api.advance_clock(500).now_ms == 1500
        assert server.api.clock().is_fixed
        post(event())
        assert server.api.events()[0].received_at == 1500
        running = server.api.run_clock()
        assert (running.is_fixed, running.ahead_ms) == (False, 0)
        assert server.api.advance_clock(10).ahead_ms == 10

    @pytest.mark.parametrize(
        "change",
        [
            {"at_ms": -1},
            {"at_ms": 2**60},
            {"advance_ms": -(10**14)},
            {"at_ms": 5, "advance_ms": -6},
            {"at": 5},
        ],
    )
    def test_times_out_of_range(self, server, http, change):
        """A time before 1970 or after 9999 is answered 422 and changes nothing."""
        server.api.set_clock(7)
        assert http.request("PUT", server.url + "/api/clock", json=change).status == 422
        assert server.api.clock().now_ms == 7

    def test_faults(self, server, http, post):
        """They are added by parts or by spelling, one or many, listed with their hits, and taken back."""
        (first,) = server.api.add_faults("500@50%")
        added = http.request("POST", server.url + "/api/faults", json={"spelling": "400@next=2"}).json()[
            "faults"
        ]
        assert [each["spelling"] for each in added] == ["400@next=2"]
        server.api.remove_fault(first.id)
        server.api.add_faults(Fault(action="delay", seconds=0.001), "drop-after@0%")
        assert post(event()).status == 400
        listed = server.api.faults()
        assert [(each.spelling, each.hits, each.remaining) for each in listed] == [
            ("400@next=2", 1, 1),
            ("delay:0.001s", 1, 0),
            ("drop-after@0%", 0, None),
        ]
        server.api.clear_faults()
        assert server.api.faults() == []
        with pytest.raises(ApiError, match="there is no fault 99"):
            server.api.remove_fault(99)

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            ({"spelling": "5000"}, "cannot read the fault '5000'"),
            ({"spelling": "500", "next": 2}, "not both"),
            ({"status": 500}, "give an action"),
            ({"action": "answer", "status": 200}, "status is 200"),
            ([{"spelling": "500"}, {"spelling": "x"}], "cannot read the fault 'x'"),
        ],
    )
    def test_faults_that_cannot_be(self, server, http, body, reason):
        """A mistake is answered 422 in words, and none of several is added."""
        answer = http.request("POST", server.url + "/api/faults", json=body)
        assert answer.status == 422
        assert reason in answer.json()["error"]
        assert server.api.faults() == []

    def test_reset(self, server, post, http):
        """Everything is forgotten and set as at the start, but for what is to be kept."""
        post(event())
        server.api.set_clock(5)
        server.api.set_rules(daily_quota=5)
        server.api.add_faults("500@1%")
        server.api.reset(keep=["rules"])
        assert (server.api.events(), server.api.faults(), server.api.clock().is_fixed) == ([], [], False)
        assert server.api.rules() == Rules(daily_quota=5)
        assert http.request("POST", server.url + "/api/reset").status == 200
        assert server.api.rules() == Rules()
        assert server.api.wait(events=0).events == 0


class TestAsking:
    """What is wrong with a request is said in words."""

    @pytest.mark.parametrize(
        ("path", "status", "reason"),
        [
            ("/api/events?limit=0", 400, "limit"),
            ("/api/events?limit=10001", 400, "limit"),
            ("/api/events?limit=ten", 400, "limit"),
            ("/api/events?before=99999999999999999999999", 400, "before"),
            ("/api/events?before=null", 400, "'before' is 'null'"),
            ("/api/events?what=1", 400, "there is no parameter 'what'"),
            ("/api/events?limit=1&limit=2", 400, "'limit' is given twice"),
            ("/api/events?outcome=lost", 400, "outcome"),
            ("/api/uploads/x", 400, "'x' in the path"),
            ("/api/uploads/1", 404, "no upload 1"),
            ("/api/nothing", 404, "there is no '/api/nothing'"),
            ("/api/", 404, "there is no"),
            ("/api/stats?span_s=100000", 400, "span_s"),
        ],
    )
    def test_mistakes(self, server, http, path, status, reason):
        """They name what is wrong, as JSON."""
        answer = http.request("GET", server.url + path)
        assert answer.status == status
        assert reason in answer.json()["error"]
        assert answer.headers["content-type"] == "application/json"

    @pytest.mark.parametrize(
        ("body", "status"), [(b"", 400), (b"{", 400), (b"\xff", 400), (b"[1]", 422), (b"null", 422)]
    )
    def test_bodies(self, server, http, body, status):
        """A body that is no JSON is answered 400, JSON of another shape 422."""
        assert http.request("PUT", server.url + "/api/rules", body=body).status == status

    def test_too_large_a_body(self, server, http):
        """More than a megabyte is answered 413."""
        assert http.request("PUT", server.url + "/api/rules", body=b" " * 1_500_000).status == 413

    def test_other_methods(self, server, http):
        """A method that a path does not take is answered 405 with those it takes."""
        answer = http.request("DELETE", server.url + "/api/rules")
        assert (answer.status, answer.headers["allow"]) == (405, "GET, PUT")

    def test_answers_are_not_for_other_pages(self, server, http):
        """Answers carry no CORS header, are kept by nobody, and are never taken for a page."""
        headers = http.request(
            "GET", server.url + "/api/rules", headers={"Origin": "http://evil.example"}
        ).headers
        assert "access-control-allow-origin" not in headers
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"

    def test_preflights_are_refused(self, server, http):
        """A page from elsewhere that asks for leave gets none."""
        answer = http.request("OPTIONS", server.url + "/api/rules", headers={"Origin": "http://evil.example"})
        assert answer.status == 405
        assert "access-control-allow-origin" not in answer.headers

    @pytest.mark.parametrize(
        ("method", "path"), [("PUT", "/api/rules"), ("POST", "/api/reset"), ("DELETE", "/api/faults")]
    )
    def test_only_our_page_changes_things(self, server, http, method, path):
        """A request that changes something and comes from another origin is answered 403."""
        for origin in ("http://evil.example", "null", server.url.replace("127.0.0.1", "localhost")):
            answer = http.request(method, server.url + path, body=b"{}", headers={"Origin": origin})
            assert answer.status == 403
        answer = http.request(method, server.url + path, body=b"{}", headers={"Origin": server.url})
        assert answer.status == 200

    @pytest.mark.parametrize(
        "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "[::1", "a b"]
    )
    def test_only_under_names_that_are_ours(self, server, http, host):
        """A name that a stranger can have point here is answered 421."""
        assert http.request("GET", server.url + "/api/rules", headers={"Host": host}).status == 421

    def test_an_unreachable_server(self):
        """When nothing listens, urllib3's own error is raised."""
        with pytest.raises(urllib3.exceptions.HTTPError):
            Api("http://127.0.0.1:9").rules()


class TestGate:
    """Under which names a server may be asked."""

    @pytest.mark.parametrize(
        "name",
        ["localhost", "localhost:8300", "127.0.0.1:1", "127.9.9.9", "[::1]:80", "A.LOCALHOST", "localhost."],
    )
    def test_loopback_always(self, name):
        """Names of the machine itself are fine whatever the server was bound to."""
        for host in ("127.0.0.1", "0.0.0.0", "::1", "203.0.113.5"):
            assert Gate(host).wrong_host(Headers({"host": name})) is None

    @pytest.mark.parametrize(
        "name", ["203.0.113.5:8300", "amplitude", "amplitude:8300", "host.docker.internal", "box.local"]
    )
    def test_more_when_open_to_others(self, name):
        """Bound beyond loopback, addresses and names outside of the public DNS are fine as well."""
        assert Gate("0.0.0.0").wrong_host(Headers({"host": name})) is None
        assert Gate("127.0.0.1").wrong_host(Headers({"host": name})) is not None

    def test_the_name_it_was_bound_to(self):
        """The name given as the host is fine."""
        assert Gate("dev.example.org").wrong_host(Headers({"host": "dev.example.org:8300"})) is None
        assert Gate("dev.example.org").wrong_host(Headers({"host": "www.example.org:8300"})) is not None

    @pytest.mark.parametrize("given", ["Box.Example.org", "box.example.org.", "box.example.org"])
    def test_names_that_are_allowed(self, given):
        """A name that was allowed is answered, and nothing that ends with it."""
        gate = Gate("127.0.0.1", [given])
        assert gate.wrong_host(Headers({"host": "BOX.example.org:8300"})) is None
        for name in ("evil.example.org", "abox.example.org", "a.box.example.org", "example.org", ""):
            assert "--allow-host" in gate.wrong_host(Headers({"host": name}))

    @pytest.mark.parametrize("host", ["amplitude.com", "Analytics.EU.amplitude.com:443"])
    def test_the_export_under_amplitudes_own_names(self, server, http, post, host):
        """A client that finds the server there gets its archive, with credentials, and nothing else."""
        post(event(1))
        hour = f"{datetime.now(timezone.utc):%Y%m%dT%H}"
        day = f"{datetime.now(timezone.utc) - timedelta(days=1):%Y%m%dT%H}"
        url = f"{server.url}/api/2/export?start={day}&end={hour}"
        basic = urllib3.make_headers(basic_auth=f"{API_KEY}:fedcba9876543210fedcba9876543210")
        assert http.request("GET", url, headers={"Host": host, **basic}).status == 200
        assert http.request("GET", url, headers={"Host": host}).status == 401
        for path in (
            "/api/events",
            "/api/users",
            "/api/openapi.json",
            "/api/2/export/",
            "/api/live",
            "/api/x",
        ):
            assert http.request("GET", server.url + path, headers={"Host": host, **basic}).status == 421
        assert http.request("POST", url, headers={"Host": host, **basic}).status == 421
        for stranger in (
            "amplitude.com.evil.example",
            "evil.example",
            "notamplitude.com",
            "www.amplitude.com",
        ):
            assert http.request("GET", url, headers={"Host": stranger, **basic}).status == 421

    @given(st.text(st.characters(codec="latin-1")))
    def test_any_header(self, text):
        """Whatever is sent, it is judged."""
        headers = Headers({"host": text, "origin": text})
        assert isinstance(Gate("0.0.0.0").wrong_host(headers), str | None)
        assert Gate("127.0.0.1").wrong_origin(headers) is not None or "://" in text


@given(st.text(min_size=1))
def test_names_survive_the_path(name):
    """What the client writes into a path is what the server reads from it."""
    surrogate_free = name.encode("utf-8", "replace").decode()
    assert _match(["", "{name}"], ["", _segment(surrogate_free)]) == {"name": surrogate_free}
    assert _match(["", "{name}"], ["", quote(surrogate_free, safe="")]) == {"name": surrogate_free}


def test_views_are_read_as_they_are_written(server, post):
    """Statistics come back as the type that was sent."""
    post(event())
    stats = server.api.stats(span_s=10)
    assert stats.totals.events == 1
    assert msgspec.json.decode(msgspec.json.encode(stats), type=type(stats)) == stats
