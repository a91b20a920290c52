"""Context: what it fills in, where it holds, and whose events it leaves alone."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import antinode
from antinode import (
    Client,
    ConfigurationError,
    ContextDict,
    EventDict,
    Identify,
    MiddlewareNext,
    MiddlewarePayload,
    Revenue,
)
from antinode import _context as contexts
from antinode._context import filled_in, merged
from antinode._protocol.fields import FIELDS
from tests.memory import SONG, Memory, logging_client, sent


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
def client(memory: Memory) -> Iterator[Client]:
    with logging_client(memory) as made:
        yield made


MADE = {"time", "insert_id", "library"}


def said(client: Client, memory: Memory) -> list[dict[str, Any]]:
    return [{key: value for key, value in each.items() if key not in MADE} for each in sent(client, memory)]


def test_it_fills_in_what_an_event_does_not_say(client: Client, memory: Memory) -> None:
    """The event's own fields win; properties and groups are merged key by key. After the block it is over."""
    with antinode.context(
        user_id="user-20391",
        device_id="device-1",
        session_id=7,
        event_properties={"plan": "pro", "page": "/"},
        groups={"org": "acme", "team": "a"},
        language="de",
    ):
        client.log_event({"event_type": "Tick"})
        client.log_event(
            {
                "event_type": "Tick",
                "language": "fr",
                "event_properties": {"page": "/a"},
                "groups": {"team": ["b"]},
            }
        )
    client.log_event({"event_type": "Tick", "device_id": "device-2"})
    filled = {"user_id": "user-20391", "device_id": "device-1", "session_id": 7, "event_type": "Tick"}
    assert said(client, memory) == [
        {
            **filled,
            "event_properties": {"plan": "pro", "page": "/"},
            "groups": {"org": "acme", "team": "a"},
            "language": "de",
        },
        {
            **filled,
            "event_properties": {"plan": "pro", "page": "/a"},
            "groups": {"org": "acme", "team": ["b"]},
            "language": "fr",
        },
        {"event_type": "Tick", "device_id": "device-2"},
    ]


def test_contexts_nest_and_the_inner_one_wins(client: Client, memory: Memory) -> None:
    """Key by key as well; after the inner block the outer one holds again."""
    with antinode.context(user_id="user-1", event_properties={"a": 1, "b": 1}):
        with antinode.context(event_properties={"b": 2}, language="de"):
            client.log_event({"event_type": "inner"})
        client.log_event({"event_type": "outer"})
    assert said(client, memory) == [
        {"event_type": "inner", "user_id": "user-1", "event_properties": {"a": 1, "b": 2}, "language": "de"},
        {"event_type": "outer", "user_id": "user-1", "event_properties": {"a": 1, "b": 1}},
    ]


def test_add_context_adds_to_the_innermost(client: Client, memory: Memory) -> None:
    """Also from a thread or a task that the block started; not beyond the block."""
    with antinode.context(device_id="device-1"):
        with ThreadPoolExecutor(1) as pool:
            # A view in a thread, as frameworks run them.
            pool.submit(contextvars.copy_context().run, antinode.add_context, user_id="user-1").result()
        client.log_event({"event_type": "Tick"})
        with antinode.context():
            antinode.add_context(event_properties={"a": 1})
            client.log_event({"event_type": "inner"})
        client.log_event({"event_type": "outer"})
    assert said(client, memory) == [
        {"event_type": "Tick", "device_id": "device-1", "user_id": "user-1"},
        {"event_type": "inner", "device_id": "device-1", "user_id": "user-1", "event_properties": {"a": 1}},
        {"event_type": "outer", "device_id": "device-1", "user_id": "user-1"},
    ]


def test_outside_of_a_context_nothing_is_added(
    client: Client, memory: Memory, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would hold for whoever is served next; one WARNING says so."""
    monkeypatch.setattr(contexts, "_has_warned", False)
    with caplog.at_level(logging.WARNING, "antinode"):
        antinode.add_context(user_id="user-1")
        antinode.add_context(user_id="user-1")
    client.log_event({"event_type": "Tick", "device_id": "device-1"})
    assert said(client, memory) == [{"event_type": "Tick", "device_id": "device-1"}]
    lines = [each.getMessage() for each in caplog.records]
    assert [each for each in lines if "add_context" in each] == [
        "antinode: add_context() was called outside of any antinode.context(), and nothing was added"
    ]


def test_it_holds_across_await_tasks_and_threads(client: Client, memory: Memory) -> None:
    """Each task has its own; what runs in a copy of the context has it too."""

    async def serve(user: str) -> None:
        with antinode.context(user_id=user):
            await asyncio.sleep(0)
            client.log_event({"event_type": "awaited"})
            await asyncio.create_task(log("task"))
            await asyncio.to_thread(client.log_event, {"event_type": "thread"})

    async def log(name: str) -> None:
        client.log_event({"event_type": name})

    async def main() -> None:
        await asyncio.gather(*(serve(f"user-{number}") for number in range(20)))

    asyncio.run(main())
    seen: dict[str, list[str]] = {}
    for each in said(client, memory):
        seen.setdefault(each["user_id"], []).append(each["event_type"])
    assert seen == {f"user-{number}": ["awaited", "task", "thread"] for number in range(20)}


def test_it_can_be_opened_elsewhere(client: Client, memory: Memory) -> None:
    """With what `get_context` returns, which is a copy."""
    assert antinode.get_context() == {}
    with antinode.context(user_id="user-1", event_properties={"a": [1]}):
        held = antinode.get_context()
    held["event_properties"]["a"].append(2)
    with antinode.context(**held):
        client.log_event({"event_type": "Tick"})
    assert said(client, memory) == [
        {"event_type": "Tick", "user_id": "user-1", "event_properties": {"a": [1, 2]}}
    ]


def test_threads_that_add_to_one_context_lose_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """However they come between each other; and a signal handler between both."""
    former = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with antinode.context():

            def add(thread: int) -> None:
                for number in range(100):
                    antinode.add_context(event_properties={f"{thread}-{number}": True})

            threads = [
                threading.Thread(target=contextvars.copy_context().run, args=(add, n)) for n in range(4)
            ]
            for each in threads:
                each.start()
            for each in threads:
                each.join()
            added = antinode.get_context()["event_properties"]
    finally:
        sys.setswitchinterval(former)
    assert len(added) == 400

    interrupted = iter([True])

    def merging(outer: dict[str, Any], inner: dict[str, Any]) -> dict[str, Any]:
        if next(interrupted, False):
            antinode.add_context(country="France")
        return merged(outer, inner)

    with antinode.context():
        monkeypatch.setattr(contexts, "merged", merging)
        antinode.add_context(language="fr")
        assert antinode.get_context() == {"country": "France", "language": "fr"}


def test_another_thread_has_none(client: Client, memory: Memory) -> None:
    """As with every context variable, a bare thread begins without."""
    with antinode.context(user_id="user-1"):
        thread = threading.Thread(
            target=client.log_event, args=({"event_type": "Tick", "device_id": "device-1"},)
        )
        thread.start()
        thread.join()
    assert said(client, memory) == [{"event_type": "Tick", "device_id": "device-1"}]


def test_an_event_of_another_user_takes_no_device(client: Client, memory: Memory) -> None:
    """Amplitude would take the two users for one. What is the request's, as its language, is filled in."""
    with antinode.context(user_id="7", device_id="device-1", session_id=7, language="de"):
        client.log_event({"event_type": "Tick", "user_id": "user-2"})
        client.log_event({"event_type": "Tick", "user_id": 7})  # type: ignore[typeddict-item]
    with antinode.context(device_id="device-1"):
        client.log_event({"event_type": "Tick", "user_id": "user-2"})
    other, same, unnamed = said(client, memory)
    assert other == {"event_type": "Tick", "user_id": "user-2", "language": "de"}
    assert same["device_id"] == unnamed["device_id"] == "device-1"
    assert same["session_id"] == 7


def test_calls_that_change_properties_take_the_user_alone(client: Client, memory: Memory) -> None:
    """An identify would otherwise write the context's properties and groups to the user."""
    with antinode.context(
        user_id="user-1", event_properties={"a": 1}, user_properties={"b": 1}, groups={"org": "acme"}
    ):
        client.identify(None, Identify().set("plan", "pro"))
        client.group_identify("org", "acme", Identify().set("plan", "pro"))
        client.revenue(None, Revenue(price=2.5))
    identify, group, revenue = said(client, memory)
    assert identify == {
        "event_type": "$identify",
        "user_id": "user-1",
        "user_properties": {"$set": {"plan": "pro"}},
    }
    assert group["event_type"] == "$groupidentify"
    assert "user_id" not in group
    assert revenue["user_id"] == "user-1"
    assert revenue["groups"] == {"org": "acme"}
    assert revenue["event_properties"]["a"] == 1


def test_middleware_sees_what_was_filled_in(client: Client, memory: Memory) -> None:
    """And changes nothing of the context."""
    properties = {"list": [1]}
    seen = []

    def look(payload: Any, next: Any) -> None:
        seen.append(payload.event["user_id"])
        payload.event["event_properties"]["list"].append(2)
        next(payload)

    client.add_event_middleware(look)
    with antinode.context(user_id="user-1", event_properties=properties):
        properties["list"].append(9)
        client.log_event({"event_type": "Tick"})
        client.log_event({"event_type": "Tick"})
    assert seen == ["user-1"] * 2
    assert [each["event_properties"]["list"] for each in said(client, memory)] == [[1, 2]] * 2


@pytest.mark.parametrize("is_object", [False, True])
def test_what_middleware_takes_out_stays_out(client: Client, memory: Memory, is_object: bool) -> None:
    """A redactor's word is the last: what the context had filled in is not filled in again behind it."""

    def anonymise(payload: MiddlewarePayload, next: MiddlewareNext) -> None:
        del payload.event["ip"], payload.event["event_properties"]["email"]
        next(payload)

    client.add_event_middleware(anonymise)
    with antinode.context(ip="203.0.113.9", event_properties={"email": "a@b.example", "plan": "pro"}):
        client.log_event(antinode.Event.from_dict(SONG) if is_object else SONG)
    (event,) = sent(client, memory)
    assert "ip" not in event
    assert event["event_properties"] == {"plan": "pro"}


def test_it_may_be_left_elsewhere(client: Client) -> None:
    """A generator is closed in another context than it was begun in; entering twice is told."""

    def dependency() -> Iterator[None]:
        with antinode.context(user_id="user-1"):
            yield

    generator = dependency()
    contextvars.copy_context().run(next, generator)
    generator.close()
    once = antinode.context(user_id="user-1")
    with once, pytest.raises(RuntimeError, match="entered already"), once:
        pass
    with once:
        pass
    assert contexts.current.get() is None


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"userid": "a"}, "no field `userid`; write user_id="),
        ({"event_type": "a"}, "no field `event_type`"),
        ({"properties": {}}, "write event_properties="),
        ({"event_properties": [1]}, "must be a dict, not list"),
    ],
)
def test_a_wrong_field_is_told_at_once(fields: Any, words: str) -> None:
    """With what was meant."""
    with pytest.raises(ConfigurationError, match=words):
        antinode.context(**fields)


def test_a_context_can_have_what_is_not_about_one_event() -> None:
    """Every key of an event is either one of a context or about one event."""
    about_one = {
        "event_type", "time", "insert_id", "event_id", "group_properties", "price", "quantity", "revenue",
        "productId", "revenueType", "currency", "library", "$skip_user_properties_sync",
        "receipt", "receiptSig", "uuid", "delay",
    }  # fmt: skip
    assert set(FIELDS) - about_one == set(ContextDict.__annotations__)
    assert set(ContextDict.__annotations__) < EventDict.__optional_keys__


def test_it_says_nothing_of_the_user() -> None:
    """Its repr is safe in logs."""
    assert repr(antinode.context(user_id="user-20391")) == "<antinode.context>"


PROPERTIES = st.dictionaries(
    st.sampled_from("abc"), st.integers() | st.text(max_size=3) | st.none(), max_size=3
)
FIELDS_OF_BOTH = {
    "user_id": st.sampled_from(["user-1", "user-2", 7, "7", None]),
    "device_id": st.sampled_from(["device-1", None]),
    "session_id": st.integers(-1, 3),
    "event_properties": PROPERTIES | st.none(),
    "user_properties": PROPERTIES,
    "groups": st.dictionaries(st.sampled_from("xy"), st.sampled_from(["a", "b", ["c"]])),
    "platform": st.sampled_from(["web", "ios"]),
}
EVENTS = st.fixed_dictionaries(
    {"event_type": st.sampled_from(["Tick", "$identify", "$groupidentify", "Tock"])}, optional=FIELDS_OF_BOTH
)


@given(st.lists(st.tuples(EVENTS, st.fixed_dictionaries({}, optional=FIELDS_OF_BOTH)), max_size=5))
def test_compiled_and_python_fill_in_the_same(cases: list[tuple[Any, Any]]) -> None:
    """What is sent of an event in a context is what is sent of the event filled in."""
    memory = Memory()
    # One connection, so that events of different users arrive in order, too.
    with logging_client(memory, min_id_length=1, connections=1) as client:
        for event, fields in cases * 2:
            with antinode.context(**fields):
                client.log_event(event)
            client.log_event(filled_in(event, {k: v for k, v in fields.items() if v is not None}))  # type: ignore[arg-type]
        arrived = said(client, memory)
    assert arrived[::2] == arrived[1::2]


@given(st.fixed_dictionaries({}, optional=FIELDS_OF_BOTH), st.fixed_dictionaries({}, optional=FIELDS_OF_BOTH))
def test_merging_changes_neither(outer: Any, inner: Any) -> None:
    """The fields of both are there, and the inner one's win."""
    outer, inner = ({k: v for k, v in each.items() if v is not None} for each in (outer, inner))
    before = repr((outer, inner))
    both = merged(outer, inner)
    assert repr((outer, inner)) == before
    assert set(both) == {*outer, *inner}
    for name in both:
        if name in inner and name not in contexts.MERGED:
            assert both[name] == inner[name]
