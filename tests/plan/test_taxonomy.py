"""`antinode plan pull` and `push`, against the Taxonomy API of a local Amplitude."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3
from hypothesis import given, settings
from hypothesis import strategies as st

from antinode._options import read_options
from antinode.plan import TrackingPlan, parse_plan, read_plan
from antinode.plan._taxonomy import changes, shown_change, to_entries, to_plan
from antinode.plan._taxonomy_api import ChangeRefused, TaxonomyClient, TaxonomyError
from antinode.plan._writing import to_json
from antinode.server import Running, running
from tests.cli.nursery import run
from tests.cli.reading import words
from tests.examples import examples
from tests.plan.strategies import SCHEMAS
from tests.plan.test_reading import SHOP
from tests.scripted import Answer, Scripted

KEY = "0123456789abcdef0123456789abcdef"
SECRET = "fedcba9876543210fedcba9876543210"
AUTHORIZED = urllib3.make_headers(basic_auth=f"{KEY}:{SECRET}")
NOTHING = b'{"success":true,"data":[]}'


@pytest.fixture(scope="module")
def amplitude() -> Iterator[Running]:
    with running() as server:
        server.api.set_rules(api_keys=[{"key": KEY, "secret": SECRET}])
        yield server


@pytest.fixture
def server(amplitude: Running) -> Running:
    amplitude.api.reset(keep=["rules"])
    return amplitude


def client_of(url: str, pauses: list[float] | None = None) -> TaxonomyClient:
    pause = [].append if pauses is None else pauses.append  # type: ignore[var-annotated]
    return TaxonomyClient(read_options({"server_url": url}), KEY, SECRET, pause=pause)


def push(client: TaxonomyClient, plan: TrackingPlan, *, prunes: bool = False) -> int:
    there = client.read(plan.group_properties or {}, lambda _, __: None)
    wanted, _ = changes(plan, there, prunes=prunes)
    for each in wanted:
        client.make(each)
    return len(wanted)


def pull(client: TaxonomyClient, plan: TrackingPlan) -> TrackingPlan:
    entries = client.read(plan.group_properties or {}, lambda _, __: None)
    return to_plan(entries, plan)


NAMES = st.sampled_from(
    ["Order Placed", "a/b", "..", "ä&=+%?#", "gp:x", "'", "\x1b", "\U0001f600", "x" * 200]
)
TEXTS = st.sampled_from(["", "A customer has paid.", "a, b", "ä\n\"'", "null"])
OWNERS = st.sampled_from([[], ["checkout"], ["sue@example.com"], ["a@b.c", "d@e.f"]])
CARRIED = st.one_of(
    st.just({}),
    st.sampled_from(["string", "number", "integer", "boolean"]).map(lambda kind: {"type": kind}),
    st.lists(st.sampled_from(["free", "pro plan", "ä"]), min_size=1, unique=True).map(
        lambda values: {"type": "string", "enum": values}
    ),
    st.just({"type": "string", "pattern": "^[0-9]{5}, $"}),
)
PROPERTY = st.tuples(
    st.one_of(CARRIED, CARRIED.map(lambda inner: {"type": "array", "items": inner}), SCHEMAS), TEXTS
).map(lambda pair: {**pair[0], "description": pair[1]})
PROPERTIES = st.dictionaries(NAMES, PROPERTY, max_size=2)
EVENTS = st.dictionaries(
    NAMES,
    st.fixed_dictionaries(
        {
            "properties": PROPERTIES,
            "description": TEXTS,
            "category": st.sampled_from(["", "Shop", "Shop & Co"]),
            "owners": OWNERS,
            "status": st.sampled_from(["active", "retired"]),
        }
    ).flatmap(
        lambda event: st.sets(st.sampled_from(sorted(event["properties"]) or [""])).map(
            lambda required: {**event, "required": sorted(required & set(event["properties"]))}
        )
    ),
    max_size=2,
)


def planned(events: dict[str, Any], **more: Any) -> TrackingPlan:
    return parse_plan(json.dumps({"version": 1, "events": events, **more}), is_json=True)


SOME = st.dictionaries(NAMES, PROPERTY, min_size=1, max_size=3)
PLANS = st.builds(
    planned,
    EVENTS,
    user_properties=st.none() | SOME,
    group_properties=st.none()
    | st.dictionaries(st.sampled_from(["company", "team/b"]), SOME, min_size=1, max_size=2),
)


@settings(max_examples=examples(10))
@given(EVENTS.map(planned), PLANS)
def test_pull_after_push_gives_the_same_plan(
    amplitude: Running, before: TrackingPlan, plan: TrackingPlan
) -> None:
    """With what the API cannot carry from the file; again nothing is left to push; over others, pruned."""
    amplitude.api.reset(keep=["rules"])
    client = client_of(amplitude.server_url)
    try:
        push(client, before)
        push(client, plan, prunes=True)
        assert push(client, plan, prunes=True) == 0
        assert pull(client, plan) == plan
        bare = to_plan(client.read(plan.group_properties or {}, lambda _, __: None))
        assert to_entries(bare) == to_entries(plan)
    finally:
        client.close()


def test_what_push_does(server: Running, tmp_path: Path) -> None:
    """It shows, changes nothing on a dry run or unasked, then makes all; pull gives the same file."""
    plan = tmp_path / "tracking-plan.yaml"
    plan.write_text(SHOP, encoding="utf-8")
    env = {"AMPLITUDE_API_KEY": KEY, "AMPLITUDE_SECRET_KEY": SECRET}

    def plan_command(*arguments: str, **more: str) -> Any:
        return run("plan", *arguments, "--server-url", server.server_url, cwd=tmp_path, **{**env, **more})

    done = plan_command("push", "--dry-run")
    assert (done.returncode, done.stderr) == (0, "")
    shown = done.stdout.splitlines()
    assert shown[0] == "+ event Order Placed: description 'A customer has paid.'"
    assert "+ event property Order Placed `currency`: enum, enum_values 'EUR, USD', required" in shown
    assert "+ event Order Sent: retired" in shown
    assert plan_command("push").returncode == 2
    assert server.api._send("GET", "/api/2/taxonomy/event", headers=AUTHORIZED)[1] == NOTHING
    done = plan_command("push", "--yes")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, f"{len(shown) - 1} changes made.")
    assert plan_command("push").stdout == "Amplitude is as the plan.\n"
    done = plan_command("pull", "-o", "tracking-plan.yaml")
    assert done.returncode == 0, done.stderr
    assert read_plan(plan) == parse_plan(SHOP)
    wrong = plan_command("push", AMPLITUDE_SECRET_KEY="wrong")
    assert wrong.returncode == 1
    assert "answered 401: is it the secret key of this project?" in words(wrong.stderr)
    told = done.stdout + done.stderr + wrong.stdout + wrong.stderr
    assert not any(each in told for each in (KEY, SECRET))


def test_nothing_is_deleted_unless_asked(server: Running, tmp_path: Path) -> None:
    """What is planned in Amplitude alone is counted, and goes with `--prune`; so in JSON."""
    (tmp_path / "plan.json").write_text(to_json(parse_plan(SHOP)), encoding="utf-8")
    (tmp_path / "less.json").write_text('{"version": 1, "events": {"Order Sent": {}}}', encoding="utf-8")
    env = {"AMPLITUDE_API_KEY": KEY, "AMPLITUDE_SECRET_KEY": SECRET}
    to = ["--yes", "--server-url", server.server_url]
    run("plan", "push", "plan.json", *to, cwd=tmp_path, **env)
    done = run("plan", "push", "less.json", *to, cwd=tmp_path, **env)
    assert done.stdout.splitlines()[:2] == [
        "~ event Order Sent: is_active 'false' → 'true'",
        "1 more planned in Amplitude alone, left there: --prune deletes them",
    ]
    done = run("plan", "push", "less.json", *to, "--prune", "--json", cwd=tmp_path, **env)
    change, total = map(json.loads, done.stdout.splitlines())
    assert (change["action"], change["name"], change["problem"]) == ("delete", "Order Placed", None)
    assert (total["made"], total["refused"], total["only_in_amplitude"]) == (1, 0, 0)


CREATED = changes(parse_plan("version: 1\nevents: {Paid: {}}"), to_entries(TrackingPlan()), prunes=False)[0][
    0
]


def test_limits_are_respected() -> None:
    """After a 429 it waits as long as the answer asks for, and longer each time; in the end it says so."""
    pauses: list[float] = []
    with Scripted([Answer(429, headers={"retry-after": "7"}), Answer(503), Answer(200, b"{}")]) as server:
        client = client_of(server.url, pauses)
        client.make(CREATED)
        client.close()
    assert pauses == [7.0, 6.0]
    with Scripted([Answer(429)]) as server:
        client = client_of(server.url)
        with pytest.raises(TaxonomyError, match="answered 429: a project may ask for 7,200 an hour"):
            client.make(CREATED)
        client.close()
    assert [each[:2] for each in server.asked] == [("POST", "/api/2/taxonomy/event")] * 5


def test_a_request_that_was_heard_is_made() -> None:
    """Where its answer was lost, that it is there already is no refusal; without that it is."""
    exists = json.dumps({"success": False, "errors": [{"message": "already exists"}]}).encode()
    with Scripted([Answer(503), Answer(409, exists)]) as server:
        client = client_of(server.url)
        client.make(CREATED)
        with pytest.raises(ChangeRefused, match="already exists"):
            client.make(CREATED)
        client.close()


def test_what_amplitude_alone_has_is_no_plan() -> None:
    """Its own user properties, events made of others, and its own events are not pulled."""
    answers = [
        {"data": []},
        {"data": [{"event_type": each} for each in ("ce:Event 2", "[Amplitude] Page Viewed", "Paid")]},
        {"data": [{"event_property": "total", "type": "number", "regex": "(?<", "is_required": True}]},
        {
            "data": [
                {"user_property": "device_id"},
                {"user_property": "gp:plan", "enum_values": "a, b", "type": "enum"},
            ]
        },
    ]
    with Scripted([Answer(200, json.dumps(each).encode()) for each in answers]) as server:
        client = client_of(server.url)
        plan = pull(client, TrackingPlan())
        client.close()
    assert to_json(plan) == to_json(
        parse_plan(
            "version: 1\nevents: {Paid: {properties: {total: {type: number}}, required: [total]}}\n"
            "user_properties: {plan: {type: string, enum: [a, b]}}"
        )
    )
    assert "?event_type=Paid" in server.asked[2].path
    assert client.origin == server.url
    assert repr(client) == f"<TaxonomyClient {server.url}>"
    assert shown_change(CREATED) == "event Paid"
