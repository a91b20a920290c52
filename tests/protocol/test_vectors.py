"""The conformance vectors, as far as the protocol room alone can answer them."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import pytest

from antinode._protocol.objections import problems
from antinode._protocol.responses import Action, Verdict, judge, unreached
from antinode._protocol.status import Status
from antinode._protocol.validation import examine
from tests.vectors import Vector, answer_body, expand, load

CLIENT = load("client")
SERVER = [
    vector
    for vector in load("server")
    if vector["endpoint"] in ("POST /2/httpapi", "POST /batch")
    and isinstance(vector.get("request_body"), dict)
    and isinstance(vector["request_body"].get("events"), list)
    and all(isinstance(event, dict) for event in vector["request_body"]["events"])
]
MAPS = {
    "missing": "events_with_missing_fields",
    "invalid": "events_with_invalid_fields",
    "id_length": "events_with_invalid_id_lengths",
}


def ids_of(events: list[dict[str, Any]]) -> Any:
    return lambda i: (events[i].get("user_id"), events[i].get("device_id"))


def fates(verdict: Verdict, events: list[dict[str, Any]]) -> dict[str, set[int]]:
    """What a verdict means for each event, in the words of the vectors."""
    everything = set(range(len(events)))
    fate: dict[str, set[int]] = defaultdict(set)
    if verdict.action is Action.SORT:
        held = {
            i
            for i, event in enumerate(events)
            if i in verdict.hold
            or event.get("user_id") in verdict.throttled_users
            or event.get("device_id") in verdict.throttled_devices
        }
        fate["drop"] = set(verdict.drop)
        fate["hold"] = held - fate["drop"]
        fate["resend"] = everything - fate["drop"] - fate["hold"]
        return fate
    if verdict.action in (Action.BISECT, Action.HALVE):
        fate["drop" if len(events) == 1 else "split"] = everything
        return fate
    names = {
        Action.DELIVERED: "delivered",
        Action.RETRY: "retry",
        Action.WAIT: "hold",
        Action.STOP: "drop",
    }
    fate[names[verdict.action]] = everything
    return fate


@pytest.mark.parametrize("vector", CLIENT, ids=lambda vector: vector["name"])
def test_each_answer_is_judged_as_the_client_vector_says(vector: Vector) -> None:
    """A client vector's answer gives each event of its request the fate the vector expects."""
    events, given, expected = (
        vector["request_body"]["events"],
        vector["given_response"],
        dict(vector["expected_client"]),
    )
    if given.get("rule") == "first_bad_index":
        assert deliver_in_rounds(events, given) == (expected["drop"], expected["delivered"])
        return
    if error := given.get("transport_error"):
        verdict = unreached(Status.TIMEOUT if error == "timeout" else Status.SYSTEM_ERROR, error)
    else:
        verdict = judge(given["status"], given["headers"], answer_body(given), len(events), ids_of(events))
    fate = fates(verdict, events)

    assert (verdict.action is Action.STOP) == expected.pop("stop", False)
    assert verdict.wait * 1000 >= expected.pop("hold_ms_min", 0) or fate["drop"]
    expected.pop("charge_retry", None)
    expected.pop("same_insert_id", None)
    if "split" in expected:
        assert fate["split"] == {i for part in expected.pop("split") for i in part}
    if "split_any" in expected:
        assert expected.pop("split_any") == 2
        assert verdict.action is Action.HALVE
    if "hold_or_drop" in expected:
        assert set(expected.pop("hold_or_drop")) <= fate["hold"] | fate["drop"]
    for name, positions in expected.items():
        assert fate[name] == set(positions), name


def deliver_in_rounds(events: list[dict[str, Any]], given: dict[str, Any]) -> tuple[list[int], list[int]]:
    dropped: list[int] = []
    present = list(range(len(events)))
    while bad := [place for place, i in enumerate(present) if i in given["bad"]]:
        body = {"code": 400, "error": "x", "events_with_invalid_fields": {given["field"]: bad[:1]}}
        remaining = [events[i] for i in present]
        verdict = judge(400, {}, json.dumps(body).encode(), len(remaining), ids_of(remaining))
        assert verdict.action is Action.SORT
        dropped += [present[place] for place in sorted(verdict.drop)]
        present = [i for place, i in enumerate(present) if place not in verdict.drop]
    return dropped, present


@pytest.mark.parametrize("vector", SERVER, ids=lambda vector: vector["name"])
def test_problems_are_those_the_server_vector_reports(vector: Vector) -> None:
    """What `problems` finds in a request's events is what the server vector's answer says about them."""
    body, expected = vector["request_body"], vector.get("expected_response") or {}
    config = vector.get("config") or {}
    minimum = (body.get("options") or {}).get("min_id_length", 5)
    found: dict[str, dict[str, list[int]]] = {name: defaultdict(list) for name in MAPS}
    for i, event in enumerate(body["events"]):
        for problem in problems(event, minimum):
            found[problem.kind][problem.field].append(i)

    reported = {name: expected[name] for name in MAPS.values() if name in expected}
    if not reported:
        if vector["expected_status"] == 200 and config.get("short_id_policy") != "strip":
            assert not any(found.values())
        return
    first = next(kind for kind in MAPS if found[kind])
    assert list(reported) == [MAPS[first]]
    (expectation,) = reported.values()
    if expectation == "@any":
        return
    mode = config.get("error_indices", "first_per_field")
    if vector["endpoint"] == "POST /batch" or mode == "all":
        assert expectation == found[first]
    elif mode == "first_per_field":
        assert expectation == {field: positions[:1] for field, positions in found[first].items()}
    else:
        earliest = min(i for positions in found[first].values() for i in positions)
        assert expectation == {
            field: [earliest] for field, positions in found[first].items() if earliest in positions
        }


@pytest.mark.parametrize("vector", SERVER, ids=lambda vector: vector["name"])
def test_an_event_the_server_takes_passes_the_examination(vector: Vector) -> None:
    """No event of a request that the server vector accepts is refused by `examine`."""
    if vector["expected_status"] != 200 or (vector.get("config") or {}).get("short_id_policy") == "strip":
        return
    body = vector["request_body"]
    minimum = (body.get("options") or {}).get("min_id_length", 5)
    for event in body["events"]:
        assert examine(event, min_id_length=minimum, now_ms=1793817970000).problems == ()


def test_generators_stand_for_what_the_reference_says() -> None:
    """`@repeat` numbers its copies, `@string` repeats a character, `@nest` counts its outermost layer."""
    repeated = {"@repeat": {"count": 2, "of": {"insert_id": "i{{i}}"}}}
    assert expand(repeated) == [{"insert_id": "i0"}, {"insert_id": "i1"}]
    assert expand([{"@string": {"char": "a", "length": 3}}]) == ["aaa"]
    assert expand({"p": {"@nest": {"depth": 2, "leaf": 1}}}) == {"p": {"k": {"k": 1}}}


def test_there_are_vectors_of_both_kinds() -> None:
    """The file holds the 31 client and 188 server vectors of the reference."""
    assert (len(CLIENT), len(load("server"))) == (31, 188)
