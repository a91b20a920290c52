"""Events that change while they are logged: by other threads, or by code that reading their values runs."""

from __future__ import annotations

import enum
import os
import subprocess
import sys
import textwrap

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antinode._encoding.inert import inert_copy, is_inert

Kind = enum.Enum("Kind", {"ONE": 1, "TWO": "two", "THREE": ["a", 1.5, None], "FOUR": {"x": (1, 2)}})

PRELUDE = """
import enum, gc, json, os, sys, threading, time
import antinode

class Checking:
    # A transport that counts the requests which are no JSON.
    requests = malformed = 0

    def send(self, request):
        self.requests += 1
        try:
            json.loads(request.body)
        except ValueError:
            self.malformed += 1
        return antinode.HttpResponse(200, {}, b'{"code":200}')

    def close(self):
        pass

checking = Checking()
client = antinode.Client().init("0123456789abcdef0123456789abcdef", transport=checking, max_queue_events=2000,
                                overflow="drop_newest", log_level="CRITICAL")
event = {"event_type": "Tick", "user_id": "user-1"}
"""


def run(program: str, *, is_pure: bool) -> str:
    """What a program prints, in an interpreter of its own: what this is about ends in a crash."""
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", PRELUDE + textwrap.dedent(program)],
        env={**os.environ, "ANTINODE_PURE_PYTHON": "1" if is_pure else ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.strip()


@pytest.mark.parametrize("is_pure", [False, True], ids=["compiled", "python"])
@pytest.mark.parametrize(
    "change",
    [
        "event.clear(); event.update(event_type=f't{n}', user_id=f'user-{n}', session_id=n)",
        "event['user_id'] = f'user-{n}'; event['event_type'] = f't{n}'",
        "event.pop('time', None); event['time'] = 1_700_000_000_000 + n; event.pop('insert_id', None)",
        "event['event_properties'] = {'list': [n] * 9}; event['event_properties']['list'].clear()",
    ],
    ids=["clear", "ids", "time", "nested"],
)
def test_other_threads_change_it(change: str, is_pure: bool) -> None:
    """Each upload stays JSON, and every event has an end."""
    printed = run(
        f"""
        sys.setswitchinterval(1e-6)
        is_over = False

        def go_on():
            n = 0
            while not is_over:
                n += 1
                {change}

        threads = [threading.Thread(target=go_on) for _ in range(2)]
        for thread in threads:
            thread.start()
        for _ in range(5_000):
            client.log_event(event)
        is_over = True
        for thread in threads:
            thread.join()
        print(client.flush(120).pending, checking.malformed, checking.requests > 0, client.stats().balanced)
        """,
        is_pure=is_pure,
    )
    assert printed == "0 0 True True"


@pytest.mark.parametrize("is_pure", [False, True], ids=["compiled", "python"])
@pytest.mark.parametrize(
    "place",
    [
        "event['event_properties'] = holder",
        "event['event_properties'] = {'list': [holder]}",
        "event['user_properties'] = {'a': {'b': (holder,)}}",
    ],
    ids=["property", "list", "tuple"],
)
def test_reading_a_value_changes_it(place: str, is_pure: bool) -> None:
    """A value whose property takes its own container apart crashes nothing, and what is sent is JSON."""
    printed = run(
        f"""
        class Hostile(enum.Enum):
            ONE = 1

            @property
            def value(self):
                items.clear()
                items.extend(object() for _ in range(100))
                items.clear()
                holder.clear()
                event.clear()
                gc.collect()
                return "one"

        for _ in range(50):
            items = [Hostile.ONE, "a" * 50, Hostile.ONE, "b" * 50]
            holder = {{"items": items, "kind": Hostile.ONE, "rest": "c" * 50}}
            event = {{"event_type": "Tick", "user_id": "user-1"}}
            {place}
            client.log_event(event)
        print(client.flush(120).pending, checking.malformed, client.stats().balanced)
        """,
        is_pure=is_pure,
    )
    assert printed == "0 0 True"


@pytest.mark.parametrize("is_pure", [False, True], ids=["compiled", "python"])
@pytest.mark.parametrize("value", ["fragment", "Kind.ONE", "[Kind.ONE]", "{'a': (fragment,)}"])
def test_ready_made_json_is_not_passed_on(value: str, is_pure: bool) -> None:
    """A value that claims to be JSON text can neither spoil an upload nor add events to it."""
    printed = run(
        f"""
        import orjson
        fragment = orjson.Fragment(b'1}}}},{{"event_type":"Forged","user_id":"user-1","a":{{"b":1')
        Kind = enum.Enum("Kind", {{"ONE": fragment}})
        client.log_event(event | {{"event_properties": {{"x": {value}}}}})
        client.log_event(event)
        print(client.flush(120).pending, checking.malformed, client.stats().balanced, client.stats().accepted)
        """,
        is_pure=is_pure,
    )
    assert printed == "0 0 True 2"


@pytest.mark.parametrize("is_pure", [False, True], ids=["compiled", "python"])
def test_finalisers_that_run_meanwhile(is_pure: bool) -> None:
    """What the garbage collector runs in the middle of an encoding cannot take its containers apart."""
    printed = run(
        """
        from datetime import datetime, timezone, timedelta

        class Loop:
            def __init__(self):
                self.me = self

            def __del__(self):
                items.clear()

        gc.set_threshold(1)
        for _ in range(60):
            now = datetime.now(timezone.utc)
            items = [now, "a" * 50, now.astimezone(timezone(timedelta(hours=1))), "b" * 50]
            Loop()
            client.log_event(event | {"event_properties": {"items": items}})
        gc.set_threshold(700)
        print(client.flush(120).pending, checking.malformed, client.stats().balanced)
        """,
        is_pure=is_pure,
    )
    assert printed == "0 0 True"


@given(st.datetimes(timezones=st.timezones()) | st.times() | st.sampled_from(Kind))
def test_a_copy_is_encoded_as_the_value(value: object) -> None:
    """What is taken apart first gives the same JSON as the encoder by itself."""
    event = {"a": [value, {"b": (value,)}]}
    assert orjson.dumps(inert_copy(event)) == orjson.dumps(event)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.uuids(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
)


@given(PLAIN)
def test_plain_values_run_no_code(value: object) -> None:
    """Values of JSON, points in time and UUIDs are encoded as they are, however they are nested."""
    assert is_inert(value)


@given(PLAIN, st.sampled_from([object(), Exception(), type("Text", (str,), {})("text"), 1j]))
def test_any_other_value_is_found(value: object, foreign: object) -> None:
    """One value of a foreign type, however deep, and the whole is not sure any more."""
    assert not is_inert({"a": [value, {"b": (foreign,)}]})
    assert not is_inert({"a": [value], foreign: value})


@pytest.mark.parametrize("is_pure", [False, True], ids=["compiled", "python"])
@pytest.mark.parametrize(
    "make",
    ["{}", "collections.OrderedDict()", "{'inner': {}}", "{'inner': []}"],
    ids=["dict", "ordered", "nested", "list"],
)
def test_a_container_that_changes_is_logged_as_of_one_moment(make: str, is_pure: bool) -> None:
    """Properties that other threads change all the time cost no event, on whichever path it goes."""
    printed = run(
        f"""
        import collections
        from decimal import Decimal
        sys.setswitchinterval(1e-6)
        properties = {make}
        is_over = False

        def go_on():
            n = 0
            changing = properties.get("inner", properties)
            while not is_over:
                n += 1
                if type(changing) is list:
                    changing.append(Decimal(n)) if n % 50 else changing.clear()
                else:
                    changing[f"key-{{n % 50}}"] = Decimal(n)
                    changing.pop(f"key-{{n * 7 % 50}}", None)

        threads = [threading.Thread(target=go_on) for _ in range(2)]
        for thread in threads:
            thread.start()
        refused = []
        for _ in range(1_000):
            handle = client.log_event({{**event, "event_properties": properties}})
            if handle.outcome is not None and handle.outcome.kind == "rejected":
                refused.append(handle.outcome.message)
        is_over = True
        for thread in threads:
            thread.join()
        print(refused[:3], client.flush(120).pending, client.stats().balanced)
        """,
        is_pure=is_pure,
    )
    assert printed == "[] 0 True"
