"""The User Privacy API of the local Amplitude: it answers as Amplitude's, and forgets."""

import gzip
import io
import json
import zipfile

import pytest
import urllib3

from antinode.server.models import SchemaPage
from tests.server.conftest import API_KEY, event

DAY = "2026-11-04"
AT_MS = 1793817970000


@pytest.fixture
def ask(server, http):
    """Asks one of Amplitude's APIs, with the credentials of the examples' project."""

    def ask(method, path, secret="any", **options):  # noqa: S107 - any will do
        headers = urllib3.make_headers(basic_auth=f"{API_KEY}:{secret}")
        return http.request(method, f"{server.url}{path}", headers=headers, **options)

    server.api.set_clock(AT_MS)
    return ask


@pytest.fixture
def delete(ask):
    return lambda secret="any", **body: ask("POST", "/api/2/deletions/users", secret, json=body)


def exported(server):
    archive = zipfile.ZipFile(io.BytesIO(server.api.export("20261104T00", "20261104T23", api_key=API_KEY)))
    files = (gzip.decompress(archive.read(name)) for name in archive.namelist())
    return [json.loads(line) for file in files for line in file.splitlines()]


def test_whoever_is_deleted_is_nowhere(server, post, delete):
    """Not in events, users, uploads, exports; others are, and a job tells of it."""
    post(event(1, user_id=None, device_id="device-a"))
    post(event(2, user_id="user-a", device_id="device-a", user_properties={"plan": "secret-plan"}))
    post(event(2, user_id="user-a", device_id="device-a"))
    post({"user_id": "user-a", "event_type": ""})
    post(event(3, user_id="user-b", device_id="device-b"), event(4, user_id="user-a", device_id="device-c"))
    number = server.api.user("user-a").amplitude_id
    answer = delete(user_ids=["user-a"], requester="privacy@example.com")
    assert (answer.status, answer.json()) == (
        200,
        {
            "day": DAY,
            "status": "staging",
            "amplitude_ids": [
                {"amplitude_id": number, "requested_on_day": DAY, "requester": "privacy@example.com"}
            ],
        },
    )
    assert [each.event["user_id"] for each in server.api.events()] == ["user-b"]
    assert [each.user_id for each in server.api.users()] == ["user-b"]
    assert [server.api.user(each) for each in ("user-a", "device-a", "device-c")] == [None] * 3
    assert [each["user_id"] for each in exported(server)] == ["user-b"]
    assert server.api.event("insert-2") is None
    shown = [server.api.upload(each.id) for each in server.api.uploads()]
    assert "user-a" not in str(shown)
    assert len(shown) == 5
    assert "secret-plan" not in str(server.api._get("/api/schema", SchemaPage))
    stats = server.api.stats()
    assert "user-a" not in str(stats.problems)
    assert (stats.totals.events, stats.users) == (4, 1)


def test_a_deleted_user_may_come_again(server, post, delete):
    """As somebody new, whose earlier events are not known any more."""
    post(event(1, user_id="user-a", user_properties={"plan": "pro"}))
    before = server.api.user("user-a").amplitude_id
    assert delete(user_ids=["user-a"]).status == 200
    post(event(1, user_id="user-a"))
    again = server.api.user("user-a")
    assert (again.events, again.user_properties) == (1, {})
    assert again.amplitude_id != before
    assert delete(amplitude_ids=[again.amplitude_id]).status == 200
    assert server.api.users() == []


def test_unknown_ids_are_refused_or_passed_over(server, post, delete):
    """One unknown id refuses all, unless it is to be ignored, as a boolean or as a text."""
    post(event(1, user_id="user-a"))
    refused = delete(user_ids=["user-a", "stranger"])
    assert (refused.status, "stranger" in refused.json()["error"]) == (400, False)
    assert server.api.user("user-a") is not None
    for given in (True, "true", "True"):
        post(event(2, user_id="user-a"))
        answer = delete(user_ids=["user-a", "stranger"], amplitude_ids=[7], ignore_invalid_id=given)
        assert (answer.status, answer.json()["invalid_ids"]) == (200, ["stranger", "7"])
        assert server.api.user("user-a") is None


def test_other_projects_are_left_alone(server, post, delete, http):
    """A user of the same id in another project is somebody else."""
    post(event(1, user_id="user-a"))
    http.request(
        "POST", f"{server.url}/2/httpapi", json={"api_key": "another", "events": [event(1, user_id="user-a")]}
    )
    assert delete(user_ids=["user-a"]).status == 200
    assert len(server.api.events()) == len(server.api.users()) == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"user_ids": [f"user-{n}" for n in range(101)]},
        {"user_ids": ["a"] * 60, "amplitude_ids": [1] * 60},
    ],
)
def test_one_to_a_hundred_users_at_a_time(delete, body):
    """As Amplitude documents it."""
    assert delete(**body).status == 400


def test_jobs_are_told_by_their_day(server, post, delete, ask):
    """Done at once; within the days that are asked for, six months at most."""
    post(event(1, user_id="user-a"))
    delete(user_ids=["user-a"])
    path = "/api/2/deletions/users?start_day={}&end_day={}"
    (job,) = ask("GET", path.format(DAY, "2026-12-04")).json()
    assert (job["day"], job["status"], len(job["amplitude_ids"])) == (DAY, "done", 1)
    assert ask("GET", path.format("2026-11-05", "2026-12-04")).json() == []
    for start, end in ((DAY, "2027-12-04"), ("2026-12-04", DAY), ("tomorrow", DAY)):
        assert ask("GET", path.format(start, end)).status == 400


def test_the_secret_is_wanted(server, delete, ask):
    """Where the rules name one."""
    server.api.set_rules(api_keys=[{"key": API_KEY, "secret": "s3cret"}])
    assert delete(user_ids=["user-a"]).status == 401
    assert ask("GET", "/api/2/usersearch?user=user-a").status == 401
    assert delete("s3cret", user_ids=["user-a"], ignore_invalid_id=True).status == 200


def test_users_are_found_by_any_id(server, post, ask):
    """By user_id, device_id and Amplitude ID."""
    post(event(1, user_id="user-a", device_id="device-a"), event(2, user_id=None, device_id="device-b"))
    number = server.api.user("user-a").amplitude_id
    for user in ("user-a", "device-a", str(number)):
        (match,) = ask("GET", f"/api/2/usersearch?user={user}").json()["matches"]
        assert match == {"user_id": "user-a", "amplitude_id": number}
    assert ask("GET", "/api/2/usersearch?user=device-b").json()["matches"][0]["user_id"] is None
    assert ask("GET", "/api/2/usersearch?user=nobody").json()["matches"] == []
