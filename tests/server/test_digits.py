"""Numbers of more digits than 64 bits hold: they come out as they went in, and ids of them stay apart."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antinode._protocol import exact
from antinode.server.engine import Amplitude
from antinode.server.ingest.requests import IngestResponse
from antinode.server.rules import KNOWN_API_KEY
from tests.server.ingesting import AT_MS, event, fixed, send, views

LONG = 123456789012345678901234


@pytest.fixture
def amplitude() -> Iterator[Amplitude]:
    with Amplitude(clock=fixed()) as amplitude:
        yield amplitude


def exported(amplitude: Amplitude) -> list[dict[str, Any]]:
    path = amplitude.export(KNOWN_API_KEY, "fedcba9876543210fedcba9876543210", "20261104T00", "20261105T00")
    assert not isinstance(path, IngestResponse), path
    try:
        with zipfile.ZipFile(path) as whole:
            lines = [
                line for name in whole.namelist() for line in gzip.decompress(whole.read(name)).splitlines()
            ]
    finally:
        path.unlink()
    return [json.loads(line) for line in lines]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_json_keeps_every_digit(value: Any) -> None:
    """What is written is read as the same value, integers of any size included."""
    value = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    assert exact.loads(exact.dumps(value)) == value
    assert exact.loads(exact.dumps(value).decode()) == value
    assert exact.loads(json.dumps(value)) == value


def test_digits_in_texts_and_nests_are_no_obstacle() -> None:
    """Long digits in a text are no number; what is nested deeper than the exact decoder goes is read too."""
    assert exact.loads(f'{{"a": "{LONG}"}}') == {"a": str(LONG)}
    deep = b"[" * 1000 + b"1" * 30 + b"]" * 1000
    assert exact.loads(deep) is not None
    with pytest.raises(ValueError, match=r"."):
        exact.loads(b'{"a": 12345678901234567890123 4}')


def test_rows_and_profiles_keep_the_digits_of_long_integers(amplitude: Amplitude) -> None:
    """In the event's properties, the user's, the groups', in the view of an event and in the export."""
    answer = send(
        amplitude,
        event(
            1, event_properties={"tx": LONG, "list": [2**64, -(2**63) - 1]}, user_properties={"wallet": LONG}
        ),
        event(
            2,
            event_type="$groupidentify",
            groups={"org": "15"},
            group_properties={"$set": {"ledger": LONG}, "$append": {"all": LONG}},
        ),
        event(3, event_properties={}, groups={"org": "15"}),
    )
    assert answer.status == 200
    first, second = exported(amplitude)
    assert first["event_properties"] == {"tx": LONG, "list": [2**64, -(2**63) - 1]}
    assert first["user_properties"] == second["user_properties"] == {"wallet": LONG}
    assert second["group_properties"] == {"org": {"15": {"ledger": LONG, "all": [LONG]}}}
    user = amplitude.user("user-20391")
    assert user is not None
    assert user.user_properties == {"wallet": LONG}
    group = amplitude.group("org", "15")
    assert group is not None
    assert group.group_properties == {"ledger": LONG, "all": [LONG]}


def test_sums_keep_every_digit(amplitude: Amplitude) -> None:
    """`$add` on long integers is exact; a sum beyond what JSON readers take leaves the old value."""
    most = int(1.7e308)
    for number, sums in enumerate([{"a": LONG, "b": 2**63 - 1, "c": most}, {"a": 1, "b": 1, "c": most}]):
        answer = send(amplitude, event(number, event_type="$identify", user_properties={"$add": sums}))
        assert answer.status == 200
    user = amplitude.user("user-20391")
    assert user is not None
    assert user.user_properties == {"a": LONG + 1, "b": 2**63, "c": most}


def test_long_ids_keep_their_digits_and_stay_apart(amplitude: Amplitude) -> None:
    """Users, devices, insert_ids and groups that differ in their last digits are different ones."""
    events = [
        {
            "event_type": "Paid",
            "user_id": 2**64 + at,
            "device_id": LONG + at,
            "insert_id": LONG + at,
            "time": AT_MS,
        }
        for at in range(3)
    ]
    assert send(amplitude, *events).status == 200
    stored = views(amplitude, event_type="Paid")
    assert {each.user_id for each in stored} == {str(2**64 + at) for at in range(3)}
    assert {each.outcome for each in stored} == {"accepted"}
    rows = exported(amplitude)
    assert [row["user_id"] for row in rows] == [str(2**64 + at) for at in range(3)]
    assert [row["device_id"] for row in rows] == [str(LONG + at) for at in range(3)]
    assert [row["$insert_id"] for row in rows] == [str(LONG + at) for at in range(3)]
    send(amplitude, event(9, groups={"org": LONG}))
    assert exported(amplitude)[-1]["groups"] == {"org": [str(LONG)]}


@pytest.mark.parametrize(
    "number", ["1.8446744073709552e+19", "9007199254740992.0", "-1e16", "123456789012345678e3"]
)
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("user_id", "%s"),
        ("device_id", "%s"),
        ("insert_id", "%s"),
        ("groups", '{"org": %s}'),
        ("groups", '{"org": [%s]}'),
    ],
)
def test_an_id_that_has_lost_digits_is_refused(
    amplitude: Amplitude, number: str, field: str, value: str
) -> None:
    """A float beyond 2**53 says only what a number begins with; as an id it would make one of many."""
    good = {key: each for key, each in event(1).items() if key != field}
    answer = send(amplitude, {**good, field: json.loads(value % number)})
    assert answer.status == 400
    assert field in json.loads(answer.body)["events_with_invalid_fields"]
    (stored,) = views(amplitude)
    assert "lost digits" in stored.problems[0].message


def test_a_float_that_is_exact_is_a_good_id(amplitude: Amplitude) -> None:
    """Below 2**53 a float says every digit: 20391.0 is 20391, as tables write it."""
    assert send(amplitude, event(1, user_id=20391.0, insert_id=7.0, groups={"org": 15.0})).status == 200
    assert exported(amplitude)[0]["user_id"] == "20391"
