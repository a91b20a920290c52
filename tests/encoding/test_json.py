"""JSON by orjson and by msgspec: the same values as the same bytes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import date, datetime, time, timedelta, timezone
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from antinode import _json
from antinode._json import by_msgspec

scalars = st.one_of(
    st.text(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(),
    st.booleans(),
    st.none(),
    st.dates(),
    st.uuids(),
)
values = st.recursive(
    scalars, lambda each: st.one_of(st.lists(each), st.dictionaries(st.text(), each)), max_leaves=10
)


@given(values)
@example([1e16, 1e15, 1e-7, -0.0, 12.10, float("nan"), float("inf"), 1.5e300])
@example(['\x00\x1f\x7f\b\f\n\r\t"\\/é😀', datetime(2024, 5, 1, 12, 30, 0, 5), date(2024, 5, 1), UUID(int=7)])
def test_both_write_the_same(value: Any) -> None:
    """Byte for byte, but for the sign in the exponent of a large float."""
    assert by_msgspec.dumps(value) == orjson.dumps(value).replace(b"e+", b"e") or b"e+" in by_msgspec.dumps(
        value
    )
    assert json.loads(by_msgspec.dumps(value)) == json.loads(orjson.dumps(value))


@pytest.mark.parametrize(
    "value",
    [
        datetime(2024, 5, 1, tzinfo=timezone.utc),
        datetime(2024, 5, 1, 12, 0, 0, 7, tzinfo=timezone(timedelta(hours=5, minutes=30))),
        time(12, 30, 0, 7),
    ],
    ids=repr,
)
def test_both_write_points_in_time_the_same(value: Any) -> None:
    """By themselves, as the encoder has them written."""
    assert by_msgspec.dumps(value) == orjson.dumps(value)


@pytest.mark.parametrize(
    "value",
    [2**64, [-(2**63) - 1], {"a": [{"b": 2**70}]}, "\ud800", object()],
    ids=["large", "small", "deep", "half a character", "object"],
)
def test_both_refuse_the_same(value: Any) -> None:
    """Integers beyond 64 bits, half characters, and what is no JSON: with a TypeError."""
    for dumps in (by_msgspec.dumps, orjson.dumps):
        with pytest.raises(TypeError):
            dumps(value)


@pytest.mark.parametrize("text", [b"{", b"", b"[1,]", b'"\xff"', b"nul"])
def test_both_read_no_nonsense(text: bytes) -> None:
    """With a ValueError."""
    for loads in (by_msgspec.loads, orjson.loads):
        with pytest.raises(ValueError, match=r"."):
            loads(text)


WITHOUT_ORJSON = """
import sys
sys.modules["orjson"] = None
import antinode
from antinode import _json
from datetime import datetime, timezone

class Kept:
    def send(self, request):
        bodies.append(request.body)
        return antinode.HttpResponse(200, {}, b'{"code":200}')
    def close(self):
        pass

bodies = []
client = antinode.init("0123456789abcdef0123456789abcdef", transport=Kept())
at = datetime(2024, 5, 1, tzinfo=timezone.utc)
properties = {"price": 0.1 + 0.2, "large": 1e300, "at": at, "note": {1: "é"}}
event = {"event_type": "Tick", "user_id": "user-20391", "event_properties": properties}
assert client.log_event(event).result(120).kind == "delivered"
assert _json.LIBRARY == "msgspec"
print(bodies[0].decode())
"""


@pytest.mark.parametrize("is_pure", ["", "1"], ids=["compiled", "python"])
def test_antinode_delivers_without_orjson(is_pure: str) -> None:
    """Where it cannot be imported, events go out all the same."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_ORJSON],
        env={**os.environ, "ANTINODE_PURE_PYTHON": is_pure, "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        check=True,
    )
    (event,) = json.loads(done.stdout)["events"]
    assert event["event_properties"] == {
        "price": 0.30000000000000004,
        "large": 1e300,
        "at": "2024-05-01T00:00:00+00:00",
        "note": {"1": "é"},
    }


def test_orjson_is_used_where_it_is() -> None:
    """As the development tools bring it."""
    assert _json.LIBRARY == "orjson"
    assert _json.dumps is orjson.dumps
