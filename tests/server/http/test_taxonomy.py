"""The Taxonomy API of the local Amplitude: it answers as Amplitude's."""

import contextlib
import sqlite3
from urllib.parse import urlencode

import pytest
import urllib3

from antinode.server import running, taxonomy
from tests.server.conftest import API_KEY

DONE = (200, {"success": True})


@pytest.fixture
def ask(server, http):
    """Asks with the credentials of the examples' project; parameters as a form in the body."""

    def ask(method, path, secret="any", key=API_KEY, **form):  # noqa: S107 - any will do
        headers = urllib3.make_headers(basic_auth=f"{key}:{secret}")
        body = urlencode(form) if form else None
        headers["content-type"] = "application/x-www-form-urlencoded"
        answer = http.request(method, f"{server.url}/api/2/taxonomy/{path}", headers=headers, body=body)
        return answer.status, answer.json()

    return ask


def refusal(status, message):
    return status, {"success": False, "errors": [{"message": message}]}


def test_categories(ask):
    """Made, found by name, renamed and deleted by id; what is not there is a 400 or a 409."""
    assert ask("POST", "category", category_name="Shop & Co") == DONE
    assert ask("POST", "category", category_name="Shop & Co")[0] == 409
    status, answer = ask("GET", "category/Shop%20%26%20Co")
    number = answer["data"]["id"]
    assert (status, answer) == (200, {"success": True, "data": {"id": number, "name": "Shop & Co"}})
    assert ask("POST", "event", event_type="Paid", category="Shop & Co") == DONE
    assert ask("PUT", f"category/{number}", category_name="Shop") == DONE
    assert ask("GET", "event/Paid")[1]["data"]["category"] == {"name": "Shop"}
    assert ask("DELETE", f"category/{number}") == DONE
    assert ask("GET", "category") == (200, {"success": True, "data": []})
    assert ask("GET", "event/Paid")[1]["data"]["category"] is None
    assert ask("GET", "category/Shop") == refusal(400, "Not found")
    gone = 'Attempted to operate on entity event_category, id "4129", that does not exist.'
    assert ask("DELETE", "category/4129") == refusal(409, gone)


def test_event_types(ask):
    """What is not given stays, an empty text takes away, a new name takes the properties with it."""
    assert ask("POST", "event", event_type="Onboard Start", description="Begun.", tags="a, b") == DONE
    assert ask("POST", "event-property", event_type="Onboard Start", event_property="step") == DONE
    assert ask("PUT", "event/Onboard%20Start", new_event_type="Started", is_active="false") == DONE
    assert ask("PUT", "event/Started", display_name="Start") == DONE
    assert ask("GET", "event") == (
        200,
        {
            "success": True,
            "data": [
                {
                    "event_type": "Started",
                    "category": None,
                    "description": "Begun.",
                    "display_name": "Start",
                    "is_active": False,
                    "tags": ["a", "b"],
                    "owner": None,
                }
            ],
        },
    )
    assert ask("PUT", "event/Started", description="")[0] == 200
    assert ask("GET", "event/Started")[1]["data"]["description"] is None
    assert [
        each["event_property"] for each in ask("GET", "event-property?event_type=Started")[1]["data"]
    ] == ["step"]
    assert ask("DELETE", "event/Started") == DONE
    assert ask("GET", "event-property", event_type="Started")[1]["data"] == []
    assert ask("DELETE", "event/Started") == refusal(
        409, 'Attempted to remove an event, "Started", that is not a planned event.'
    )
    assert ask("POST", "event", event_type="A", category="Nowhere")[0] == 409
    assert ask("POST", "event", description="nameless")[0] == 400


@pytest.mark.parametrize(
    ("path", "kind", "prefix", "of"),
    [
        ("event-property", "event", "", {"event_type": "Paid"}),
        ("user-property", "user", "gp:", {}),
        ("group-property", "group", "grp:", {"group_type": "company"}),
    ],
)
def test_properties(ask, path, kind, prefix, of):
    """Of events, users and groups: the project's own have a prefix in answers, and may have it in paths."""
    ask("POST", "event", event_type="Paid")
    facts = {"type": "enum", "enum_values": "free, pro", "description": "Which."}
    name = f"{kind}_property"
    assert ask("POST", path, **{name: "plan/x", **of, **facts}) == DONE
    assert ask("POST", path, **{name: "plan/x", **of})[0] == 409
    status, answer = ask("GET", path, **of)
    assert status == 200
    (found,) = answer["data"]
    assert found[name] == f"{prefix}plan/x"
    assert {key: found[key] for key in facts} == facts
    assert (found["is_array_type"], found["regex"], found["classifications"]) == (False, None, [])
    assert found.get("is_required") == (False if kind == "event" else None)
    assert ask("PUT", f"{path}/{prefix}plan%2Fx", type="any", **{f"new_{name}_value": "plan"}, **of) == DONE
    assert ask("GET", f"{path}/{prefix}plan", **of)[1]["data"]["type"] == "any"
    assert ask("DELETE", f"{path}/{prefix}plan", **of) == DONE
    assert ask("GET", f"{path}/{prefix}plan", **of) == refusal(400, "Not found")
    assert ask("DELETE", f"{path}/{prefix}plan", **of)[0] == 409
    assert ask("POST", path, **{name: "x", "type": "text", **of})[0] == 400
    assert ask("POST", path, **of)[0] == 400


def test_an_event_property_is_one_of_an_event(ask):
    """Of one that is planned."""
    assert ask("POST", "event-property", event_type="Paid", event_property="x") == refusal(
        409, 'Attempted to add an event property, "x" for event "Paid", but the event is not in schema.'
    )


def test_a_name_may_have_a_line_break(ask):
    """It is found under its path as any other."""
    assert ask("POST", "event", event_type="a\nb") == DONE
    assert ask("GET", "event/a%0Ab")[1]["data"]["event_type"] == "a\nb"


def test_projects_do_not_see_one_another(ask, server):
    """Each key has its own, and a wrong secret none."""
    server.api.set_rules(api_keys=[{"key": API_KEY, "secret": "s3cret"}, {"key": "b" * 32}])
    assert ask("POST", "event", "s3cret", event_type="Paid") == DONE
    assert ask("GET", "event", key="b" * 32)[1]["data"] == []
    assert ask("GET", "event", "wrong")[0] == 401


def test_requests_are_limited_as_documented(ask, server, monkeypatch):
    """So much an hour, of which a request that changes something costs two; unless rates are unlimited."""
    assert taxonomy.COST_PER_HOUR == 7_200
    monkeypatch.setattr(taxonomy, "COST_PER_HOUR", 5)
    at = 1_793_817_970_000
    server.api.set_clock(at)
    for _ in range(4):
        assert ask("DELETE", "event/x")[0] == 409
    server.api.set_rules(rates="documented")
    assert [ask("DELETE", "event/x")[0] for _ in range(3)] == [409, 409, 429]
    assert [ask("GET", "event")[0] for _ in range(2)] == [200, 429]
    server.api.set_clock(at + 3_600_000)
    assert ask("GET", "event")[0] == 200


def test_they_outlive_a_restart(tmp_path, http):
    """With `data=`; a file of an earlier version, which has no table for them, gets one."""
    headers = urllib3.make_headers(basic_auth=f"{API_KEY}:any")
    path = "/api/2/taxonomy/event"
    with running(data=tmp_path / "events.db") as server:
        http.request("POST", server.url + path, headers=headers, fields={"event_type": "Paid"},
                     encode_multipart=False)  # fmt: skip
    with running(data=tmp_path / "events.db") as server:
        answer = http.request("GET", server.url + path, headers=headers).json()
        assert [each["event_type"] for each in answer["data"]] == ["Paid"]
        server.api.reset()
        assert http.request("GET", server.url + path, headers=headers).json()["data"] == []
    with contextlib.closing(sqlite3.connect(tmp_path / "events.db")) as connection:
        connection.execute("DROP TABLE taxonomy")
    with running(data=tmp_path / "events.db") as server:
        assert http.request("GET", server.url + path, headers=headers).json()["data"] == []
